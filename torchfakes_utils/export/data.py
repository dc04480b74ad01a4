"""What files are calibrated and checked on: crops of the table that a run was trained on."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import limit_frames, load_faces_for
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.graph import CALIBRATION
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.run_files import DETECTOR_FILE, TRAINING_FILE

# Crops that are compared; more than these hardly change an AUC, and PyTorch takes 50 ms for each.
_CROPS = 3000
# Crops of noise, where there are no others.
_NOISE = 16

# Where a table of faces lies, seen from a folder above the run or the one that the command runs in.
_TABLES = ("data/*/faces/faces.csv", "data/*/faces.csv", "*/faces/faces.csv", "*/faces.csv", "faces.csv")


@dataclass(frozen=True)
class CheckData:
    """What files are calibrated and checked on.

    Attributes:
        crops: (N, 3, S, S) uint8 of the test split; noise where no table is known.
        faces: their rows of faces.csv; None for noise.
        calibration: (M, 3, S, S) uint8 of the validation split; None where none are needed.
        notes: what has to be known about them, a line each.
    """

    crops: np.ndarray
    faces: pd.DataFrame | None = None
    calibration: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_data(detector: Detector, faces_csv: Path, sha256: str | None = None, calibrate: bool = True) -> CheckData:
    """Test crops to compare on, and validation crops to calibrate on.

    Args:
        detector: of which the preprocessing counts.
        faces_csv: the table; crops of the splits "val" and "test" are taken from it.
        sha256: of the table that the run was trained on, where it is known.
        calibrate: validation crops are needed, too.

    Raises:
        InputError: no table, an empty split, crops that cannot be read, or ones cut in another way.
    """
    test, calibration = load_faces_for(detector, faces_csv, "test"), None
    notes = []
    if sha256 is not None and sha256_of(faces_csv) != sha256:
        notes.append(f"{faces_csv}: not the table that this run was trained on; its test crops may be training crops")
    clips = len(test.drop_duplicates(CLIP_KEY))
    test = limit_frames(test, max(1, _CROPS // clips))
    crops, test = _read(test, detector)
    if calibrate:
        validation = load_faces_for(detector, faces_csv, "val")
        calibration, _ = _read(validation.iloc[spread(CALIBRATION, len(validation))], detector)
    return CheckData(crops, test, calibration, tuple(notes))


def noise_data(detector: Detector) -> CheckData:
    """Something to compare float32 files on, where no crops are known."""
    size = detector.preprocessing.size
    crops = np.random.default_rng(0).integers(0, 256, (_NOISE, 3, size, size), dtype=np.uint8)
    note = f"no table of faces is known: compared on {_NOISE} generated crops, without an AUC; give --faces FACES.CSV"
    return CheckData(crops, notes=(note,))


def _read(faces: pd.DataFrame, detector: Detector) -> tuple[np.ndarray, pd.DataFrame]:
    crops, good = open_store(faces, detector.preprocessing, cache="off").read(range(len(faces)))
    if not good.any():
        raise InputError("not one crop can be read; run `torchfakes extract` again")
    return crops.numpy(), faces[good].reset_index(drop=True)


def find_faces(run: Path) -> Path | None:
    """The table that a run was trained on, if it still lies near: known by its SHA-256, not by its name."""
    wanted = trained_on(run)
    if wanted is None:
        return None
    here = run.resolve()
    for folder in dict.fromkeys([*here.parents[:3], Path.cwd()]):
        for path in (found for pattern in _TABLES for found in sorted(folder.glob(pattern))):
            if sha256_of(path) == wanted:
                return path
    return None


def trained_on(run: Path) -> str | None:
    """SHA-256 of the table that a run was trained on."""
    for folder in (run, run.parent):  # a detector's own folder lies in its run's
        for name in (TRAINING_FILE, DETECTOR_FILE):
            try:
                known = json.loads((folder / name).read_text(encoding="utf-8"))
                found = known.get("faces_sha256") or known["extra"]["run"]["faces_sha256"]
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if isinstance(found, str):
                return found
    return None
