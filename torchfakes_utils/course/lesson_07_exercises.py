"""The exercises of lesson 07: Grad-CAM's map, heat per area, a comparison paired by clip, and the pointing game."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.explanation.mask_agreement import pointing


def _class_map(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    weights = gradient.mean(dim=(1, 2))
    return torch.relu((weights[:, None, None] * activation).sum(dim=0))


def _of_weights(weights: Any, activation: torch.Tensor) -> torch.Tensor:
    return torch.relu((weights * activation).sum(dim=0))


CLASS_MAP = Exercise(
    "class_map", "Grad-CAM in three lines", minutes=8, difficulty=2, reference=_class_map,
    cases=lambda generator: [
        tuple(torch.from_numpy(generator.normal(size=size)) for _ in range(2))
        for size in ((6, 4, 5), (9, 3, 3), (4, 8, 8))
    ],
    wrong={
        "You take the largest gradient of each channel; its weight is the mean over all its places.":
            lambda a, g: _of_weights(g.amax(dim=(1, 2))[:, None, None], a),
        "There are negative places left: only what speaks for the answer is kept, so a ReLU is missing at the end.":
            lambda a, g: (g.mean(dim=(1, 2))[:, None, None] * a).sum(dim=0),
        "This is the map of the opposite answer, as if the gradients were those of the other target.":
            lambda a, g: _of_weights(-g.mean(dim=(1, 2))[:, None, None], a),
        "You add the gradients up, and the weight is their mean. Stretched, the map is the same; but a sum grows with "
        "the layer's size, so two layers cannot be compared.":
            lambda a, g: _of_weights(g.sum(dim=(1, 2))[:, None, None], a),
        "You multiply every place by its own gradient. Grad-CAM first makes one weight of a whole channel.":
            lambda a, g: _of_weights(g, a),
        "Your weights are one number per place: you averaged over the channels, and the mean over the places is asked.":
            lambda a, g: _of_weights(g.mean(dim=0), a),
        "You cut off negative gradients first. Then nothing can speak against the answer; the ReLU comes last.":
            lambda a, g: _of_weights(g.clamp(min=0).mean(dim=(1, 2))[:, None, None], a),
        "With negative weights set to zero, nothing can speak against the answer. The ReLU comes last, after the sum.":
            lambda a, g: _of_weights(g.mean(dim=(1, 2)).clamp(min=0)[:, None, None], a),
        "You average over the channels at the end, and their sum is asked.":
            lambda a, g: _of_weights(g.mean(dim=(1, 2))[:, None, None], a) / len(a),
        "Your ReLU comes before the sum, so that what speaks against the answer never counts. It comes last.":
            lambda a, g: torch.relu(g.mean(dim=(1, 2))[:, None, None] * a).sum(dim=0),
        "Activation and gradient have changed places: the mean of a channel's *gradient* weights its activation.":
            lambda a, g: _class_map(g, a),
    },
    afterwards="That is all of Grad-CAM.",
)  # fmt: skip


def attention_ratio(heat: np.ndarray, inside: np.ndarray) -> float:
    """Share of the heat over share of the area, (H, W) and (H, W) bool; NaN of a dark map."""
    if heat.sum() == 0:
        return float("nan")
    return float(heat[inside].sum() / heat.sum() / inside.mean())


def _heats_and_regions(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps with a region each, smaller than half; all have places that are 0, and the last is dark."""
    found = []
    for rows, columns in ((4, 6), (8, 5), (6, 6)):
        inside = np.zeros((rows, columns), bool)
        inside[1:3, 1 : 2 + int(generator.integers(1, 3))] = True
        heat = np.maximum(generator.random((rows, columns)) - 0.3, 0) ** 2
        heat[1, 1], heat[-1] = 0.1 + heat[1, 1], 0
        found.append((heat, inside))
    found[-1] = (np.zeros_like(found[-1][0]), found[-1][1])
    return found


