"""What lesson 07 needs beside the package: pairs to look at, ratios and falls crop by crop, and its exercises."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from torchfakes_utils.course import comparison, plots
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.explanation.mask_agreement import pointing
from torchfakes_utils.explanation.regions import REGIONS, clip_names, face_regions, landmarks_of
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.intervals import mean_by_clip, people_drawn
from torchfakes_utils.models.detector import Detector

Ratio = Callable[[np.ndarray, np.ndarray], Any]
Compare = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


def varied_pairs(faces: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """Some people, each real and forged in the same frame, with the methods in turn.

    Args:
        faces: rows of faces.csv with the column `file`.
        count: of people; as many as there are, if fewer.

    Returns:
        Rows of `faces`: the real crops first, then, in the same order, a fake of each.
    """
    pairs = plots.face_pairs(faces)
    people, methods = (np.sort(pairs[name].unique()) for name in ("target_id", "method_fake"))
    chosen = []
    for number, person in enumerate(people[spread(count, len(people))]):
        own = pairs[pairs["target_id"] == person]
        # From this person's methods the one whose turn it is, where there is one.
        turn = own[own["method_fake"] == methods[number % len(methods)]]
        own = turn if len(turn) else own
        chosen.append(own.iloc[len(own) // 2])
    files = [pair[f"file_{name}"] for name in plots.NAMES for pair in chosen]
    return faces.set_index("file", drop=False).loc[files].reset_index(drop=True)


def lit_pairs(shown: pd.DataFrame, maps: Sequence[np.ndarray], count: int = 4) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The first pairs of which neither map is dark, a method once: rows as from `varied_pairs`, and their maps.

    Where too few are lit, dark ones and methods that were there already fill up.
    """
    pairs = len(shown) // 2
    lit = [k for k in range(pairs) if maps[k].max() > 0 and maps[pairs + k].max() > 0]
    methods = shown["method"].tolist()[pairs:]
    first = [k for at, k in enumerate(lit) if methods[k] not in [methods[other] for other in lit[:at]]]
    order = [*first, *(k for k in lit if k not in first), *(k for k in range(pairs) if k not in lit)][:count]
    places = [*order, *(pairs + k for k in order)]
    return shown.iloc[places].reset_index(drop=True), [maps[place] for place in places]


