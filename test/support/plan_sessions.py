"""Sessions of a plan on stand-ins, and the life that they lead."""

from __future__ import annotations

import numpy as np
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN, fake_library

from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.engines.tensorrt.session import PlanSession

SHAPE = (2, 8, 16, 3)


def open_session(fake: FakeCuda, plan: bytes = PLAN) -> PlanSession:
    return PlanSession(fake_library(fake), plan, CudaRuntime(fake))


def run(session: PlanSession, count: int = 2) -> np.ndarray:
    shape = (count, *SHAPE[1:])
    session.staging('image', shape)[...] = 7
    return session.execute({'image': shape})['logits']


def use(session: PlanSession) -> None:
    """Run twice with one batch size, once with another, and once without output."""
    run(session)
    run(session)
    run(session, 3)
    session.execute({'image': SHAPE}, without=('logits',))


def whole_life(fake: FakeCuda) -> PlanSession:
    """Open, use and close."""
    session = open_session(fake)
    try:
        use(session)
    finally:
        session.close()
    return session
