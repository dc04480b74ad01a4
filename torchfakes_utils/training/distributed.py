"""Several processes that train one network together, started by `torchrun`.

Each computes its part of every batch; gradients, and batch norm's statistics, are those of the whole batch. So the same
configuration gives the same run, on however many processes, but for the last digits of sums and for dropout.

By hand, for Accelerate keeps a run in several files, most of them pickles, and shares no batch norm on CPUs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import BatchNorm


@dataclass(frozen=True)
class World:
    """The processes of a run: how many there are, which of them this is, and the device that is its own."""

    size: int
    rank: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of `count` things, a multiple of `size`."""
        each = count // self.size
        return slice(self.rank * each, (self.rank + 1) * each)


@contextmanager
def join(device: torch.device) -> Iterator[World]:
    """Meet the other processes that `torchrun` has started; alone without it.

    Args:
        device: this process's; of several GPUs, each local process takes its own.

    Raises:
        InputError: fewer processes came than were announced.
    """
    announced = int(os.environ.get("WORLD_SIZE", "1"))
    if announced == 1:
        yield World(1, 0, device)
        return
    from torch import distributed

    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    mine = not distributed.is_initialized()
    if mine:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        here = torch.ones(1, device=device)
        distributed.all_reduce(here)
        if int(here) != announced:
            raise InputError(f"{int(here)} processes answer, and {announced} were announced; start them with torchrun")
        yield World(announced, distributed.get_rank(), device)
        distributed.barrier()  # a process that leaves while another still talks to it takes that one down
    finally:
        if mine:
            distributed.destroy_process_group()


def gather(world: World, mine: Any) -> list[Any]:
    """What every process has, in the order of their ranks, in every process."""
    if world.size == 1:
        return [mine]
    everybody: list[Any] = [None] * world.size
    torch.distributed.all_gather_object(everybody, mine)
    return everybody


def mean(world: World, value: torch.Tensor) -> torch.Tensor:
    """The mean of every process's value."""
    return (_total(value) if world.size > 1 else value) / world.size


def _total(value: torch.Tensor) -> torch.Tensor:
    total = value.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(total)
    return total


def parallel(network: nn.Module, world: World) -> nn.Module:
    """The network as it is to be called in training: it adds up the gradients of all processes."""
    if world.size == 1:
        return network
    devices = [world.device] if world.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=devices)


def synchronise_batch_norm(network: nn.Module, world: World) -> None:
    """Make all batch norms in a network take their mean and variance over the parts of all processes."""
    if world.size == 1:
        return
    if world.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for name, child in network.named_children():
        if isinstance(child, BatchNorm):
            made = _SynchronisedBatchNorm(
                child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
            )
            made.load_state_dict(child.state_dict())
            setattr(network, name, made.train(child.training))
        else:
            synchronise_batch_norm(child, world)


class _Sum(torch.autograd.Function):
    """Over all processes. Each one's loss depends on the whole sum, so that gradients are added up as well."""

    @staticmethod
    def forward(_context: Any, value: torch.Tensor) -> torch.Tensor:
        return _total(value)

    @staticmethod
    def backward(_context: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _total(gradient)


class _SynchronisedBatchNorm(BatchNorm):
    """What torch's SyncBatchNorm does on GPUs, in plain operations, for processes on CPUs."""

    def _check_input_dim(self, images: torch.Tensor) -> None:
        pass  # (B, C) and (B, C, H, W) alike

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C) or (B, C, H, W) to the same."""
        if not self.training:
            return super().forward(images)
        places = [axis for axis in range(images.ndim) if axis != 1]
        shape = [1, -1] + [1] * (images.ndim - 2)
        count = images.numel() / self.num_features * torch.distributed.get_world_size()
        mean: torch.Tensor = _Sum.apply(images.float().sum(places)) / count
        centred = images - mean.reshape(shape)
        variance: torch.Tensor = _Sum.apply((centred * centred).sum(places)) / count
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale.reshape(shape) + self.bias.reshape(shape)
