"""The way into `clips.csv` for a folder: FaceForensics++, Celeb-DF v2, DFDC, DF40, or folders called real and fake.

- Celeb-DF v2 (Li et al., "Celeb-DF: A Large-scale Challenging Dataset for DeepFake Forensics", CVPR 2020):
  `Celeb-real/id0_0000.mp4`, `YouTube-real/00000.mp4`, `Celeb-synthesis/id0_id1_0000.mp4` (the clip 0000 of id0 with the
  face of id1) and `List_of_testing_videos.txt`, in which 1 means *real*, the opposite of here.
- DFDC (Dolhansky et al., "The DeepFake Detection Challenge Dataset", 2020): `dfdc_train_part_0/metadata.json` and so
  on, which name each clip's label and a fake's original; a test set comes with a `metadata.json` or a `labels.csv`.

Neither of these says how its videos are compressed, so that column holds "unknown". Nothing in here opens a video.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from torchfakes_utils.datasets import faceforensics, splits
from torchfakes_utils.datasets.dealing import deal, warn_of_sides
from torchfakes_utils.datasets.df40 import df40, is_df40
from torchfakes_utils.datasets.labelled_folders import is_labelled, labelled_folders
from torchfakes_utils.datasets.own_table import UNKNOWN
from torchfakes_utils.datasets.splits import by_people, check_names, people, with_splits
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.clips import below, clips_in, is_film, is_picture
from torchfakes_utils.io.files import read_json
from torchfakes_utils.io.names import leads_down
from torchfakes_utils.io.table_forms import read_rows
from torchfakes_utils.io.tables import INDEX_COLUMNS, labels_of, write_index

logger = logging.getLogger(__name__)

_CELEB_FOLDERS = {"Celeb-real": 2, "YouTube-real": 1, "Celeb-synthesis": 3}  # with the parts of a name in each


def index_clips(
    root: Path | str,
    out: Path | str | None = None,
    layout: str = "auto",
    methods: Sequence[str] | None = None,
    compressions: Sequence[str] | None = None,
    rule: str = "official",
) -> Path:
    """List a data set's videos in `clips.csv`, and split them.

    Args:
        root: the data set's folder; a partial download will do.
        out: the table to write, by default `root/clips.csv`; its paths are relative to its own folder.
        layout: "faceforensics", "celeb-df", "dfdc", "df40", "labelled", or "auto", which sees it from the folders.
        methods: only these manipulations of FaceForensics++; None is all.
        compressions: only these, of "raw", "c23" and "c40"; None is all.
        rule: "official", or "strict": nobody, and no YouTube video, on two sides.

    Returns:
        The path of the table.

    Raises:
        InputError: no such layout or rule, nothing found, a choice that the layout does not have, or the table cannot
            be written.
    """
    root = Path(root)
    check_names("split", [rule], splits.RULES, "choose from")
    if layout == "auto":
        layout = recognise(root)
        if not layout:
            raise InputError(_unknown(root))
    if layout == "faceforensics":
        clips = faceforensics.split_clips(root, methods, compressions, rule)
    else:
        check_names("layout", [layout], ["faceforensics", *READERS], "choose from")
        if methods or compressions:
            raise InputError(f"--methods and --compressions are for FaceForensics++; {root} has the layout {layout}")
        if not root.is_dir():
            raise InputError(f"{root}: no such folder")
        clips = READERS[layout](root, rule)
    if layout == "faceforensics" and rule == "official" and set(clips["method"]) <= set(splits.ACTOR_METHODS):
        logger.warning("%s: DeepFakeDetection alone is all for testing; to train on it, --split strict", root)
    else:
        warn_of_sides(clips, root)
    return write_index(clips, root, out)


def recognise(root: Path | str) -> str:
    """Whose layout a folder has: "faceforensics", "celeb-df", "dfdc", "df40" or "labelled"; "" where it is none."""
    root = Path(root)
    if any(below(root, name).is_dir() for name in ("original_sequences", "manipulated_sequences")):
        return "faceforensics"
    if any(below(root, name).is_dir() for name in ("Celeb-real", "Celeb-synthesis")):
        return "celeb-df"
    tables = _dfdc_tables(root)
    if tables and _is_dfdc(tables[0]):
        return "dfdc"
    if is_df40(root):
        return "df40"
    if root.is_dir() and is_labelled(root):
        return "labelled"
    return "dfdc" if tables else ""


def _unknown(root: Path) -> str:
    """What to do with a folder that is not recognised: go where one is, or write a table."""
    if not root.is_dir():
        return f"{root}: no such folder"
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if layout := recognise(folder):
            return f"{root}: in {folder.name} there is a data set ({layout}); give {folder}"
    clips = (Path(at, name) for at, _, names in os.walk(root) for name in sorted(names))
    first = next((path for path in clips if is_film(path) or is_picture(path)), None)
    if first is None:
        return f"{root}: no videos found, and no photos"
    path = first.relative_to(root).as_posix()
    example = f"`path,label` and then `{path},{int('fake' in path.casefold())}` (0 real, 1 fake)"
    return (
        f"{root}: no layout that is known (FaceForensics++, Celeb-DF, DFDC, DF40, folders called real and fake); write "
        f"a table that begins {example}, and give it: torchfakes clips {root} --from-csv {root / 'mine.csv'}"
    )


def celeb_df(root: Path, rule: str = "official") -> pd.DataFrame:
    """List Celeb-DF v2.

    Officially the listed videos are the test and all others the training set; there is no validation set, so a seventh
    of the training set's originals, with their fakes, is kept apart for it. The same 59 celebrities are in both: the
    split holds clips apart, not people. Strictly, people are dealt out, and fakes of two people of different sides,
    which are many, belong to none.

    Raises:
        InputError: nothing found, or the list of testing videos is absent or of another form.
    """
    rows = []
    for folder, count in _CELEB_FOLDERS.items():
        found, others = clips_in(below(root, folder))
        if others:
            logger.warning("%d files left out: no films (first: %s)", len(others), others[0])
        for name, path in found.items():
            parts = name.split("_")
            fake = folder == "Celeb-synthesis"
            if len(parts) != count:
                logger.warning("%s: left out, not named as in Celeb-DF", path)
                continue
            person = f"youtube {parts[0]}" if folder == "YouTube-real" else parts[0]
            source, original = (parts[1], f"{parts[0]}_{parts[2]}") if fake else ("", "")
            relative = path.relative_to(root).as_posix()
            rows.append((name, relative, int(fake), folder, UNKNOWN, person, source, "", original))
    clips = _table(rows, root, "Celeb-DF v2 keeps its videos in Celeb-real, YouTube-real and Celeb-synthesis")
    if rule == "strict":
        sides = by_people(clips, deal(people(clips)))
        return with_splits(clips, sides, "they show two people of different sides")
    test = (clips["method"] + "/" + clips["clip_id"]).isin(_testing_videos(root / "List_of_testing_videos.txt"))
    film = clips["original_id"].where(clips["label"] == 1, clips["clip_id"])
    rest = film.map({name: "val" if side == "val" else "train" for name, side in deal(sorted(set(film))).items()})
    return clips.assign(split=rest.mask(test, "test"))


def dfdc(root: Path, rule: str = "official") -> pd.DataFrame:
    """List DFDC: one part or several of its training set, or a test set.

    Training parts have no published split: originals are dealt out with all their fakes, 72/14/14. The data set does
    not say who is seen, so the same actor may still be on two sides, under either rule. A test set is all "test".

    Raises:
        InputError: nothing found, or a metadata.json of another form.
    """
    del rule  # there is only one
    rows, absent = [], []
    tables = _dfdc_tables(root)
    for table in tables:
        names = {path.name.casefold(): path.name for path in table.parent.iterdir()}
        for name, label, original in _labels(table):
            path = table.parent / names.get(name.casefold(), name)
            if not path.exists():
                absent.append(path)
                continue
            stem, film = Path(name).stem, Path(original).stem
            method, relative = "DFDC" if label else "DFDC-real", path.relative_to(root).as_posix()
            rows.append((stem, relative, label, method, UNKNOWN, film or stem, "", "", film))
    if absent:
        logger.warning("%d videos left out: they are not there (first: %s)", len(absent), absent[0])
    clips = _table(rows, root, "DFDC has a metadata.json beside its videos, in dfdc_train_part_0 and so on")
    if [table.parent for table in tables] == [root] and not clips["original_id"].any():
        return clips.assign(split="test")
    return clips.assign(split=clips["target_id"].map(deal(sorted(set(clips["target_id"])))))


READERS: dict[str, Callable[[Path, str], pd.DataFrame]] = {
    "celeb-df": celeb_df,
    "dfdc": dfdc,
    "df40": df40,
    "labelled": labelled_folders,
}


def _table(rows: Sequence[tuple[object, ...]], root: Path, layout: str) -> pd.DataFrame:
    if not rows:
        raise InputError(f"{root}: no videos found. {layout}")
    clips = pd.DataFrame(rows, columns=INDEX_COLUMNS)
    if (twice := clips[clips.duplicated(["method", "clip_id"], keep=False)])["clip_id"].any():
        one, other, *_ = twice[twice["clip_id"] == twice["clip_id"].iloc[0]]["path"]
        raise InputError(f"{root}: {one} and {other} have one name; move one of them away")
    known = set(clips.loc[clips["label"] == 0, "clip_id"])
    clips["original_id"] = clips["original_id"].where(clips["original_id"].isin(known), "")
    return clips.sort_values(["label", "method", "clip_id"], ignore_index=True)


def _testing_videos(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").replace("\\", "/").split("\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no text in UTF-8"
        raise InputError(f"{path}: cannot be read ({why}); it comes with Celeb-DF v2") from error
    names = {str(PurePosixPath(line.split()[1]).with_suffix("")) for line in lines if len(line.split()) == 2}
    if not names:
        raise InputError(f"{path}: lines such as `1 YouTube-real/00170.mp4` are expected")
    return names


def _dfdc_tables(root: Path) -> list[Path]:
    """In the folder itself, in its parts (whatever they are called), or one folder further down."""
    alone = [path for path in (root / "metadata.json", root / "labels.csv") if path.is_file()]
    return alone[:1] or sorted(root.glob("*/metadata.json")) or sorted(root.glob("*/*/metadata.json"))


def _is_dfdc(table: Path) -> bool:
    try:
        return bool(_labels(table))
    except InputError:
        return False


def _labels(table: Path) -> list[tuple[str, int, str]]:
    """Name, label (1 for fake, 0 for real) and original of each video that a table of DFDC names."""
    try:
        if table.suffix == ".csv":
            rows, _ = read_rows(table, ("filename", "label"), dtype=str, keep_default_na=False)
            entries = {row.filename: {"label": row.label} for row in rows.itertuples()}
            if len(entries) < len(rows):
                raise ValueError("a film is listed twice")
        else:
            entries = read_json(table)
        said = [entry.get("label", entry.get("is_fake")) for entry in entries.values()]
        labels = labels_of(pd.Series([str(label) for label in said], dtype=object))
        if labels.isna().any():
            raise ValueError(f"label {said[int(labels.isna().argmax())]!r}")
        originals = [Path(entry.get("original") or "").name for entry in entries.values()]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            f"{table}: not a table as DFDC has it ({type(error).__name__}: {error}); give one of your own by --from-csv"
        ) from error
    if wrong := [name for name in entries if not leads_down(name)]:
        raise InputError(f"{table}: {wrong[0]!r} is no video beside it; is it the table that DFDC comes with?")
    return sorted(zip(entries, labels.astype(int).tolist(), originals, strict=True))
