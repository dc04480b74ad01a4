"""The outline of a face from its five landmarks: a template of an adult's face, laid over them.

MTCNN gives eyes, nose and corners of the mouth, and no chin, cheeks or forehead. Where those lie follows from the
proportions that faces have in common. The template is laid by the affine map that fits the five points best in the
sense of least squares. Such a fit is linear in the points, so that each point of the outline is one fixed combination
of the five landmarks: a matrix product for any number of faces.
"""

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from torchfakes_utils.errors import InputError

Points = NDArray[np.float64]

# Units: the distance between the eyes' centres, from the middle between them; x to the right, y down.
_LANDMARKS = ((-0.5, 0.0), (0.5, 0.0), (0.0, 0.58), (-0.41, 1.13), (0.41, 1.13))

# Half of the outline, from the middle of the forehead down to the chin, the face's left side in the picture. An adult's
# face is some 2.1 times as wide as its eyes are apart, its chin 1.9 below them, the hairline 1.1 above. The numbers
# are ours, by eye; how far they lie from a mesh's hull is measured in docs/benchmarks/generalisation.md.
_FOREHEAD = ((0.0, -1.10), (-0.32, -1.06), (-0.61, -0.93), (-0.83, -0.70), (-0.97, -0.40))
_BROWS = ((0.0, -0.47), (-0.32, -0.46), (-0.61, -0.42), (-0.83, -0.34), (-0.97, -0.22))
_JAW = (
    (-1.04, -0.05), (-1.05, 0.30), (-1.01, 0.65), (-0.92, 0.98), (-0.79, 1.28), (-0.60, 1.55), (-0.36, 1.76),
    (-0.14, 1.87),
)  # fmt: skip
_CHIN = ((0.0, 1.89),)

# Corners of every outline.
CORNERS = 2 * (len(_FOREHEAD) + len(_JAW))


def landmarks_of(text: str) -> Points:
    """The column `landmarks` of faces.csv as (5, 2): left eye, right eye, nose, mouth corners; x, y in pixels.

    Raises:
        InputError: the text is not ten numbers.
    """
    try:
        points = np.array(text.split(), np.float64).reshape(5, 2)
    except ValueError:
        points = np.array([np.nan])
    if not np.isfinite(points).all():
        why = "ten numbers are needed, x and y of five points; run `torchfakes extract` again"
        raise InputError(f"landmarks {text[:100]!r}: {why}")
    return points


def outlines_of(faces: pd.DataFrame) -> Points:
    """The outlines of a table's faces, to the brows and up to the hairline, as shares of the crops' edges.

    Args:
        faces: rows of `faces.csv`, from `load_faces`.

    Returns:
        (N, 2, `CORNERS`, 2); NaN where a row has no landmarks, or its crop cannot be opened to see how large it is.
    """
    points = np.array([_points(text) for text in faces["landmarks"].astype(str)]).reshape(-1, 5, 2)
    shares = points / _edges(faces)[:, None]
    return np.stack([outlines(shares, forehead) for forehead in (False, True)], 1)


def _points(text: str) -> Points:
    try:
        return landmarks_of(text)
    except InputError:
        return np.full((5, 2), np.nan)


def _edges(faces: pd.DataFrame) -> Points:
    """Width and height of the crops as they are stored, (N, 2): as the table says, else from the files."""
    known = pd.to_numeric(faces.get("crop_size", pd.Series(np.nan, faces.index)), errors="coerce").to_numpy(float)
    found = np.stack([known, known], 1)
    for row in np.flatnonzero(~(known > 0)):
        try:
            with Image.open(faces["file"].iloc[row]) as image:  # reads no more than the first bytes
                found[row] = image.size
        except (OSError, SyntaxError, Image.DecompressionBombError):
            found[row] = np.nan
    return found


def outlines(landmarks: Points, forehead: bool = True) -> Points:
    """The convex outlines of faces.

    Args:
        landmarks: (..., 5, 2) left eye, right eye, nose, left and right corner of the mouth (as seen in the picture);
            x, y in any unit. NaN where a face has none, and five points in one place give an outline without area.
        forehead: up to the hairline; otherwise to just above the brows, where most swaps end.

    Returns:
        (..., `CORNERS`, 2) in the same unit, clockwise as seen in the picture from the top on.
    """
    found: Points = np.einsum("kl,...lx->...kx", _combinations(forehead), landmarks)
    return found


@cache
def _combinations(forehead: bool) -> Points:
    """How much of each landmark is in each point of the outline, (CORNERS, 5); the rows sum to 1."""
    left = [*(_FOREHEAD if forehead else _BROWS), *_JAW, *_CHIN]
    right = [(-x, y) for x, y in left[1:-1]]
    around = np.array([left[0], *right, left[-1], *left[-2:0:-1]])
    five, ones = np.array(_LANDMARKS), np.ones((5, 1))
    # The least-squares map from the template's five points to a face's: pinv(five, 1) of theirs.
    found: Points = np.hstack([around, np.ones((len(around), 1))]) @ np.linalg.pinv(np.hstack([five, ones]))
    return found
