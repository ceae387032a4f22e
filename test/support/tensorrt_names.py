"""Which names the Python modules of TensorRT and TensorRT-RTX lack, by version.

Read from the real modules: TensorRT 8.6.0 with its libraries, and the bindings alone of 8.6.1,
10.0.1, 10.1.0, 10.3.0, 10.8.0, 10.12.0, 10.13.3, 10.16.1, 11.0.0 and 11.4.0, and of TensorRT-RTX
1.4.0, 1.5.0, 1.6.1 and 1.7.1. Versions that have the same names are named once. Only names that
this package uses, or asks for, are listed.
"""

from __future__ import annotations

from typing import Any

# Of TensorRT-RTX alone.
_RTX_ONLY = {
    'ComputeCapability',
    'DynamicShapesKernelSpecializationStrategy',
    'IBuilderConfig.num_compute_capabilities',
    'IBuilderConfig.set_compute_capability',
    'IExecutionContext.is_stream_capturable',
    'IRuntimeConfig.create_runtime_cache',
    'IRuntimeConfig.dynamic_shapes_kernel_specialization_strategy',
    'IRuntimeConfig.set_runtime_cache',
}
_SINCE_10_12 = {'ICudaEngine.create_runtime_config'}
_SINCE_10_1 = {'ICudaEngine.device_memory_size_v2', 'IExecutionContext.set_device_memory'}
_SINCE_10_0 = {
    'ExecutionContextAllocationStrategy',
    'IBuilderConfig.progress_monitor',
    'IProgressMonitor',
    'NetworkDefinitionCreationFlag.STRONGLY_TYPED',
    'ParserError.node_operator',
}
_UNTIL_10 = {
    'BuilderFlag.FP16',
    'NetworkDefinitionCreationFlag.EXPLICIT_BATCH',
    'PreviewFeature.PROFILE_SHARING_0806',
}
_OLD_MEMORY = {
    'ICudaEngine.create_execution_context_without_device_memory',
    'ICudaEngine.device_memory_size',
}
LACKS = {
    ('tensorrt', '8.6.0'): _RTX_ONLY | _SINCE_10_12 | _SINCE_10_1 | _SINCE_10_0,
    ('tensorrt', '10.0.1'): _RTX_ONLY | _SINCE_10_12 | _SINCE_10_1,
    ('tensorrt', '10.3.0'): _RTX_ONLY | _SINCE_10_12,
    ('tensorrt', '10.13.3'): _RTX_ONLY,
    ('tensorrt', '11.4.0'): _RTX_ONLY | _UNTIL_10 | _OLD_MEMORY,
    ('tensorrt_rtx', '1.4.0'): _OLD_MEMORY,
    ('tensorrt_rtx', '1.7.1'): _OLD_MEMORY | _UNTIL_10,
}


class _Missing:
    """An attribute that is not there, neither to read nor to write."""

    def __get__(self, _: Any, owner: Any = None) -> Any:
        raise AttributeError('not in this version')

    def __set__(self, _: Any, value: Any) -> None:
        raise AttributeError('not in this version')


def without_missing(cls: type, owner: str, lacks: set[str]) -> type:
    """Take from a stand-in what a version's class of the name `owner` lacks."""
    missing = {name.partition('.')[2] for name in lacks if name.startswith(f'{owner}.')}
    return type(cls.__name__, (cls,), {name: _Missing() for name in missing})
