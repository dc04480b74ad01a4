"""What speaks against fixing a decision on a table: clips that were learned, numbers that lack, crops too small."""

from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import load_faces, stored_edge
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.decision import LIMITS
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.provenance import find_faces, trained_on

# Qualities that come from a table, not from its crops, and the columns that tell them.
_COLUMNS = {"face": "x1, y1, x2, y2", "sharpness": "sharpness"}


def check_not_learned(faces: pd.DataFrame, faces_csv: Path, run: Path) -> tuple[str, ...]:
    """See that a run was not trained on these clips.

    Its own table is known by its content. Of another one, whose rows may be those of the first after an edit, the crops
    are compared with the training crops, if the run's table still lies near.

    Args:
        faces: rows from `load_faces`.
        faces_csv: their table.
        run: the folder of a run or of a detector.

    Returns:
        A note, where that cannot be known; a detector that tells of no table gets none.

    Raises:
        InputError: it was.
    """
    wanted, clips = trained_on(run), faces.drop_duplicates(CLIP_KEY)
    if wanted is None:
        return ()
    own = faces_csv if sha256_of(faces_csv) == wanted else find_faces(run, *faces_csv.resolve().parents[:3])
    try:
        crops = None if own is None or own == faces_csv else load_faces(own, "train")["file"]
    except InputError:  # its crops are gone
        own = None
    if own is None:
        return (
            f"this detector was trained on another table (SHA-256 {wanted[:12]}), which was not found whole: if "
            "these clips were among its training clips, whatever their names, this threshold flatters",
        )
    known = clips["split"] == "train" if crops is None else _among(clips["file"], crops)
    if known.any():
        raise InputError(
            f"{faces_csv}: {run} was trained on {known.sum()} of these {len(clips)} clips, and is surer of them than "
            f"of any others; take --split val{'' if crops is None else f' of {own}'}, or a table that it has not "
            "learned from"
        )
    return ()


def _among(files: pd.Series, others: pd.Series) -> pd.Series:
    """Which files have the content of one of the others, whatever their names."""
    sizes = {Path(file).stat().st_size for file in files}
    known = {sha256_of(Path(file)) for file in others if Path(file).stat().st_size in sizes}
    return files.map(lambda file: sha256_of(Path(file)) in known)


def small_crops(faces: pd.DataFrame, detector: Detector) -> tuple[str, ...]:
    """A note where crops from `load_faces` are smaller than what a detector's network takes.

    Raises:
        InputError: none of them can be read.
    """
    edge, size = stored_edge(faces), detector.preprocessing.size
    if edge >= size:
        return ()
    return (
        f"there are crops of {edge} px, and the network takes {size} px: enlarged ones show it less, and this "
        f"threshold holds for such alone; extract them again at {size} px or more",
    )


def measured(qualities: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """What crops, a row each, look like, without what was not measured, and a note for each range that lacks.

    Zero and less, and one number in all rows, are what stands in a table where nobody has measured.
    """
    notes = []
    for name, columns in _COLUMNS.items():
        values = qualities[name]
        good = np.isfinite(values) & (values > 0)
        if name == "sharpness" and len(values) > 1 and values[good].nunique() == 1:
            good = pd.Series(False, good.index)
        qualities = qualities.assign(**{name: values.where(good)})
        if not good.any():
            what = " or ".join(filter(None, (LIMITS[name].below, LIMITS[name].above)))
            notes.append(
                f"no range of {name}: {columns} of the table are no measurements, so nothing is refused as {what}"
            )
        elif not good.all():
            notes.append(
                f"the range of {name} is that of {good.sum()} of {len(good)} crops; {columns} of the others lack"
            )
    return qualities, tuple(notes)
