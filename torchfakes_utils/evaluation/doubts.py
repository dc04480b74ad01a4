"""What speaks against fixing a decision on a table: clips that were learned, numbers that lack, crops too small."""

from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.scope import is_practice
from torchfakes_utils.crops.table import load_faces, stored_edge
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.models.decision import LIMITS
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.provenance import find_faces, trained_on
from torchfakes_utils.models.scope import Scope

# Of each class, at least: with fewer, one clip more or less moves balanced accuracy by over five per cent.
FEWEST_CLIPS = 10
# As a split: the whole table.
ALL = "all"

# Qualities that come from a table, not from its crops, and the columns that tell them.
_COLUMNS = {"face": "x1, y1, x2, y2", "sharpness": "sharpness"}


def check_practice(detector: Detector, faces_csv: Path, run: Path) -> None:
    """Refuse to make a practice detector speak of people, and one of people judge them by practice data.

    A detector that does not say what it was trained on, for one because its decision is damaged, is known by its table,
    if that still lies near.

    Args:
        detector: that is to be given a decision.
        faces_csv: by which table.
        run: its folder, or its run's.

    Raises:
        InputError: it would; or a practice detector lacks what keeps it to its own data.
    """
    scope, given = detector.decision.scope, is_practice(faces_csv)
    learned = find_faces(run, *faces_csv.resolve().parents[:3]) if scope == Scope() else None
    practice = scope.practice if learned is None else is_practice(learned)
    if practice and not given:
        raise InputError(
            f"{faces_csv}: this detector was trained on practice data and has never seen a real person; no threshold "
            "makes it judge one. Train a detector on data of real people, and calibrate that"
        )
    if given and not practice:
        raise InputError(
            f"{faces_csv}: these are practice data, which show no real person, and not what this detector was trained "
            "on; calibrate on faces like those it is to judge"
        )
    if practice and detector.likeness is None:
        raise InputError(
            f"{faces_csv}: this practice detector has lost, or never had, the measure of what belongs to its data "
            "(likeness.safetensors), and calibration does not make one; train it again in a new folder"
        )


def count_clips(faces: pd.DataFrame) -> tuple[int, int]:
    """How many real and how many fake clips some crops are of."""
    labels = by_clip(faces.assign(probability_fake=0.5))["label"]
    return int((labels == 0).sum()), int((labels == 1).sum())


def check_clips(faces: pd.DataFrame, faces_csv: Path, split: str) -> None:
    """See that there are clips of both classes, and `FEWEST_CLIPS` of each.

    Raises:
        InputError: there are not.
    """
    real, fake = count_clips(faces)
    if min(real, fake) == 0:
        raise InputError(
            f"{faces_csv}: split {split!r} holds {real} real and {fake} fake clips, and a threshold lies between two "
            "classes; give a table of both, or another --split"
        )
    if min(real, fake) < FEWEST_CLIPS:
        more = "" if split == ALL else f", or --split {ALL} if the detector has learned from none of the table"
        raise InputError(
            f"{faces_csv}: split {split!r} holds {real} real and {fake} fake clips, and a threshold takes "
            f"{FEWEST_CLIPS} of each or more; add clips{more}"
        )


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
