"""Plans and the library's own bindings, as far as they go without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_bundle import write_redness_network

from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.plan_build.plans import build_plan, network_request
from stseg_ros.engines.tensorrt.library import is_installed, load_library
from stseg_ros.engines.tensorrt.loaded_plan import LoadedPlan, PlanRejectedError

without_gpu = pytest.mark.skipif(find_gpu() is not None, reason='this machine has a GPU')
with_rtx = pytest.mark.skipif(
    not is_installed('tensorrt_rtx'), reason='TensorRT-RTX is not installed'
)


@with_rtx
def test_bytes_that_are_no_plan_are_rejected_by_the_library_itself() -> None:
    with pytest.raises(PlanRejectedError, match=r'^tensorrt_rtx \S+ does not load the plan: \S+'):
        LoadedPlan(load_library('tensorrt_rtx'), b'no plan' * 100)


@without_gpu
@with_rtx
def test_a_real_plan_is_rejected_where_there_is_no_gpu(tmp_path: Path) -> None:
    path = tmp_path / 'network.onnx'
    write_redness_network(path, (8, 16), batch=None, gain=2.0)
    library = load_library('tensorrt_rtx')
    request = network_request(path, max_batch=4, compute_capability='8.9', logits='bytes')
    plan = build_plan(library, request)
    with pytest.raises(PlanRejectedError, match='does not load the plan') as caught:
        LoadedPlan(library, plan)
    assert '\n' not in str(caught.value)


@with_rtx
def test_the_library_has_the_names_that_running_a_plan_needs() -> None:
    module = load_library('tensorrt_rtx').module
    needed = {
        'Runtime': ['deserialize_cuda_engine'],
        'ICudaEngine': [
            'num_io_tensors',
            'get_tensor_name',
            'get_tensor_mode',
            'get_tensor_dtype',
            'get_tensor_shape',
            'get_tensor_profile_shape',
            'device_memory_size_v2',
            'create_runtime_config',
            'create_execution_context',
        ],
        'IRuntimeConfig': [
            'set_execution_context_allocation_strategy',
            'dynamic_shapes_kernel_specialization_strategy',
            'create_runtime_cache',
            'set_runtime_cache',
        ],
        'IRuntimeCache': ['serialize', 'deserialize'],
        'IExecutionContext': [
            'set_input_shape',
            'get_tensor_shape',
            'set_tensor_address',
            'set_device_memory',
            'execute_async_v3',
            'is_stream_capturable',
        ],
        'TensorIOMode': ['INPUT'],
        'ExecutionContextAllocationStrategy': ['USER_MANAGED'],
        'DynamicShapesKernelSpecializationStrategy': ['EAGER'],
    }
    missing = [
        f'{owner}.{name}'
        for owner, names in needed.items()
        for name in names
        if not hasattr(getattr(module, owner), name)
    ]
    assert missing == []
