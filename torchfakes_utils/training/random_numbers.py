"""Random numbers that come from (seed, step) alone: what a run draws does not depend on when it was stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_of(*numbers: int) -> int:
    """A seed for one thing of one run; neighbouring numbers share nothing."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's own generators begin at `seed`; outside, they are as they were.

    For what takes no generator: the first weights of a network, and dropout. Everything else is given one.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
