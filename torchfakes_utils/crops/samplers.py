"""Which crops are drawn, and how often.

Each way, in `SAMPLERS`, takes rows of `faces.csv` (index i drawn is the i-th row), how many crops make a pass, and a
generator that makes the draw repeatable. All but the uniform one need both classes, and raise an InputError otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import RandomSampler, Sampler, WeightedRandomSampler

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.films import moments

Thing = TypeVar("Thing")

_REAL = "real"  # the reals, whatever their source, are one group


def balanced_sampler(
    faces: pd.DataFrame, num_samples: int, generator: torch.Generator | None = None
) -> WeightedRandomSampler:
    """Draw crops, with replacement, so that half are real and every manipulation has the same share of the other half.

    In FF++ four fakes stand against each real clip, and a network rewarded for always saying "fake" may stop there.
    """
    groups, fake = _groups(faces), faces["label"].to_numpy() == 1
    # A crop's weight is its group's share over the group's size.
    sizes = groups.map(groups.value_counts()).to_numpy()
    weights = np.where(fake, 0.5 / groups[fake].nunique(), 0.5) / sizes
    return WeightedRandomSampler(weights.tolist(), num_samples, replacement=True, generator=generator)


def _groups(faces: pd.DataFrame) -> pd.Series:
    """Of each crop its method, or `_REAL`."""
    if faces["label"].nunique() < 2:
        raise InputError("only one class among the training crops; both real and fake ones are needed")
    return faces["method"].where(faces["label"] == 1, _REAL)


class PairedSampler(Sampler[int]):
    """Draw crops as pairs: a real one, then a fake one made from it: its film, its frame, wherever there is one.

    What the two do not share is what the forger did, so a batch of pairs says nothing about people, light or pose that
    could be mistaken for the answer. Which film a fake was made from, `faces.films` knows; where it does not, there is
    no counterpart, for another film of the same person has another pose and another light. Half of the crops are real;
    every manipulation has the same share of the others.
    Pairs begin with a real crop and with a fake one in turn, so that crops without a counterpart are drawn, too.
    """

    def __init__(self, faces: pd.DataFrame, num_samples: int, generator: torch.Generator | None = None) -> None:
        self._num_samples, self._generator = num_samples, generator
        self._moments = moments(faces).tolist()
        groups = _groups(faces).to_numpy()
        self._rows = {name: np.flatnonzero(groups == name) for name in np.unique(groups)}
        self._methods = [name for name in self._rows if name != _REAL]
        self._there: dict[tuple[str, int], list[int]] = {}
        for row, (group, moment) in enumerate(zip(groups, self._moments, strict=True)):
            if moment >= 0:
                self._there.setdefault((group, moment), []).append(row)

    def __len__(self) -> int:
        return self._num_samples

    def __iter__(self) -> Iterator[int]:
        decks = {name: self._shuffled(rows) for name, rows in self._rows.items()}
        for drawn in range(0, self._num_samples, 2):
            pair = self._from_real(decks) if drawn % 4 == 0 else self._from_fake(decks)
            yield from pair[: self._num_samples - drawn]

    def _from_real(self, decks: dict[str, Iterator[int]]) -> tuple[int, int]:
        real = next(decks[_REAL])
        partners = [rows for name in self._methods if (rows := self._there.get((name, self._moments[real])))]
        return real, self._one_of(self._one_of(partners)) if partners else next(decks[self._one_of(self._methods)])

    def _from_fake(self, decks: dict[str, Iterator[int]]) -> tuple[int, int]:
        fake = next(decks[self._one_of(self._methods)])
        partners = self._there.get((_REAL, self._moments[fake]))
        return self._one_of(partners) if partners else next(decks[_REAL]), fake

    def _one_of(self, things: Sequence[Thing]) -> Thing:
        return things[int(torch.randint(len(things), (1,), generator=self._generator))]

    def _shuffled(self, rows: NDArray[np.int64]) -> Iterator[int]:
        """All rows in a random order, then all again in another one, without end."""
        while True:
            yield from rows[torch.randperm(len(rows), generator=self._generator).numpy()].tolist()


def uniform_sampler(faces: pd.DataFrame, num_samples: int, generator: torch.Generator | None = None) -> Sampler[int]:
    """Draw crops as the table has them: each before any comes a second time, the classes as unequal as they are."""
    return RandomSampler(range(len(faces)), num_samples=num_samples, generator=generator)


@dataclass(frozen=True)
class Order:
    """Which crops are drawn in a pass, one after the other.

    Attributes:
        rows: (N,) of `faces`; of a fake that is to be made by blending a real crop with itself, that crop.
        blended: (N,) bool, which of them are such fakes.
        partners: (N,) bool, which real crops are changed as the target of such a fake is, so that no such change is a
            sign of forgery.
    """

    rows: NDArray[np.int64]
    blended: NDArray[np.bool_]
    partners: NDArray[np.bool_]


def draw_order(
    sampling: str,
    faces: pd.DataFrame,
    num_samples: int,
    generator: torch.Generator | None = None,
    self_blended: float = 0.0,
    blendable: NDArray[np.bool_] | None = None,
) -> Order:
    """Draw a pass, in which a share of the fakes is to be made from real crops.

    Args:
        sampling: of `SAMPLERS`.
        faces: rows of `faces.csv`.
        num_samples: crops of a pass.
        generator: makes the draw repeatable; without self-blended fakes it is drawn from as by the sampler alone.
        self_blended: the share; at 1 the fakes of the table are not asked for, and need not be there.
        blendable: (len(faces),) which crops have a face whose outline is known; None is all.

    Raises:
        InputError: as the sampler, or no real crop can be blended.
    """
    real = (faces["label"] == 0).to_numpy()
    able = np.flatnonzero(real if blendable is None else real & blendable)
    if self_blended and not len(able):
        raise InputError("no real training crop has landmarks, which self-blended fakes need; run `torchfakes extract`")
    if self_blended == 1:
        return _from_reals(sampling, able, num_samples, generator)
    rows = np.array(list(SAMPLERS[sampling](faces, num_samples, generator)), np.int64)
    if not self_blended:
        return Order(rows, np.zeros(len(rows), bool), np.zeros(len(rows), bool))
    return _with_blends(sampling, faces, rows, (self_blended, able), generator)


def _from_reals(sampling: str, able: NDArray[np.int64], num_samples: int, generator: torch.Generator | None) -> Order:
    """A real crop, then a fake made from it (or, where crops are not paired, from another real one), in turn."""
    count = -(-num_samples // 2) if sampling == "paired" else num_samples
    rounds = -(-count // len(able))
    deck = np.concatenate([able[torch.randperm(len(able), generator=generator).numpy()] for _ in range(rounds)])[:count]
    rows = np.repeat(deck, 2)[:num_samples] if sampling == "paired" else deck
    blended = np.arange(num_samples) % 2 == 1
    return Order(rows, blended, ~blended)


def _with_blends(
    sampling: str,
    faces: pd.DataFrame,
    rows: NDArray[np.int64],
    share: tuple[float, NDArray[np.int64]],
    generator: torch.Generator | None,
) -> Order:
    """Some of the fakes drawn become real crops to be blended: their own originals, wherever these are there."""
    wanted, able = share
    chosen = (torch.rand(len(rows), generator=generator) < wanted).numpy()
    fake = (faces["label"] == 1).to_numpy()[rows]
    if sampling == "paired":  # a real crop, then a fake
        before = np.roll(rows, 1)
        blended = chosen & fake & np.isin(before, able)
        return Order(np.where(blended, before, rows), blended, np.append(blended[1:], False))
    moment = moments(faces)
    originals = dict(zip(moment[able].tolist(), able.tolist(), strict=True))
    others = able[torch.randint(len(able), (len(rows),), generator=generator).numpy()]
    own = [originals.get(one, other) for one, other in zip(moment[rows].tolist(), others.tolist(), strict=True)]
    return Order(np.where(chosen & fake, own, rows), chosen & fake, chosen & ~fake)


SAMPLERS: dict[str, Callable[[pd.DataFrame, int, torch.Generator | None], Sampler[int]]] = {
    "paired": PairedSampler,
    "balanced": balanced_sampler,
    "uniform": uniform_sampler,
}
