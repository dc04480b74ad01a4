"""What a table of crops is: its name, and what a detector learns of when it is trained on it."""

from pathlib import Path

import pandas as pd

from torchfakes_utils.crops.self_blending import SELF_BLENDED
from torchfakes_utils.crops.table import read_extraction
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import DATA_KEY, EXTRACTION_FILE
from torchfakes_utils.io.values import MOST_TEXTS
from torchfakes_utils.models.scope import MOST_IN_NAME, Scope


def data_name(faces_csv: Path) -> str:
    """What a data set is called: as `extract` has noted, else by the table's folder, or the one above "faces".

    Raises:
        InputError: as `is_practice`.
    """
    folder = faces_csv.resolve().parent
    name = _noted(faces_csv).get("name") or (folder.parent.name if folder.name == "faces" else folder.name)
    return f"Mini-FF++ ({name})" if is_practice(faces_csv) else str(name)


def is_practice(faces_csv: Path) -> bool:
    """Whether a table is of Mini-FF++, which shows no real person, wherever its crops lie.

    Raises:
        InputError: `extraction.json` beside it cannot be read.
    """
    noted = _noted(faces_csv).get("practice")
    if noted is not None:
        return bool(noted)
    folder = faces_csv.resolve().parent  # of a table that was made before `extract` noted it, or by hand
    return any((place / MINI_FILE).is_file() for place in (folder, folder.parent))


def _noted(faces_csv: Path) -> dict[str, str | bool]:
    """What `extract` has noted of the data set; {} where it has not."""
    folder = faces_csv.resolve().parent
    data = read_extraction(folder).get(DATA_KEY, {})
    if not isinstance(data, dict) or (data and not isinstance(data.get("name"), str)):
        raise InputError(f"{folder / EXTRACTION_FILE}: {DATA_KEY} is no data set; run `torchfakes extract` again")
    return data


def scope_of(faces: pd.DataFrame, faces_csv: Path, self_blended: bool = False) -> Scope:
    """The scope of a detector that is trained on these rows of a table, and on `self_blended` fakes made of them.

    Of more or longer words than a scope holds, such as a table of one's own may have, those that fit are taken.

    Raises:
        InputError: as `is_practice`.
    """
    train = faces[faces["split"] == "train"]
    kinds = [train.loc[train["label"] == 1, "method"], *([pd.Series([SELF_BLENDED])] if self_blended else [])]
    methods, compressions = _words(pd.concat(kinds)), _words(train["compression"])
    return Scope(data_name(faces_csv)[:MOST_IN_NAME], methods, compressions, is_practice(faces_csv))


def _words(values: pd.Series) -> tuple[str, ...]:
    words = sorted({word[:MOST_IN_NAME] for word in values.unique() if word})
    return tuple(words[:MOST_TEXTS])