def glow(photo: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map over a photo: what is cold stays the photo as it is, what is hot glows from red to yellow.

    Args:
        photo: (H, W, 3) uint8, RGB.
        heat: (h, w) in [0, 1]; brought to the photo's size.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    heat = np.clip(cv2.resize(np.asarray(heat, np.float32), photo.shape[1::-1]), 0, 1)
    levels = np.rint(255 * (0.35 + 0.6 * heat)).astype(np.uint8)  # inferno's dark end would blacken the face
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
    share = 0.8 * np.clip(1.4 * heat - 0.1, 0, 1)[..., None]
    laid: np.ndarray = np.rint((1 - share) * photo + share * colours).astype(np.uint8)
    return laid


def crop_ratios(maps: Sequence[np.ndarray], faces: pd.DataFrame, ratio: Ratio | None = None) -> pd.DataFrame:
    """Share of heat over share of area, a row a crop and a column a region of `REGIONS`.

    Args:
        maps: one (S, S) a crop.
        faces: the crops' rows of faces.csv.
        ratio: makes it of a map and of where the region is, (S, S) bool; the lesson's own by default.

    Returns:
        NaN for dark maps, and where a crop lacks the region.
    """
    ratio, rows = ratio or _attention_ratio, []
    for heat, text in zip(maps, faces["landmarks"], strict=True):
        parts = face_regions(landmarks_of(text), len(heat))
        inside = [parts == index for index in range(len(REGIONS))]
        rows.append([float(ratio(heat, part)) if part.any() else np.nan for part in inside])
    return pd.DataFrame(rows, columns=list(REGIONS), index=faces.index)


def hottest_regions(maps: Sequence[np.ndarray], faces: pd.DataFrame) -> list[str]:
    """The region in which each map is hottest, "dark" for a dark one."""
    found = []
    for heat, text in zip(maps, faces["landmarks"], strict=True):
        parts = face_regions(landmarks_of(text), len(heat))
        found.append(REGIONS[parts.flat[heat.argmax()]] if heat.max() > 0 else "dark")
    return found


def judged(
    ours: pd.DataFrame, theirs: pd.DataFrame, faces: pd.DataFrame, compare: Compare | None = None
) -> pd.DataFrame:
    """Which regions are hotter than an even glow, and hotter than in a control, real and fake apart.

    Args:
        ours, theirs: ratios of the network and of its control, from `crop_ratios`.
        faces: the crops' rows of faces.csv.
        compare: makes the difference of each clip of two columns and the clips' names; the lesson's own by default.

    Returns:
        A row for each kind ("real", "fake") and region: `ratio`, `low`, `high`, `control` (the control's ratio),
        `more`, `more_low`, `more_high` (the difference, paired by clip) and `verdict`.
    """
    compare, rows, names = compare or _paired, {}, clip_names(faces)
    for label, kind in enumerate(plots.NAMES):
        own = (faces["label"] == label).to_numpy()
        for region in REGIONS:
            one, two = ours.loc[own, region].to_numpy(), theirs.loc[own, region].to_numpy()
            ratio, more = mean_of(one, faces[own]), mean_of_clips(dict(compare(one, two, names[own])), faces[own])
            verdict = "holds" if more[1] > 0 else "hot, but not beyond the control"
            rows[kind, region] = [
                *ratio, mean_of(two, faces[own])[0], *more, verdict if ratio[1] > 1 else "not above an even glow",
            ]  # fmt: skip
    columns = ["ratio", "low", "high", "control", "more", "more_low", "more_high", "verdict"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.set_index(pd.MultiIndex.from_tuples(rows, names=["kind", "region"]))


def mean_of(values: np.ndarray | pd.Series, faces: pd.DataFrame) -> tuple[float, float, float]:
    """Mean over clips, and its 95 % interval from drawing people; see `metrics.intervals.mean_by_clip`.

    Args:
        values: (N,), one a crop; NaN is left out.
        faces: the crops' rows of faces.csv.
    """
    return mean_by_clip(np.asarray(values, np.float64), clip_names(faces), people_drawn(faces))


def mean_of_clips(by_clip: Mapping[str, float], faces: pd.DataFrame) -> tuple[float, float, float]:
    """As `mean_of`, of one value a clip.

    Args:
        by_clip: the name of a clip, as in `regions.clip_names`, and its value.
        faces: rows of faces.csv, of these clips and perhaps of others; they say who is in a clip.
    """
    people = dict(zip(clip_names(faces), people_drawn(faces), strict=True))
    values = np.array([float(value) for value in by_clip.values()])
    return mean_by_clip(values, list(by_clip), np.array([people[clip] for clip in by_clip], object))


def falls(detector: Detector, images: torch.Tensor, targets: Sequence[str], maps: Sequence[np.ndarray]) -> np.ndarray:
    """How far each answer falls when the hottest fifth of its crop is filled in from its surroundings, (N,).

    ROAD's idea with OpenCV's inpainting (Telea, 2004), which is quick; `sanity_checks.road` fills in as the paper does.

    Args:
        detector: any.
        images: (N, 3, S, S) float32, normalised.
        targets: "real" or "fake", one a crop: the logit for it is looked at.
        maps: one (S, S) a crop; NaN comes of a dark one.
    """
    signs = np.array([2 * plots.NAMES.index(name) - 1 for name in targets])
    lit = np.array([heat.max() > 0 for heat in maps])
    with torch.no_grad():
        before, after = (detector(batch).cpu().numpy() for batch in (images, _without_the_hottest(images, maps)))
    return np.where(lit, signs * (before - after), np.nan)


def _without_the_hottest(images: torch.Tensor, maps: Sequence[np.ndarray], share: float = 0.2) -> torch.Tensor:
    """The images, (N, 3, S, S), with the hottest share of each filled in from its surroundings."""
    low, high = float(images.min()), float(images.max())
    filled = []
    for image, heat in zip(images, maps, strict=True):
        hole = np.zeros(heat.shape, np.uint8)
        hole.flat[np.argsort(-heat, axis=None, kind="stable")[: round(share * heat.size)]] = 1
        # OpenCV fills in bytes; what is outside the hole stays exactly as it was.
        pixels = np.rint(255 * (image.permute(1, 2, 0).numpy() - low) / (high - low)).astype(np.uint8)
        inside = cv2.inpaint(pixels, hole, 3, cv2.INPAINT_TELEA).astype(np.float32) / 255 * (high - low) + low
        filled.append(torch.where(torch.from_numpy(hole > 0), torch.from_numpy(inside).permute(2, 0, 1), image))
    return torch.stack(filled)


# --- exercises


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
    },
    afterwards="That is all of Grad-CAM.",
)  # fmt: skip


