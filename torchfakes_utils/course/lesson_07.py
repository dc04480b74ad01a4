"""What lesson 07 needs beside the package: pairs to look at, and ratios and falls crop by crop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_07_exercises import (
    ATTENTION_RATIO,
    CLASS_MAP,
    PAIRED,
    POINTING,
    attention_ratio,
    paired,
)
from torchfakes_utils.explanation.regions import REGIONS, clip_names, face_regions, landmarks_of
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.intervals import mean_by_clip, people_drawn
from torchfakes_utils.models.detector import Detector

# What the notebook checks stands in a module of its own.
__all__ = ["ATTENTION_RATIO", "CLASS_MAP", "PAIRED", "POINTING"]

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
    ratio, rows = ratio or attention_ratio, []
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
    compare, rows, names = compare or paired, {}, clip_names(faces)
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