ATTENTION_RATIO = Exercise(
    "attention_ratio", "Heat per area", minutes=5, difficulty=1, reference=attention_ratio, cases=_heats_and_regions,
    wrong={
        "That is the share of the heat. Divide it by the region's share of the crop, or large regions always win.":
            lambda heat, inside: heat[inside].sum() / heat.sum(),
        "You compare the region with the rest of the crop. Compare it with the whole crop: an even glow gives 1.":
            lambda heat, inside: heat[inside].mean() / heat[~inside].mean(),
        "Turned round: the share of the heat stands above, the share of the area below.":
            lambda heat, inside: inside.mean() / (heat[inside].sum() / heat.sum()),
        "That is the mean heat inside. It depends on how bright the whole map is; divide by the mean of the whole map.":
            lambda heat, inside: heat[inside].mean(),
        "A dark map has no shares: give NaN, for 0 would say that the network avoids this region.":
            lambda heat, inside: 0.0 if heat.sum() == 0 else attention_ratio(heat, inside),
        "A dark map has no shares: give NaN, for 1 would say that its heat is spread evenly.":
            lambda heat, inside: 1.0 if heat.sum() == 0 else attention_ratio(heat, inside),
        "A place that is 0 does not make a map dark; all of it has to be.":
            lambda heat, inside: attention_ratio(heat, inside) if heat.all() else float("nan"),
    },
    afterwards="1 is what an even glow gives.",
)  # fmt: skip


def paired(ours: np.ndarray, theirs: np.ndarray, clips: np.ndarray) -> dict[str, float]:
    """The mean of ours minus theirs for each clip, (N,) each; what is NaN in either is left out."""
    gaps = pd.Series(np.asarray(ours) - np.asarray(theirs)).groupby(np.asarray(clips)).mean()
    return {str(clip): float(gap) for clip, gap in gaps.dropna().items()}