def _attention_ratio(heat: np.ndarray, inside: np.ndarray) -> float:
    if heat.sum() == 0:
        return float("nan")
    return float(heat[inside].sum() / heat.sum() / inside.mean())


def _heats_and_regions(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps with a region each, smaller than half; the last is dark."""
    found = []
    for rows, columns in ((4, 6), (8, 5), (6, 6)):
        inside = np.zeros((rows, columns), bool)
        inside[1:3, 1 : 2 + int(generator.integers(1, 3))] = True
        found.append((generator.random((rows, columns)) ** 2, inside))
    found[-1] = (np.zeros_like(found[-1][0]), found[-1][1])
    return found


ATTENTION_RATIO = Exercise(
    "attention_ratio", "Heat per area", minutes=5, difficulty=1, reference=_attention_ratio, cases=_heats_and_regions,
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
            lambda heat, inside: 0.0 if heat.sum() == 0 else _attention_ratio(heat, inside),
        "A dark map has no shares: give NaN, for 1 would say that its heat is spread evenly.":
            lambda heat, inside: 1.0 if heat.sum() == 0 else _attention_ratio(heat, inside),
    },
    afterwards="1 is what an even glow gives.",
)  # fmt: skip


def _paired(ours: np.ndarray, theirs: np.ndarray, clips: np.ndarray) -> dict[str, float]:
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
    "paired", "The same clips, two networks", minutes=8, difficulty=2, reference=_paired, cases=_two_networks,
    difference=_like_a_dict,
    wrong={
        "Turned round: ours minus theirs is asked, so that more heat of ours is above zero.":
            lambda ours, theirs, clips: _paired(theirs, ours, clips),
        "A crop that is dark for one network goes for both. Else the two means of a clip are of different crops.":
            lambda ours, theirs, clips: _as_dict((_means(ours, clips) - _means(theirs, clips)).dropna()),
        "That is a single number. Give one for each clip: whoever draws people anew needs to know whose clip it is.":
            lambda ours, theirs, clips: np.nanmean(ours - theirs),
        "That is the mean over the clips. Give each clip's own: whoever draws people anew needs to know whose it is.":
            lambda ours, theirs, clips: float(np.mean(list(_paired(ours, theirs, clips).values()))),
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
    """Maps whose hottest place lies inside, outside, and nowhere."""
    found = []
    for place in ("inside", "outside", "nowhere", "inside"):
        size = int(generator.integers(7, 10))
        mask = np.zeros((size, size), bool)
        mask[1:4, size - 3 : size - 1] = True  # not its own mirror image
        heat = generator.random((size, size)) * 0.9
        row, column = 2, size - 2
        heat[(row, column) if place == "inside" else (size - 1, 0)] = 1
        found.append((heat * (place != "nowhere"), mask))
    return found


def _at_its_hottest(heat: np.ndarray, mask: np.ndarray) -> float:
    return float(mask[np.unravel_index(heat.argmax(), heat.shape)])


POINTING = Exercise(
    "pointing_game", "The pointing game", minutes=5, difficulty=1, reference=pointing, cases=_heats_and_masks,
    wrong={
        "A dark map points nowhere, and argmax of zeros is the upper left corner. Give NaN.": _at_its_hottest,
        "Turned round: 1 is for inside.": lambda heat, mask: 1 - pointing(heat, mask),
        "That is the share of the heat inside, which is another measure. Here only the hottest place counts.":
            lambda heat, mask: heat[mask].sum() / heat.sum(),
        "Rows and columns are changed over: a place of a map is [y, x].": lambda heat, mask: pointing(heat, mask.T),
        "Right for maps that point. A dark one is left out with NaN; a string or None cannot be averaged.":
            lambda heat, mask: pointing(heat, mask) if heat.max() > 0 else None,
    },
    afterwards="A dark map is no miss: it did not point at all.",
)  # fmt: skip
