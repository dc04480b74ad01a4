"""Whether heat lies where a fake was edited: the masks of FaceForensics++, and three measures of agreement.

A centre prior and random maps are measured beside: a face is in the middle of its crop, and so is its mask, so that a
map that knows nothing else agrees with it, too.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.datasets.faceforensics import find_mask, mask_path
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import fitted
from torchfakes_utils.explanation.regions import clip_names
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.io.clips import below
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import frames_at, probe
from torchfakes_utils.metrics.intervals import mean_by_clip, people_drawn

AGREEMENT_COLUMNS = ["method", "map", "measure", "value", "low", "high", "crops", "clips"]

# The share of a crop that is compared with the mask by overlap, its hottest fifth: one size of area for all maps.
HOT_SHARE = 0.2

# Where a mask video counts as edited, grey level.
_EDITED = 127


@dataclass(frozen=True)
class Masks:
    """Where fakes were edited, in the coordinates of their crops: (S, S) bool of each row.

    None for real crops, and where there is none that can be used; `problems` says why, {reason: clips}.
    """

    masks: list[np.ndarray | None]
    problems: dict[str, int]


def find_data(faces_csv: Path | str) -> Path | None:
    """The data set's folder, if the table of faces lies in it: the nearest one above with manipulated sequences."""
    for folder in Path(faces_csv).resolve().parents:
        if (folder / "manipulated_sequences").is_dir():
            return folder
    return None


def crop_masks(faces: pd.DataFrame, data: Path | str, size: int = 160) -> Masks:
    """The masks, at `size` px, of crops of the data set in the folder `data`; each mask video is read once."""
    masks: list[np.ndarray | None] = [None] * len(faces)
    problems: Counter[str] = Counter()
    places = pd.Series(range(len(faces)), index=faces.index)
    for _, clip in faces[faces["label"] == 1].groupby(CLIP_KEY, sort=True):
        try:
            found = _clip_masks(clip, Path(data), size)
        except InputError as error:
            problems[str(error)] += 1
            continue
        for place, mask in zip(places[clip.index], found, strict=True):
            masks[place] = mask
    return Masks(masks, dict(problems))


def crop_mask(row: Mapping[str, object], data: Path | str, size: int = 160) -> np.ndarray | None:
    """The mask of one crop, (size, size) bool; None for real crops, and where there is none that can be used."""
    return crop_masks(pd.DataFrame([dict(row)]), data, size).masks[0]


def _clip_masks(clip: pd.DataFrame, data: Path, size: int) -> list[np.ndarray]:
    """The masks of the crops of one fake, or an `InputError`: there is none, or it is not of this film."""
    first = clip.iloc[0]
    if mask_path(first) is None:
        raise InputError("no mask was published for this method")
    path = find_mask(data, first)
    if path is None:
        raise InputError("the mask video is not there; download it (-t masks)")
    wanted = sorted({int(frame) for frame in clip["frame"]})
    try:
        frames = dict(frames_at(path, wanted))
    except InputError:
        frames = {}
    if len(frames) < len(wanted):
        raise InputError("the mask video cannot be read, or is shorter than the film")
    parts = ("manipulated_sequences", first["method"], first["compression"], "videos", f"{first['clip_id']}.mp4")
    film = below(data, *parts)
    if film.is_file():
        info = probe(film)
        if (info.height, info.width) != frames[wanted[0]].shape[:2]:
            raise InputError("the mask video is of another size than the film")
    # The mask video has the film's frame: the crop's own square, cut again with nothing added, fits it.
    boxes = zip(clip["frame"].astype(int), clip[["x1", "y1", "x2", "y2"]].to_numpy(np.float64), strict=True)
    return [square_crop(frames[frame], box, 1.0, size)[0][..., 0] > _EDITED for frame, box in boxes]


def pointing(heat: np.ndarray, mask: np.ndarray) -> float:
    """Whether the hottest place lies inside: 1, 0, or a share where several places are equally hot; NaN of a dark map.

    Source: Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016 (the pointing game).
    """
    return float(mask[heat == heat.max()].mean()) if heat.max() > 0 else np.nan


