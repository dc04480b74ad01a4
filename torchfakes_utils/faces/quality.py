"""What a crop looks like: how sharp, bright and rich in contrast it is, how large its face; and which are too blurred.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR
2000): the Laplacian answers to edges, blur removes edges, so a blurred image answers nearly alike everywhere. The
number depends on the size of the image (enlarging spreads an edge over more pixels), so every crop is brought to
one size before it is measured; a threshold means nothing without that size.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.faces.config import SHARPNESS_THRESHOLD

# What is measured of a crop; `models.decision` compares it with the crops of training.
QUALITIES = ("outside", "face", "brightness", "contrast", "sharpness")

# Pixels: the size at which the detector looks at a face. What is not sharp at that size is lost to it.
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
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    if grey.shape != (size, size):
        # AREA averages when shrinking; sampling single pixels would pass noise for sharpness.
        shrinking = max(grey.shape) > size
        grey = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    # The Laplacian is negative on one side of an edge: uint8 would cut half of it off.
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def rejection_table(faces: pd.DataFrame, threshold: float = SHARPNESS_THRESHOLD) -> pd.DataFrame:
    """Count what a threshold would reject, for each label, method and split.

    A filter that takes more from one class than from another changes the balance of the data set, and may take away
    the very fakes that are blurred because they are fakes: look at this table before filtering.

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
    """Drop blurred crops from some splits; by default from the training split only.

    A blurred test crop is a hard question, not a wrong one: to drop it is to mark one's own exam more kindly. So the
    test split stays whole unless it is asked for by name.

    Args:
        faces: a table with `split` and `sharpness`.
        threshold: crops with a smaller sharpness are dropped.
        splits: the splits that are filtered.

    Returns:
        The rows that stay, in their order, with their index.
    """
    if isinstance(splits, str):  # "train" would be taken for the splits t, r, a, i, n, and nothing be dropped
        raise TypeError(f"splits is a list of names; write ({splits!r},)")
    return faces[~((faces["sharpness"] < threshold) & faces["split"].isin(list(splits)))]


def crop_qualities(
    crops: np.ndarray, outside: np.ndarray, face: np.ndarray, sharpness: np.ndarray | None = None
) -> pd.DataFrame:
    """What crops look like.

    Args:
        crops: (N, 3, H, W) uint8 RGB.
        outside: (N,) share of each crop that lies outside of its frame, per cent; NaN where it is not known.
        face: (N,) longer edge of each face, in pixels of its frame; NaN where it is not known.
        sharpness: (N,) from the table; None measures it on the crops, which have to be as they were cut.

    Returns:
        A row a crop, columns `QUALITIES`.
    """
    if sharpness is None:
        sharpness = np.array([variance_of_laplacian(crop) for crop in crops.transpose(0, 2, 3, 1)])
    return pd.DataFrame(dict(zip(QUALITIES, (outside, face, *brightness_and_contrast(crops), sharpness), strict=True)))


def brightness_and_contrast(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (N,) each, of the luma of crops (N, 3, H, W) uint8 RGB, in steps of 0…255."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)  # luma by ITU-R BT.601
    # Every fourth pixel tells as much, in a quarter of the time.
    luma = np.einsum("c,nchw->nhw", weights, crops[..., ::2, ::2].astype(np.float32))
    return luma.mean((1, 2)).astype(np.float64), luma.std((1, 2)).astype(np.float64)


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
