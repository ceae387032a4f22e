"""The inputs and outputs of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stseg_ros.errors import EngineError

_DTYPES = {
    'FLOAT': 'float32',
    'HALF': 'float16',
    'UINT8': 'uint8',
    'INT8': 'int8',
    'INT32': 'int32',
    'INT64': 'int64',
    'BOOL': 'bool',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTensor:
    """An input or output of a plan.

    Attributes:
        name: its name.
        dtype: its element type.
        shape: axis lengths; None where the plan takes several.
        largest: the largest axis lengths that the plan takes or gives.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    largest: tuple[int, ...]

    @property
    def largest_bytes(self) -> int:
        """Memory of the largest shape, 1 or more."""
        return max(int(np.prod(self.largest)) * self.dtype.itemsize, 1)


def describe_tensors(
    module: Any, engine: Any, context: Any
) -> tuple[tuple[PlanTensor, ...], tuple[PlanTensor, ...]]:
    """Describe inputs and outputs.

    Args:
        module: the library's Python module.
        engine: the library's engine.
        context: a context of that engine; its shapes are changed.

    Returns:
        The inputs, and the outputs.

    Raises:
        EngineError: one is of a type that is unknown here.
    """
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    is_input = {name: engine.get_tensor_mode(name) == module.TensorIOMode.INPUT for name in names}
    inputs, outputs = [], []
    # Inputs first: the outputs' largest shapes follow from theirs.
    for name in sorted(names, key=lambda name: not is_input[name]):
        if is_input[name]:
            largest = tuple(engine.get_tensor_shape(name))
            if min(largest, default=0) < 0:
                largest = tuple(engine.get_tensor_profile_shape(name, 0)[2])
            set_shape(context, name, largest)
            inputs.append(_describe(engine, name, largest))
        else:
            outputs.append(_describe(engine, name, tuple(context.get_tensor_shape(name))))
    return tuple(inputs), tuple(outputs)


def set_shape(context: Any, name: str, shape: tuple[int, ...]) -> None:
    """Fix the shape of a context's input.

    Args:
        context: the context.
        name: the input.
        shape: its shape.

    Raises:
        EngineError: the plan was not built for it.
    """
    if not context.set_input_shape(name, shape):
        text = 'x'.join(str(axis) for axis in shape)
        raise EngineError(f'the plan takes no {name!r} of {text}; build it for that')


def _describe(engine: Any, name: str, largest: tuple[int, ...]) -> PlanTensor:
    type_name = engine.get_tensor_dtype(name).name
    if type_name not in _DTYPES:
        raise EngineError(f'the plan has {name!r} of type {type_name}, which is not supported')
    return PlanTensor(
        name=name,
        dtype=np.dtype(_DTYPES[type_name]),
        shape=tuple(None if axis < 0 else int(axis) for axis in engine.get_tensor_shape(name)),
        largest=tuple(int(axis) for axis in largest),
    )
