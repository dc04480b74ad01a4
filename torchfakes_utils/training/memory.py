"""What to do when a batch does not fit into a GPU's memory: find out which one does, and say so."""

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional as F

from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.learner import Learner
from torchfakes_utils.training.optimisation import autocast


def what_fits(learner: Learner, config: TrainingConfig, batch_size: int, processes: int) -> str:
    """After the memory has run out: with which batch it would not, found by trying. It spoils the weights.

    Args:
        learner: of a run that cannot go on.
        config: the run's.
        batch_size: crops that were too many.
        processes: that work together; several would wait for each other's gradients, so that nothing is tried.
    """
    learner.optimizer.zero_grad()
    size, device = learner.detector.preprocessing.size, learner.detector.device
    lost = f"a batch of {config.batch_size} crops of {size} px does not fit into the memory of {device}"
    fitting = _largest_that_fits(partial(_try_step, learner), batch_size) if processes == 1 else None
    if fitting is None:
        return f"{lost}; take a smaller batch, a smaller --image-size, or --device cpu, in a new folder"
    times = -(-config.batch_size // fitting) * config.accumulate
    return (
        f"{lost}; {fitting} crops do: --batch-size {fitting} --accumulate {times}, in a new folder, makes steps of "
        f"as many crops"
    )


def _try_step(learner: Learner, count: int) -> None:
    """Take the memory of a step with so many crops."""
    learner.detector.train()
    edge, device = learner.detector.preprocessing.size, learner.detector.device
    images = torch.zeros(count, 3, edge, edge, device=device).contiguous(memory_format=torch.channels_last)
    with autocast(device, learner.precision):
        logits = learner.network(images)
    loss = F.binary_cross_entropy_with_logits(logits.float(), torch.zeros(count, device=device))
    torch.autograd.backward(learner.scaler.scale(loss))
    learner.optimizer.step()
    learner.optimizer.zero_grad()


def _largest_that_fits(attempt: Callable[[int], None], more_than_fits: int) -> int | None:
    """The largest batch that `attempt` gets through, of the halves of one that did not fit; None of none."""
    size = more_than_fits // 2
    while size >= 2:  # batch norm has nothing to average over one
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # one attempt leaves the next one nothing but room
        try:
            attempt(size)
            return size
        except torch.OutOfMemoryError:
            size //= 2
    return None
