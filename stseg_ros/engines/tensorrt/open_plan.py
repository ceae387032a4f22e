"""From a request to a plan that has run once: library, GPU, cache or builder, and a first run."""

from __future__ import annotations

from contextlib import suppress

from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu, find_gpu
from stseg_ros.engines.cuda.runtime import CudaRuntime, open_cuda_runtime
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.plan_build.plans import BuildRequest, FoundPlan, find_or_build
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.tensorrt.kernel_store import KernelStore
from stseg_ros.engines.tensorrt.library import TensorRtLibrary, load_library
from stseg_ros.engines.tensorrt.loaded_plan import PlanRejectedError
from stseg_ros.engines.tensorrt.session import PlanSession
from stseg_ros.errors import EngineError

NO_GPU = 'no NVIDIA GPU with a driver on this machine'


def open_nvidia(name: str) -> tuple[TensorRtLibrary, NvidiaGpu, CudaRuntime]:
    """Get hold of all that running a plan needs.

    Args:
        name: 'tensorrt' or 'tensorrt_rtx'.

    Returns:
        The library, the GPU and CUDA's runtime.

    Raises:
        EngineError: one of them is missing; names what to install.
    """
    gpu = find_gpu()
    try:
        library = load_library(name)
        cuda = open_cuda_runtime()
    except EngineError as err:
        # Whoever has no GPU should learn it before installing anything.
        raise err if gpu is not None else EngineError(f'{err}; but there is {NO_GPU}') from err
    if gpu is None:
        raise EngineError(f'{name}: {NO_GPU}; install the driver, or take another backend')
    return library, gpu, cuda


def open_session(
    library: TensorRtLibrary,
    gpu: NvidiaGpu,
    cuda: CudaRuntime,
    request: BuildRequest,
    options: EngineOptions,
) -> PlanSession:
    """Build a plan or take it from the cache, load it, and run it once on zeros.

    A kept plan that does not load or run is set aside and built again, once. Where a failed run
    has left CUDA unusable that fails, too, and the next process builds it.

    Args:
        library: the library.
        gpu: the GPU that it runs on.
        cuda: the runtime.
        request: what to build.
        options: what is told of a build, and what stops it.

    Returns:
        The session; first-time work of the usual shapes is done.

    Raises:
        EngineError: the plan cannot be built, or a new one does not load or run.
    """
    cache = EngineCache()

    def find() -> FoundPlan:
        return find_or_build(library, request, cache, progress=options.progress, stop=options.stop)

    def open_and_run(found: FoundPlan) -> PlanSession:
        kernels = KernelStore(cache, found.key, gpu, request.network.name)
        return _open_and_run(library, cuda, request, found.plan, kernels)

    found = find()
    try:
        return open_and_run(found)
    except PlanRejectedError as err:
        if not found.was_cached:
            raise
        cache.set_aside(found.key, str(err))
    return open_and_run(find())


def _open_and_run(
    library: TensorRtLibrary,
    cuda: CudaRuntime,
    request: BuildRequest,
    plan: bytes,
    kernels: KernelStore,
) -> PlanSession:
    """Load a plan and run it once, at the shapes that it is to be fast at.

    Raises:
        PlanRejectedError: it does not load, or the run failed.
        EngineError: CUDA failed before, or there is not enough memory.
    """
    session = PlanSession(library, plan, cuda, kernels if library.is_rtx else None)
    usual = {profile.name: profile.usual for profile in request.profiles}
    shapes = {tensor.name: usual.get(tensor.name, tensor.largest) for tensor in session.inputs}
    try:
        for name, shape in shapes.items():
            session.staging(name, shape)[...] = 0
        session.execute(shapes)
    except EngineError as err:
        # It has closed itself, unless the shapes did not fit.
        with suppress(EngineError):
            session.close()
        raise PlanRejectedError(f'the first run failed: {err}') from err
    # Now, not only when it is closed: a machine that is switched off closes nothing.
    session.save_kernels()
    return session