def _two_networks(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Ratios of two networks on the same crops of a few clips; some maps are dark, in the last case a clip's."""
    found = []
    for clips in (3, 5, 4):
        names = np.repeat([f"clip_{number}" for number in range(clips)], generator.integers(3, 6, clips))
        ours, theirs = (generator.random(len(names)) * 3 for _ in range(2))
        ours[0] = theirs[-1] = np.nan
        found.append((ours, theirs, names))
    ours, theirs, names = found[-1]
    ours[names == names[0]] = np.nan
    return found


def _means(values: np.ndarray, clips: np.ndarray) -> pd.Series:
    return pd.Series(np.asarray(values)).groupby(np.asarray(clips)).mean()


def _as_dict(gaps: pd.Series) -> dict[str, float]:
    return {str(clip): float(gap) for clip, gap in gaps.items()}


def _like_a_dict(expected: Any, found: Any) -> str:
    """A column of pandas with the clips as its index is as good as a dict."""
    return comparison.difference(expected, found.to_dict() if isinstance(found, pd.Series) else found)


PAIRED = Exercise(
    "paired", "The same clips, two networks", minutes=8, difficulty=2, reference=paired, cases=_two_networks,
    difference=_like_a_dict,
    wrong={
        "Turned round: ours minus theirs is asked, so that more heat of ours is above zero.":
            lambda ours, theirs, clips: paired(theirs, ours, clips),
        "A crop that is dark for one network goes for both. Else the two means of a clip are of different crops.":
            lambda ours, theirs, clips: _as_dict((_means(ours, clips) - _means(theirs, clips)).dropna()),
        "That is a single number. Give one for each clip: whoever draws people anew needs to know whose clip it is.":
            lambda ours, theirs, clips: np.nanmean(ours - theirs),
        "That is the mean over the clips. Give each clip's own: whoever draws people anew needs to know whose it is.":
            lambda ours, theirs, clips: float(np.mean(list(paired(ours, theirs, clips).values()))),
        "You add up the crops of a clip. Take their mean, or a clip with many crops counts more than others.":
            lambda ours, theirs, clips: _as_dict(pd.Series(ours - theirs).groupby(clips).sum(min_count=1).dropna()),
        "You drop the sign. Then ours could never be below theirs, and no interval would hold zero.":
            lambda ours, theirs, clips: _as_dict(pd.Series(abs(ours - theirs)).groupby(clips).mean().dropna()),
        "That is a value for each crop. Crops of one clip are near copies: take the mean of each clip.":
            lambda ours, theirs, clips: ours - theirs,
        "A dark map is NaN, and one NaN spoils a clip's mean. Leave such crops out first.":
            lambda ours, theirs, clips: {
                str(clip): float((ours - theirs)[clips == clip].mean()) for clip in dict.fromkeys(clips)
            },
        "A clip in which every crop is dark has no difference: leave it out of the dict.":
            lambda ours, theirs, clips: _as_dict(_means(ours - theirs, clips)),
    },
    afterwards="What makes a clip odd for both networks has cancelled out.",
)  # fmt: skip


def _heats_and_masks(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """A dark map, then high and wide ones: the hottest place, the one that is 0 and most heat, inside or outside."""
    found = [(np.zeros((7, 7)), np.eye(7, dtype=bool))]
    for hottest, zero, most, size in product((True, False), (True, False), (True, False), ((9, 6), (6, 9))):
        mask = np.zeros(size, bool)
        row, column = generator.integers(1, np.subtract(size, 4))
        mask[row : row + 2, column : column + 3] = True
        heat = np.where(mask == most, generator.uniform(0.6, 0.9, size), generator.uniform(0.001, 0.01, size))
        for value, inside in ((1.0, hottest), (0.0, zero)):
            places = np.argwhere((mask == inside) & (heat < 1))
            heat[tuple(generator.choice(places))] = value
        found.append((heat, mask))
    return found


def _unless_dark(hint: str, rule: Callable[[np.ndarray, np.ndarray], Any]) -> dict[str, Callable[..., float]]:
    """The hint of a mistake that somebody makes who has thought of dark maps, and of one who has not."""
    return {
        hint: lambda heat, mask: float(rule(heat, mask)) if heat.any() else float("nan"),
        f"{hint} And a dark map points nowhere: give NaN.": lambda heat, mask: float(rule(heat, mask)),
    }


def _at_its_hottest(heat: np.ndarray, mask: np.ndarray) -> float:
    return float(mask[np.unravel_index(heat.argmax(), heat.shape)])


POINTING = Exercise(
    "pointing_game", "The pointing game", minutes=5, difficulty=1, reference=pointing, cases=_heats_and_masks,
    wrong={
        "A dark map points nowhere, and argmax of zeros is the upper left corner. Give NaN.": _at_its_hottest,
        "Turned round: 1 is for inside.": lambda heat, mask: 1 - pointing(heat, mask),
        "That is the share of the heat inside, which is another measure. Here only the hottest place counts.":
            lambda heat, mask: heat[mask].sum() / heat.sum(),
        "Right for maps that point. A dark one is left out with NaN; a string or None cannot be averaged.":
            lambda heat, mask: pointing(heat, mask) if heat.max() > 0 else None,
        "A place that is 0 does not make a map dark; all of it has to be.":
            lambda heat, mask: pointing(heat, mask) if heat.all() else float("nan"),
        **_unless_dark("Rows and columns are changed over: a place of a map is [y, x].",
                       lambda heat, mask: mask[np.unravel_index(heat.argmax(), heat.shape)[::-1]]),
        **_unless_dark("argmax counts along the rows, so divide by the width, heat.shape[1]. np.unravel_index does it "
                       "for you.", lambda heat, mask: mask[divmod(int(heat.argmax()), heat.shape[0])]),
        **_unless_dark("That is the coldest place: argmax, not argmin.",
                       lambda heat, mask: mask[np.unravel_index(heat.argmin(), heat.shape)]),
        **_unless_dark("You ask whether there is more heat inside than outside. Only the hottest place counts.",
                       lambda heat, mask: heat[mask].sum() > heat[~mask].sum()),
    },
    afterwards="A dark map is no miss: it did not point at all.",
)  # fmt: skip
