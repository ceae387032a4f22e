"""The processes that train one network together, started by `torchrun`, or the only one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stseg_ros.errors import ConfigError
from stseg_ros.training.arithmetic import Arithmetic, choose_arithmetic

# The others wait while the first process scores the held-out images.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The place of this process among those that train together.

    Attributes:
        rank: from 0; the first one writes the files and shows the progress.
        count: how many there are, on all machines.
        arithmetic: this process's device and number format.
    """

    rank: int
    count: int
    arithmetic: Arithmetic

    @property
    def first(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def check_batch(self, batch: int) -> None:
        """Check that a batch can be shared out evenly.

        Args:
            batch: images per step, over all processes.

        Raises:
            ConfigError: it cannot.
        """
        if batch % self.count:
            raise ConfigError(
                f'a batch of {batch} images cannot be shared evenly by {self.count} processes; '
                f'give a multiple of {self.count} in the recipe, or start another number'
            )

    def share(self, model: nn.Module) -> nn.Module:
        """Make the processes average the gradients of a network.

        Batch normalisation takes its statistics over all processes on GPUs. On CPUs, where PyTorch
        cannot do that, each takes them over its own share and the first one's are kept.

        Args:
            model: the network, on this process's device; equal in all processes afterwards.

        Returns:
            What to call in its stead in training; the network itself for a single process.
        """
        if self.count == 1:
            return model
        device = self.arithmetic.device
        if device.type == 'cuda':
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return DistributedDataParallel(
            model, device_ids=[device.index] if device.type == 'cuda' else None
        )

    def pool(self, sums: torch.Tensor) -> torch.Tensor:
        """Add a tensor over all processes, in a way that gradients pass through.

        Args:
            sums: this process's part.

        Returns:
            The total, the same in every process.
        """
        if self.count == 1:
            return sums
        total = sums.detach().clone()
        dist.all_reduce(total)
        # Gradients are averaged over the processes, where the total's is their sum.
        return total + self.count * (sums - sums.detach())

    def any(self, *, flag: bool) -> bool:
        """Tell whether a flag is up in at least one process.

        Args:
            flag: this process's.

        Returns:
            The same in every process.
        """
        if self.count == 1:
            return flag
        raised = torch.tensor(int(flag), device=self.arithmetic.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return bool(raised)

    def wait(self) -> None:
        """Wait until every process has come this far."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Meet the other processes that `torchrun` started; alone without it.

    Args:
        device: see `choose_arithmetic`; each process of a machine takes the GPU of its number.

    Yields:
        The place of this process.

    Raises:
        ConfigError: there is no such device.
    """
    if 'LOCAL_RANK' not in os.environ:
        yield Processes(rank=0, count=1, arithmetic=choose_arithmetic(device))
        return
    if torch.cuda.is_available() and device != 'cpu':
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    arithmetic = choose_arithmetic(device)
    backend = 'nccl' if arithmetic.device.type == 'cuda' else 'gloo'
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(rank=dist.get_rank(), count=dist.get_world_size(), arithmetic=arithmetic)
    finally:
        dist.destroy_process_group()
