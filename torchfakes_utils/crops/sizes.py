"""How large the crops of a table are that `extract` has not cut, and the few that are far too small."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from torchfakes_utils.errors import InputError

logger = logging.getLogger(__name__)

# Crops of less than this share of the usual edge are odd ones out (a thumbnail, a placeholder of one pixel),
_ODD = 0.5
# unless this share of the table or more is so small: then such crops are of its kind.
_FEW = 0.05
# A share of the table from which on what no network can take is most of it.
_MOST = 0.5


def without_small(faces: pd.DataFrame, faces_csv: Path | str, least: int) -> pd.DataFrame:
    """The rows of a table from `load_faces` that are worth looking at; what is left out is said in a line.

    Left out are crops of less than `least` pixels, and of less than half the usual (median) size where these are few.
    Crops whose size cannot be told stay: they are named where they are read.

    Args:
        faces: its rows.
        faces_csv: what it is called.
        least: the shorter edge that makes a crop worth looking at, pixels.

    Raises:
        InputError: most crops are smaller than `least`.
    """
    edges = np.array([_shorter_edge(file) for file in faces["file"]])
    if np.isnan(edges).all():
        return faces
    usual = float(np.nanmedian(edges))
    if (tiny := edges < least).mean() > _MOST:
        raise InputError(
            f"{faces_csv}: {tiny.sum()} of {len(faces)} crops have less than {least} px, too few to be looked at, such "
            f"as {_named(faces, edges, tiny)}; cut larger ones"
        )
    odd = edges < _ODD * usual
    floor = _ODD * usual if odd.mean() < _FEW else 0
    small = edges < max(floor, least)
    if small.any():
        crops = "1 crop is" if small.sum() == 1 else f"{small.sum()} of {len(faces)} crops are"
        logger.warning(
            "%s: %s left out, for %g px are usual here and less than %g too few: %s%s",
            faces_csv, crops, usual, max(floor, least), _named(faces, edges, small),
            " is the first" if small.sum() > 1 else "",
        )  # fmt: skip
    return faces[~small].reset_index(drop=True)


def _shorter_edge(file: str) -> float:
    """Of a crop, pixels; NaN where it cannot be told."""
    try:
        with Image.open(file) as image:  # reads no more than the first bytes
            return float(min(image.size))
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return np.nan


def _named(faces: pd.DataFrame, edges: NDArray[np.float64], some: NDArray[np.bool_]) -> str:
    """The first of some crops, and how small it is."""
    first = int(np.argmax(some))
    return f"{faces['path'].iloc[first]} ({edges[first]:g} px)"
