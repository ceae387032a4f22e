"""The GPU that a plan is built for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.errors import EngineError

ANY_GPU = 'any'


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTarget:
    """Where a plan will run.

    Attributes:
        gpu: the GPU's name; 'any' for every GPU of the compute capability.
        compute_capability: such as '8.9'.
        multiprocessors: how many the GPU has; 0 for every GPU of the compute capability.
        driver_cuda_major: major version of the CUDA that the driver offers; 0 where the plan does
            not depend on it.
    """

    gpu: str
    compute_capability: str
    multiprocessors: int
    driver_cuda_major: int


def find_target(library: TensorRtLibrary, compute_capability: str | None) -> BuildTarget:
    """Settle what to build for.

    TensorRT builds on the GPU that the plan will run on, and for it alone. TensorRT-RTX builds
    without a GPU, for all of one compute capability.

    Args:
        library: the library to build with.
        compute_capability: what was asked for; None takes that of this machine's GPU.

    Returns:
        The target.

    Raises:
        EngineError: there is no GPU to ask, or the library does not build for this one.
    """
    if compute_capability is not None and not re.fullmatch(r'\d{1,2}\.\d', compute_capability):
        raise EngineError(
            f"compute capability is '{compute_capability}'; expected two numbers, such as 8.9"
        )
    gpu = find_gpu()
    wanted = compute_capability or (gpu.compute_capability if gpu is not None else None)
    if library.is_rtx:
        if wanted is None:
            raise EngineError(
                'no NVIDIA GPU found; name the one to build for, as --compute-capability 8.9'
            )
        if wanted not in rtx_capabilities(library):
            raise EngineError(
                f'{library.name} {library.version} does not know compute capability {wanted}; it '
                f'builds for {", ".join(rtx_capabilities(library))}; take tensorrt for others'
            )
        return BuildTarget(
            gpu=ANY_GPU, compute_capability=wanted, multiprocessors=0, driver_cuda_major=0
        )
    if gpu is None:
        raise EngineError(
            'no NVIDIA GPU found; tensorrt builds only on the GPU that the plan will run on'
        )
    if wanted != gpu.compute_capability:
        raise EngineError(
            f'tensorrt cannot build for compute capability {wanted} on this {gpu.name} '
            f'({gpu.compute_capability}); build on the other machine, or take tensorrt_rtx'
        )
    return BuildTarget(
        gpu=gpu.name,
        compute_capability=wanted,
        multiprocessors=gpu.multiprocessors,
        driver_cuda_major=gpu.driver_cuda_major,
    )


def rtx_capabilities(library: TensorRtLibrary) -> dict[str, Any]:
    """List what TensorRT-RTX builds for.

    Args:
        library: TensorRT-RTX.

    Returns:
        Compute capabilities, such as '8.9', to the library's names for them, lowest first.
    """
    names = library.module.ComputeCapability.__members__
    numbers = sorted(int(name[2:]) for name in names if re.fullmatch(r'SM\d+', name))
    return {f'{number // 10}.{number % 10}': names[f'SM{number}'] for number in numbers}
