"""How much of the heat falls on which part of the face, against what chance gives.

The regions come from MTCNN's five landmarks alone. They are bands and boxes in the face's own coordinates, not anatomy:
good enough to ask whether heat lies on the mouth, not good enough to tell lips from teeth.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import NAMES
from torchfakes_utils.faces.outline import landmarks_of as landmarks_of
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.config import MEAN_REPLICATES
from torchfakes_utils.metrics.intervals import ClipMeans, people_drawn

REGIONS = ("forehead", "eyes", "nose", "cheeks", "mouth", "chin", "outside")
REGION_COLUMNS = ["kind", "region", "crops", "clips", "area", "ratio", "low", "high", "verdict"]


def face_regions(landmarks: np.ndarray, size: int = 160) -> np.ndarray:
    """Which region of the face each pixel of a crop belongs to.

    Coordinates are the face's own, so that the regions turn and stretch with it: `across` is 0 on the midline and 0.5
    at an eye, `along` is 0 at the eyes and 1 at the mouth.

    Args:
        landmarks: (5, 2), x and y in pixels of the crop.
        size: edge of the crop.

    Returns:
        (size, size) int64: an index into `REGIONS`; every pixel has exactly one.

    Raises:
        InputError: the points lie on one line, so that there is no face to lay regions on.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    # Its columns are the face's two axes in pixels; the inverse takes pixels to the face's coordinates.
    axes = np.stack([landmarks[1] - landmarks[0], mouth - eyes], axis=1)
    if abs(np.linalg.det(axes)) < 1e-6:
        raise InputError("the five landmarks lie on one line; run `torchfakes extract` again")
    to_face = np.linalg.inv(axes)
    y, x = np.mgrid[:size, :size]
    across, along = np.moveaxis((np.stack([x, y], axis=-1) - eyes) @ to_face.T, -1, 0)
    across = np.abs(across)
    face = (across / 0.95) ** 2 + ((along - 0.6) / 1.3) ** 2 <= 1  # brow to chin, ear to ear
    places = {  # the first that holds is taken
        "outside": ~face,
        "forehead": along < -0.35,
        "eyes": along < 0.3,
        "nose": (along < 0.78) & (across < 0.3),
        "chin": along >= 1.3,
        "mouth": (along >= 0.78) & (across < 0.65),
    }
    return np.select(list(places.values()), [REGIONS.index(name) for name in places], REGIONS.index("cheeks"))


def shares(heat: np.ndarray, parts: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of a map's heat (S, S), not negative, and of its area falls on each of `count` parts.

    `parts` (S, S) is the part of each pixel, 0 to count - 1.

    Returns:
        Two arrays (count,) that each sum to 1; the heat's is NaN where the map is all zeros.
    """
    area = np.bincount(parts.ravel(), minlength=count) / parts.size
    total = float(heat.sum())
    warm = np.bincount(parts.ravel(), heat.ravel(), minlength=count)
    return warm / total if total > 0 else np.full(count, np.nan), area


def attention_ratio(
    heat: np.ndarray,
    area: np.ndarray,
    clips: Sequence[object] | np.ndarray,
    people: np.ndarray | None = None,
    replicates: int = MEAN_REPLICATES,
    seed: int = 0,
) -> np.ndarray:
    """Share of heat over share of area, with a 95 % interval from drawing people, or clips, again and again.

    Args:
        heat: (N, K) shares of heat of N crops on K parts; rows of NaN (maps of zeros) are left out.
        area: (N, K) shares of area.
        clips: (N,) which clip each crop is of.
        people: (N,) which people each clip shows (`metrics.intervals.people_drawn`); None draws clips.
        replicates, seed: of the bootstrap.

    Returns:
        (K, 3): the ratio (1 = no more and no less than its area), and the interval's low and high end. NaN where no
        map is left; an interval of NaN for a single unit.
    """
    kept = ~np.isnan(heat).any(axis=1)
    if not kept.any():
        return np.full((heat.shape[1], 3), np.nan)
    drawn = ClipMeans(np.asarray(clips, object)[kept], None if people is None else people[kept], replicates, seed)
    warm, wide = (drawn.of(values[kept]) for values in (heat, area))  # of the same data sets
    with np.errstate(invalid="ignore", divide="ignore"):  # a part that no crop has: 0 / 0
        ratios = warm / wide
    return np.column_stack([ratios[0], [drawn.interval(column) for column in ratios.T]])


def region_shares(maps: Sequence[np.ndarray], faces: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Shares of heat and of area on `REGIONS`, (N, 7) each."""
    pairs = [
        shares(heat, face_regions(landmarks_of(text), len(heat)), len(REGIONS))
        for heat, text in zip(maps, faces["landmarks"], strict=True)
    ]
    heat, area = map(np.array, zip(*pairs, strict=True))
    return heat, area


def region_table(heat: np.ndarray, area: np.ndarray, faces: pd.DataFrame) -> pd.DataFrame:
    """Attention by region, real and fake apart.

    Args:
        heat, area: (N, 7) shares from `region_shares`; NaN for dark maps.
        faces: the crops' rows of faces.csv.

    Returns:
        `REGION_COLUMNS`: a row for each kind ("real", "fake") and region. `crops` have a map that is not dark; `area`
        is the region's mean share of the crop; `ratio` is share of heat over share of area, `low` to `high` its 95 %
        interval by person; `verdict` says what that allows one to say.
    """
    rows, names = [], clip_names(faces)
    for label, kind in enumerate(NAMES):
        own = (faces["label"] == label).to_numpy()
        if not own.any():
            continue
        lit = own & ~np.isnan(heat).any(axis=1)
        counts = int(lit.sum()), len(set(names[lit]))
        ratios = attention_ratio(heat[own], area[own], names[own], people_drawn(faces[own]))
        for index, (ratio, low, high) in enumerate(ratios):
            share = float(area[own, index].mean())
            says = "no heat" if np.isnan(ratio) else verdict(low, high)
            rows.append((kind, REGIONS[index], *counts, share, ratio, low, high, says))
    return pd.DataFrame(rows, columns=REGION_COLUMNS)


def verdict(low: float, high: float) -> str:
    """What an interval round a ratio to chance, NaN where there is none, allows one to say."""
    return "more than chance" if low > 1 else "less than chance" if high < 1 else "cannot tell"


def clip_names(faces: pd.DataFrame) -> np.ndarray:
    """Which clip each row is of, as one text: the file name alone is shared by four fakes."""
    names: np.ndarray = faces[CLIP_KEY].agg("/".join, axis=1).to_numpy()
    return names