def energy_inside(heat: np.ndarray, mask: np.ndarray) -> float:
    """The share of the heat that lies inside, 0 to 1; NaN of a dark map.

    Source: Wang et al., Score-CAM, CVPR Workshops 2020 (the energy-based pointing game).
    """
    return float(heat[mask].sum() / heat.sum()) if heat.max() > 0 else np.nan


def hot_overlap(heat: np.ndarray, mask: np.ndarray, share: float = HOT_SHARE) -> float:
    """Intersection over union of the mask and the hottest `share` of the crop; NaN of a dark map."""
    if heat.max() <= 0:
        return np.nan
    hottest = np.argsort(-heat, axis=None, kind="stable")[: max(1, round(share * heat.size))]
    hot = np.zeros(heat.shape, bool)
    hot.flat[hottest] = True
    return float((hot & mask).sum() / (hot | mask).sum())


MEASURES = {"pointing game": pointing, "energy inside": energy_inside, "overlap (IoU)": hot_overlap}


def centre_prior(size: int) -> np.ndarray:
    """A map that knows nothing but that faces are in the middle: a Gaussian of a quarter of the edge, (size, size)."""
    at = (np.arange(size) + 0.5) / size - 0.5
    return np.exp(-(at[:, None] ** 2 + at**2) / (2 * 0.25**2)).astype(np.float32)


def random_map(size: int, generator: np.random.Generator, places: int = 8) -> np.ndarray:
    """A map of as many places as the usual layer has, hot at random, enlarged as heat maps are: (size, size)."""
    small = generator.random((places, places)).astype(np.float32)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def agreement(maps: Sequence[np.ndarray], masks: Sequence[np.ndarray | None]) -> pd.DataFrame:
    """Each of `MEASURES` for each crop, of maps that are brought to their masks' size.

    Returns:
        A row a crop: `masked`, whether it has a mask that is not empty, and the measures; NaN without a mask and for
        dark maps.
    """
    rows = []
    for heat, mask in zip(maps, masks, strict=True):
        if mask is None or not mask.any():
            rows.append({"masked": False, **dict.fromkeys(MEASURES, np.nan)})
            continue
        heat = fitted(np.asarray(heat, np.float32), mask.shape)
        rows.append({"masked": True} | {name: measure(heat, mask) for name, measure in MEASURES.items()})
    return pd.DataFrame(rows, columns=["masked", *MEASURES])


def baselines(masks: Sequence[np.ndarray | None], seed: int = 0) -> dict[str, pd.DataFrame]:
    """`agreement` of maps that know nothing: the centre prior, and random ones."""
    generator = np.random.default_rng(seed)
    sizes = [1 if mask is None else len(mask) for mask in masks]
    return {
        "centre prior": agreement([centre_prior(size) for size in sizes], masks),
        "random map": agreement([random_map(size, generator) for size in sizes], masks),
    }


def agreement_table(measured: Mapping[str, pd.DataFrame], faces: pd.DataFrame) -> pd.DataFrame:
    """How well maps agree with the masks, method by method.

    Args:
        measured: by the maps' name, such as "trained" and "centre prior": `agreement` of each crop.
        faces: the crops' rows of faces.csv.

    Returns:
        `AGREEMENT_COLUMNS`: for each method that has masks, and for "all", each map and each of `MEASURES`: the mean
        over clips, and its 95 % interval by person; NaN where all maps are dark. `crops` and `clips` are those that
        were measured.
    """
    names, people, methods = clip_names(faces), people_drawn(faces), faces["method"].to_numpy()
    table = []
    for name, rows in measured.items():
        there = rows["masked"].to_numpy(bool)
        for method in [*sorted(set(methods[there])), "all"] if there.any() else []:
            chosen = there if method == "all" else there & (methods == method)
            for measure in MEASURES:
                values = rows.loc[chosen, measure].to_numpy(np.float64)
                lit = chosen & rows[measure].notna().to_numpy()
                counts = int(lit.sum()), len(set(names[lit]))
                table.append((method, name, measure, *mean_by_clip(values, names[chosen], people[chosen]), *counts))
    return pd.DataFrame(table, columns=AGREEMENT_COLUMNS)
