"""The way into `clips.csv` for a folder in any layout: FaceForensics++, Celeb-DF v2, DFDC, or what a CSV describes.

- Celeb-DF v2 (Li et al., "Celeb-DF: A Large-scale Challenging Dataset for DeepFake Forensics", CVPR 2020):
  `Celeb-real/id0_0000.mp4`, `YouTube-real/00000.mp4`, `Celeb-synthesis/id0_id1_0000.mp4` (the clip 0000 of id0 with the
  face of id1) and `List_of_testing_videos.txt`, in which 1 means *real*, the opposite of here.
- DFDC (Dolhansky et al., "The DeepFake Detection Challenge Dataset", 2020): `dfdc_train_part_0/metadata.json` and so
  on, which name each clip's label and a fake's original; a test set comes with a `metadata.json` or a `labels.csv`.

Neither of these says how its videos are compressed, so that column holds "unknown". Nothing in here opens a video.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets import faceforensics, splits
from torchfakes_utils.datasets.splits import SPLITS, by_people, check_names, components, deal, people, with_splits
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.names import leads_down
from torchfakes_utils.io.tables import CLIP_KEY, INDEX_COLUMNS, write_index

logger = logging.getLogger(__name__)

UNKNOWN = "unknown"

_NAMED = 3  # bad rows that are named, of many
_FAKE = {"FAKE": 1, "REAL": 0, "1": 1, "0": 0, 1: 1, 0: 0}  # what DFDC's tables call fake and real


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
        layout: "faceforensics", "celeb-df", "dfdc", or "auto", which sees it from the folders.
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
    layout = recognise(root) if layout == "auto" else layout
    if layout == "faceforensics":
        return faceforensics.write_clips(root, out, methods, compressions, rule)
    if methods or compressions:
        raise InputError(f"--methods and --compressions are for FaceForensics++; {root} has the layout {layout}")
    check_names("layout", [layout], ["faceforensics", *READERS], "choose from")
    check_names("split", [rule], splits.RULES, "choose from")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    return write_index(READERS[layout](root, rule), root, out)


def recognise(root: Path | str) -> str:
    """Whose layout a folder has: "faceforensics", "celeb-df" or "dfdc"; the first where nothing is recognised."""
    root = Path(root)
    if (root / "Celeb-real").is_dir() or (root / "Celeb-synthesis").is_dir():
        return "celeb-df"
    if (root / "metadata.json").is_file() or (root / "labels.csv").is_file() or _dfdc_tables(root):
        return "dfdc"
    return "faceforensics"


def write_from_csv(csv: Path | str, out: Path | str) -> Path:
    """Turn a table of one's own into `clips.csv`, see `from_csv`; in both, paths are relative to the table's folder."""
    return write_index(from_csv(csv), Path(csv).parent, out)


def from_csv(csv: Path | str) -> pd.DataFrame:
    """Read a table that describes videos in any layout.

    `path` (relative to the table's folder) and `label` (1 fake, 0 real) have to be there. These may be:

    - `clip_id` (else the file's name without its ending), `method` (else "fake" or "real"), `compression` (else
      "unknown"): the three together name one video;
    - `target_id`, `source_id`: who is seen, and whose face or expression it is. Else each clip is its own target;
    - `original_id`: the `clip_id` of the real clip whose frames a fake shows;
    - `split`: train, val, test or empty. Else people (and originals) are dealt out, 72/14/14, so that nobody is on two
      sides.

    Returns:
        The columns `INDEX_COLUMNS`. A video that is not there is kept, and counted in a warning: extraction names it.

    Raises:
        InputError: the table is absent or no CSV, lacks a column, or has rows that cannot be used; they are named by
            their lines.
    """
    csv = Path(csv)
    if not csv.is_file():
        raise InputError(f"{csv}: no such table")
    try:
        given = pd.read_csv(csv, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{csv}: not a table in CSV format ({str(error).strip().splitlines()[0]})") from error
    if missing := [name for name in ("path", "label") if name not in given.columns]:
        raise InputError(f"{csv}: lacks the column {' and '.join(missing)}; it needs path and label (1 fake, 0 real)")
    if given.empty:
        raise InputError(f"{csv}: holds no rows")
    given = given.apply(lambda column: column.str.strip())
    _refuse(csv, ~given["label"].isin(["0", "1"]), "label is neither 1 (fake) nor 0 (real)")
    _refuse(csv, given["path"] == "", "path is empty")
    if "split" in given:
        _refuse(csv, ~given["split"].isin([*SPLITS, ""]), f"split is none of {', '.join(SPLITS)}")
    clips = _completed(given)
    _refuse(csv, clips.duplicated(CLIP_KEY), "method, compression and clip_id are taken")
    if absent := [path for path in clips["path"] if not (csv.parent / path).is_file()]:
        logger.warning("%s: %d of %d videos are not there, such as %s", csv, len(absent), len(clips), absent[0])
    return clips if "split" in given else clips.assign(split=_grouped(clips))


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
    for folder in ("Celeb-real", "YouTube-real", "Celeb-synthesis"):
        for path in sorted((root / folder).glob("*.mp4")):
            parts = path.stem.split("_")
            fake = folder == "Celeb-synthesis"
            if len(parts) != {"Celeb-real": 2, "YouTube-real": 1, "Celeb-synthesis": 3}[folder]:
                logger.warning("%s: left out, not named as in Celeb-DF", path)
                continue
            person = f"youtube {parts[0]}" if folder == "YouTube-real" else parts[0]
            source, original = (parts[1], f"{parts[0]}_{parts[2]}") if fake else ("", "")
            relative = path.relative_to(root).as_posix()
            rows.append((path.stem, relative, int(fake), folder, UNKNOWN, person, source, "", original))
    clips = _table(rows, root, "Celeb-DF v2 keeps its videos in Celeb-real, YouTube-real and Celeb-synthesis")
    if rule == "strict":
        sides = by_people(clips, deal(people(clips)))
        return with_splits(clips, sides, "they show two people of different sides")
    test = clips["path"].isin(_testing_videos(root / "List_of_testing_videos.txt"))
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
    rows = []
    alone = [path for path in (root / "metadata.json", root / "labels.csv") if path.is_file()]
    for table in _dfdc_tables(root) or alone:
        for name, label, original in _labels(table):
            path = (table.parent / name).relative_to(root).as_posix()
            stem, film = Path(name).stem, Path(original).stem
            rows.append((stem, path, label, "DFDC" if label else "DFDC-real", UNKNOWN, film or stem, "", "", film))
    clips = _table(rows, root, "DFDC has a metadata.json beside its videos, in dfdc_train_part_0 and so on")
    if not _dfdc_tables(root) and not clips["original_id"].any():
        return clips.assign(split="test")
    return clips.assign(split=clips["target_id"].map(deal(sorted(set(clips["target_id"])))))


READERS: dict[str, Callable[[Path, str], pd.DataFrame]] = {"celeb-df": celeb_df, "dfdc": dfdc}


def _table(rows: Sequence[tuple[object, ...]], root: Path, layout: str) -> pd.DataFrame:
    if not rows:
        raise InputError(f"{root}: no videos found. {layout}")
    clips = pd.DataFrame(rows, columns=INDEX_COLUMNS)
    known = set(clips.loc[clips["label"] == 0, "clip_id"])
    clips["original_id"] = clips["original_id"].where(clips["original_id"].isin(known), "")
    return clips.sort_values(["label", "method", "clip_id"], ignore_index=True)


def _refuse(csv: Path, bad: pd.Series, reason: str) -> None:
    if bad.any():
        lines = [str(number + 2) for number in bad.to_numpy().nonzero()[0]]  # the header is line 1
        more = f" and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
        raise InputError(f"{csv}: line {', '.join(lines[:_NAMED])}{more}: {reason}")


def _completed(given: pd.DataFrame) -> pd.DataFrame:
    """The optional columns, filled in where they are absent or empty."""
    stems = given["path"].map(lambda path: Path(path).stem)
    clips = given.assign(label=given["label"].astype(int)).reindex(columns=INDEX_COLUMNS, fill_value="")
    methods = given["label"].map({"0": "real", "1": "fake"})
    for name, default in {"clip_id": stems, "method": methods, "compression": UNKNOWN}.items():
        clips[name] = clips[name].where(clips[name] != "", default)
    film = clips["original_id"].where(clips["original_id"] != "", clips["clip_id"])
    clips["target_id"] = clips["target_id"].where(clips["target_id"] != "", film)
    return clips


def _grouped(clips: pd.DataFrame) -> pd.Series:
    """A split by which people who forge each other, and clips of one film, stay together."""
    person = "person " + clips["target_id"]
    other = ("person " + clips["source_id"]).where(clips["source_id"] != "", person)
    links = list(zip(person, other, strict=True))
    film = clips["original_id"].where(clips["label"] == 1, clips["clip_id"])
    links += [(one, f"film {name}") for one, name in zip(person, film, strict=True) if name]
    groups = components(links)
    sides = deal([group[0] for group in groups])
    return person.map({name: sides[group[0]] for group in groups for name in group})


def _testing_videos(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); it comes with Celeb-DF v2") from error
    names = {line.split()[1] for line in lines if len(line.split()) == 2}
    if not names:
        raise InputError(f"{path}: lines such as `1 YouTube-real/00170.mp4` are expected")
    return names


def _dfdc_tables(root: Path) -> list[Path]:
    return sorted(root.glob("dfdc_train_part_*/metadata.json"))


def _labels(table: Path) -> list[tuple[str, int, str]]:
    """Name, label (1 for fake, 0 for real) and original of each video that a table of DFDC names."""
    try:
        if table.suffix == ".csv":
            rows = pd.read_csv(table, dtype=str, keep_default_na=False)[["filename", "label"]].to_numpy()
            labels = [(name, _FAKE[label], "") for name, label in rows]
        else:
            entries = json.loads(table.read_text(encoding="utf-8"))
            labels = [
                (name, _FAKE[entry.get("label", entry.get("is_fake"))], entry.get("original") or "")
                for name, entry in entries.items()
            ]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{table}: not a table as DFDC has it ({type(error).__name__}: {error})") from error
    if wrong := [name for name, _, _ in labels if not leads_down(name)]:
        raise InputError(f"{table}: {wrong[0]!r} is no video beside it; is it the table that DFDC comes with?")
    return sorted(labels)
