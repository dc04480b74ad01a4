"""What a table of crops is: its name, and what a detector learns of when it is trained on it."""

from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.models.scope import Scope


def data_name(faces_csv: Path) -> str:
    """What a data set is called: by the folder that its table lies in, or the one above a folder "faces"."""
    folder = faces_csv.resolve().parent
    name = folder.parent.name if folder.name == "faces" else folder.name
    return f"Mini-FF++ ({name})" if is_practice(faces_csv) else name


def is_practice(faces_csv: Path) -> bool:
    """Whether a table is of Mini-FF++, which shows no real person."""
    folder = faces_csv.resolve().parent
    return any((place / MINI_FILE).is_file() for place in (folder, folder.parent))


def scope_of(faces: pd.DataFrame, faces_csv: Path) -> Scope:
    """The scope of a detector that is trained on these rows of a table."""
    train = faces[faces["split"] == "train"]
    methods = sorted(train.loc[train["label"] == 1, "method"].unique())
    compressions = sorted(filter(None, train["compression"].unique()))
    return Scope(data_name(faces_csv), tuple(methods), tuple(compressions), is_practice(faces_csv))
