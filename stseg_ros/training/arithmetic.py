"""Where a network is trained and in which arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stseg_ros.errors import ConfigError

DEVICES = ('auto', 'cpu', 'cuda')


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """A device, and the number format of convolutions on it.

    Attributes:
        device: where weights and batches are.
        dtype: of convolutions; float32, or a half precision beside float32 weights and losses.
    """

    device: torch.device
    dtype: torch.dtype

    @property
    def mixed(self) -> bool:
        """Whether convolutions run in half precision."""
        return self.dtype != torch.float32

    def __str__(self) -> str:
        """Name the format and the device, as a run notes them."""
        name = str(self.dtype).removeprefix('torch.')
        return f'{name}{" mixed" if self.mixed else ""} on {self.device.type}'

    def autocast(self) -> torch.autocast:
        """Return the context in which the network runs."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.mixed)


def choose_arithmetic(device: str = 'auto') -> Arithmetic:
    """Take the fastest format that the device has.

    Args:
        device: 'cpu', 'cuda', or 'auto' for CUDA where there is a GPU.

    Returns:
        On GPUs bfloat16, or float16 on those before Ampere; on CPUs bfloat16 where the processor
        multiplies in it, else float32.

    Raises:
        ConfigError: CUDA was asked for and PyTorch finds no GPU, or the name is unknown.
    """
    if device not in DEVICES:
        raise ConfigError(f"unknown device '{device}'; give one of {', '.join(DEVICES)}")
    gpu = torch.cuda.is_available()
    if device == 'cuda' and not gpu:
        raise ConfigError(
            f'PyTorch {torch.__version__} finds no GPU; install a CUDA build of it and a driver, '
            'or give --device cpu'
        )
    if gpu and device != 'cpu':
        ampere = torch.cuda.get_device_capability()[0] >= 8
        dtype = torch.bfloat16 if ampere else torch.float16
        return Arithmetic(device=torch.device('cuda', torch.cuda.current_device()), dtype=dtype)
    dtype = torch.bfloat16 if has_fast_bfloat16() else torch.float32
    return Arithmetic(device=torch.device('cpu'), dtype=dtype)


def has_fast_bfloat16() -> bool:
    """Ask the processor whether it multiplies in bfloat16; elsewhere float32 is faster.

    Returns:
        True for AVX-512 BF16 and AMX; False also where PyTorch is too old to say.
    """
    if not hasattr(torch.cpu, 'get_capabilities'):
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get('avx512_bf16') or capabilities.get('amx_bf16'))
