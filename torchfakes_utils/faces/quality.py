"""What a crop looks like: how sharp, bright and rich in contrast it is, how large its face; and which are too blurred.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR
2000): the Laplacian answers to edges, blur removes edges, so a blurred image answers nearly alike everywhere. The
number depends on the size of the image (enlarging spreads an edge over more pixels), and so does contrast (shrinking
averages it away), so every crop is brought to one size before it is measured, from the size at which it was cut and not
from that of some network; a threshold means nothing without that size.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.faces.config import SHARPNESS_THRESHOLD
from torchfakes_utils.faces.films import moments

# What is measured of a crop; `models.decision` compares it with the crops of training.
QUALITIES = ("outside", "face", "brightness", "contrast", "sharpness")

# Pixels: the size at which crops are cut by default. (A network that looks at larger ones is not asked about more.)
_SIZE = 160


def variance_of_laplacian(image: np.ndarray, size: int = _SIZE) -> float:
    """Sharpness of an image: the variance of its Laplacian over all pixels.

    Args:
        image: (H, W, 3) RGB or (H, W) grey, uint8.
        size: the image is brought to `size` x `size` pixels first.

    Returns:
        A number from 0 (no edge at all) upwards, in squared grey levels.
    """
    if image.ndim not in (2, 3) or image.dtype != np.uint8:
        raise ValueError(f"an image (H, W, 3) or (H, W) of uint8 is needed, not {image.shape} of {image.dtype}")
    grey = _at_size(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image, size)
    # The Laplacian is negative on one side of an edge: uint8 would cut half of it off.
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def _at_size(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape[:2] == (size, size):
        return image
    # AREA averages when shrinking; sampling single pixels would pass noise for sharpness.
    shrinking = max(image.shape[:2]) > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def rejection_table(faces: pd.DataFrame, threshold: float = SHARPNESS_THRESHOLD) -> pd.DataFrame:
    """Count what a threshold would reject, for each label, method and split.

    A filter that takes more from one class than from another changes the balance of the data set, and may take away
    the very fakes that are blurred because they are fakes: look at this table before filtering. (It asks each crop by
    itself. `filter_blurred` asks the original.)

    Args:
        faces: a table with `label`, `method`, `split` and `sharpness`.
        threshold: crops with a smaller sharpness are rejected.

    Returns:
        Columns `label, method, split, crops, rejected, share` (of the crops that are rejected, 0 to 1).
    """
    rejected = faces.assign(rejected=faces["sharpness"] < threshold)
    groups = rejected.groupby(["label", "method", "split"])["rejected"]
    table = groups.agg(crops="size", rejected="sum", share="mean").reset_index()
    return table.astype({"crops": int, "rejected": int, "share": float})


def filter_blurred(
    faces: pd.DataFrame, threshold: float = SHARPNESS_THRESHOLD, splits: Sequence[str] = ("train",)
) -> pd.DataFrame:
    """Drop blurred crops from some splits, pair by pair; by default from the training split only.

    Whether a frame is blurred, its original decides: a fake goes and stays with the original's crop of the same frame.
    Forgers soften faces (on DFDC's crops a threshold of 30 would take 29 % of the reals and 42 % of the fakes), and a
    filter that asks each crop by itself throws away just the trace that is to be learned, and tears pairs apart. Where
    no original is known, a crop speaks for itself.

    A blurred test crop is a hard question, not a wrong one: to drop it is to mark one's own exam more kindly. So the
    test split stays whole unless it is asked for by name.

    Args:
        faces: rows of `faces.csv`, the originals among them whatever their split.
        threshold: crops whose frame has a smaller sharpness are dropped.
        splits: the splits that are filtered.

    Returns:
        The rows that stay, in their order, with their index.
    """
    if isinstance(splits, str):  # "train" would be taken for the splits t, r, a, i, n, and nothing be dropped
        raise TypeError(f"splits is a list of names; write ({splits!r},)")
    return faces[~((_of_the_frame(faces) < threshold) & faces["split"].isin(list(splits)))]


def _of_the_frame(faces: pd.DataFrame) -> pd.Series:
    """The sharpness of the original's crop of the same frame; where there is none, a crop's own."""
    moment = pd.Series(moments(faces), faces.index)
    original = (faces["label"] == 0) & (moment >= 0)
    known = faces.loc[original, "sharpness"].groupby(moment[original]).first()
    return moment.map(known).fillna(faces["sharpness"])


def crop_qualities(
    crops: Sequence[np.ndarray] | np.ndarray,
    outside: np.ndarray,
    face: np.ndarray,
    sharpness: np.ndarray | None = None,
) -> pd.DataFrame:
    """What crops look like.

    Args:
        crops: N of (3, H, W) uint8 RGB, as they were cut: what a network's size has left of them is no measure.
        outside: (N,) share of each crop that lies outside of its frame, per cent; NaN where it is not known.
        face: (N,) longer edge of each face, in pixels of its frame; NaN where it is not known.
        sharpness: (N,) from the table; None measures it on the crops.

    Returns:
        A row a crop, columns `QUALITIES`.
    """
    if sharpness is None:
        sharpness = np.array([variance_of_laplacian(np.ascontiguousarray(crop.transpose(1, 2, 0))) for crop in crops])
    light = brightness_and_contrast(crops)
    return pd.DataFrame(dict(zip(QUALITIES, (outside, face, *light, sharpness), strict=True)))


def brightness_and_contrast(crops: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (N,) each, of the luma of N crops (3, H, W) uint8 RGB, in steps of 0…255.

    As sharpness, at 160 x 160 pixels, whatever size they have.
    """
    weights = np.array([0.299, 0.587, 0.114], np.float32)  # luma by ITU-R BT.601
    seen = np.empty((len(crops), 2))
    for row, crop in zip(seen, crops, strict=True):
        # Plane by plane, which needs no copy. Every fourth pixel tells as much, in a quarter of the time.
        planes = [_at_size(np.ascontiguousarray(plane), _SIZE)[::2, ::2].astype(np.float32) for plane in crop]
        luma = np.tensordot(weights, planes, 1)
        row[:] = luma.mean(), luma.std()
    return seen[:, 0], seen[:, 1]


def percent_outside(squares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How much of squares (N, 4), x1 y1 x2 y2 in pixels, lies outside of a frame of this height and width; (N,)."""
    squares = np.asarray(squares, np.float64)
    sides = squares[:, 2:] - squares[:, :2]
    seen = np.minimum(squares[:, 2:], size[::-1]) - np.maximum(squares[:, :2], 0)
    return np.asarray(100 * (1 - np.clip(seen, 0, None).prod(axis=1) / np.maximum(sides.prod(axis=1), 1e-9)))


def outside_of(faces: pd.DataFrame) -> np.ndarray:
    """What faces.csv says of its crops' share outside of their frames, per cent; NaN where it does not."""
    if "outside" not in faces:
        return np.full(len(faces), np.nan)
    return np.asarray(pd.to_numeric(faces["outside"], errors="coerce"), np.float64)


def face_edges(faces: pd.DataFrame, crop_scale: float) -> np.ndarray:
    """Edge of the face in each crop of faces.csv, (N,), in pixels of its frame; NaN where the table does not say."""
    x1, y1, x2, y2 = (pd.to_numeric(faces[end], errors="coerce") for end in ("x1", "y1", "x2", "y2"))
    longer: np.ndarray = np.maximum(x2 - x1, y2 - y1).to_numpy(np.float64)
    return longer / crop_scale
