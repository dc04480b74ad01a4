"""The crops that a detector is measured on: loaded and checked once, described once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from torchfakes_utils.crops.table import load_faces_for, read_extraction
from torchfakes_utils.datasets.mini.build import MINI_FILE
from torchfakes_utils.evaluation.results import DataDescription
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import CLIP_KEY, FAILURE_COLUMNS, FAILURES_FILE, read_table
from torchfakes_utils.models.detector import Detector


@dataclass(frozen=True)
class EvaluationData:
    """A split of a table.

    Attributes:
        faces: its rows, with the column `file`.
        faceless: clips of the split in which no face was found, as far as the extraction has told.
        description: of the rows, before any of their crops is read.
    """

    faces: pd.DataFrame
    faceless: int
    description: DataDescription


def load_data(faces_csv: Path, split: str, detector: Detector, frames: int | None = None) -> EvaluationData:
    """The crops of a split, and what is to be said of them; arguments and errors as for `load_faces_for`."""
    faces = load_faces_for(detector, faces_csv, split, frames)
    clips, extraction = faces.drop_duplicates(CLIP_KEY), read_extraction(faces_csv.parent)
    fakes = clips.loc[clips["label"] == 1, "method"].value_counts().sort_index()
    description = DataDescription(
        table=faces_csv.name,
        name=data_name(faces_csv),
        sha256=sha256_of(faces_csv),
        crops=len(faces),
        unreadable=0,
        clips=len(clips),
        real_clips=int((clips["label"] == 0).sum()),
        fake_clips={str(name): int(count) for name, count in fakes.items()},
        compressions=tuple(sorted(map(str, faces["compression"].unique()))),
        people=int(clips.loc[clips["target_id"] != "", "target_id"].nunique()),
        extraction={name: value for name, value in extraction.items()
                    if name in ("frames", "crop_scale", "size", "min_face", "min_probability")},
    )  # fmt: skip
    failures = faces_csv.parent / FAILURES_FILE
    faceless = int((read_table(failures, FAILURE_COLUMNS)["split"] == split).sum()) if failures.is_file() else 0
    return EvaluationData(faces, faceless, description)


def data_name(faces_csv: Path) -> str:
    """What a data set is called: Mini-FF++ by its name, others by their folder.

    That is the folder that the table of faces lies in, or the one above a folder "faces".
    """
    folder = faces_csv.resolve().parent
    name = folder.parent.name if folder.name == "faces" else folder.name
    is_mini = any((place / MINI_FILE).is_file() for place in (folder, folder.parent))
    return f"Mini-FF++ ({name})" if is_mini else name


def unique_name(faces_csv: Path, tables: Sequence[Path]) -> str:
    """A data set's name among others, with the folders above where two are alike."""
    own = data_name(faces_csv)
    alike = [data_name(table) for table in tables].count(own)
    return own if alike == 1 else "/".join(faces_csv.resolve().parent.parts[-3:])
