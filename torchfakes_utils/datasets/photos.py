"""The way into `clips.csv` for a folder of photos of real people, who are the folders in it.

Fakes are made of them in training (`train --self-blended 1`), so that nobody has to be asked for a data set of fakes.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets.dealing import deal, warn_of_copies
from torchfakes_utils.datasets.labelled_folders import is_labelled
from torchfakes_utils.datasets.own_table import UNKNOWN
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.clips import is_picture
from torchfakes_utils.io.tables import INDEX_COLUMNS, write_index

logger = logging.getLogger(__name__)

METHOD = "photo"  # what real photos are called, as films of FaceForensics++ are "youtube"


def index_photos(root: Path | str, out: Path | str, most: int | None = None) -> Path:
    """List the photos below a folder in `clips.csv`, all of them real, and deal people out 72/14/14.

    Who is seen is the folder in which a photo lies (`George_W_Bush/George_W_Bush_0001.jpg`): all photos in one folder
    stay on one side of the split. Those in `root` itself, of which nobody says who it is, are dealt out one by one. No
    photo is opened: what is none, or shows no face, extraction finds out.

    Args:
        root: the folder; hidden files are left out, and links to other folders are not entered.
        out: the table to write; its paths are relative to its own folder.
        most: photos at most, one of each person before a second one of anybody; None is all.

    Returns:
        The path of the table.

    Raises:
        InputError: no such folder, no photos in it, folders that say real and fake, or the table cannot be written.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    if is_labelled(root):
        raise InputError(
            f"{root}: has folders that say real and fake, and here every photo is taken for real; list both with "
            f"`torchfakes clips {root}`, or give the folder of the real ones"
        )
    photos: dict[str, list[Path]] = defaultdict(list)
    for path in _photos(root):
        photos[path.parent.as_posix()].append(path)
    if not photos:
        raise InputError(f"{root}: no photos found")
    if len(alone := photos.get(".", ())) > 1:
        logger.warning(
            "%s: %d photos lie in no folder of a person, and are dealt out one by one: where one person is on several, "
            "a test knows who is in training; give each person a folder", root, len(alone)
        )  # fmt: skip
    rounds = zip_longest(*photos.values())
    chosen = [path for one_each in rounds for path in one_each if path is not None][:most]
    clips = pd.DataFrame(list(_rows(sorted(chosen))), columns=INDEX_COLUMNS)
    clips = clips.assign(split=clips["target_id"].map(deal(sorted(set(clips["target_id"])))))
    warn_of_copies(clips, root)
    return write_index(clips, root, out)


def _photos(root: Path) -> Iterator[Path]:
    """Relative to `root`, in the order of their names; what else lies there is counted."""
    others: list[Path] = []
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for path in (Path(folder, name).relative_to(root) for name in sorted(names) if not name.startswith(".")):
            if is_picture(path):
                yield path
            else:
                others.append(path)
    if others:
        logger.warning("%s: %d files left out: no photos (first: %s)", root, len(others), others[0])


def _rows(photos: list[Path]) -> Iterator[tuple[object, ...]]:
    """The `INDEX_COLUMNS` of each photo."""
    taken: set[str] = set()
    for path in photos:
        name = "-".join(path.with_suffix("").parts)
        if name in taken:  # a.jpg and a.png; or a-b.jpg, and b.jpg in a
            name = "-".join(path.parts)
        while name in taken:
            name += "_"
        taken.add(name)
        person = path.parent.as_posix() if path.parent.name else name
        yield name, path.as_posix(), 0, METHOD, UNKNOWN, person, "", "", ""
