"""What a table of crops is: its name, and what a detector learns of when it is trained on it."""

from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.io.values import MOST_TEXTS
from torchfakes_utils.models.scope import MOST_IN_NAME, Scope


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
    """The scope of a detector that is trained on these rows of a table.

    Of more or longer words than a scope holds, such as a table of one's own may have, those that fit are taken.
    """
    train = faces[faces["split"] == "train"]
    methods, compressions = (_words(values) for values in (train.loc[train["label"] == 1, "method"],
                                                           train["compression"]))  # fmt: skip
    return Scope(data_name(faces_csv)[:MOST_IN_NAME], methods, compressions, is_practice(faces_csv))


def _words(values: pd.Series) -> tuple[str, ...]:
    words = sorted({word[:MOST_IN_NAME] for word in values.unique() if word})
    return tuple(words[:MOST_TEXTS])
