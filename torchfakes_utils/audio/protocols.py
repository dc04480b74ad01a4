"""Data sets of the field, from their protocols to `recordings.csv`: ASVspoof 2019, 2021 and 5, WaveFake, own folders.

- ASVspoof 2019 LA (Wang et al., Computer Speech & Language 64, 2020): `ASVspoof2019_LA_cm_protocols/` with
  `ASVspoof2019.LA.cm.train.trn.txt` and so on, whose lines are speaker, file, environment, system and key; sound in
  `ASVspoof2019_LA_train/flac/`.
- ASVspoof 2021 LA and DF (Liu et al., TASLP 31, 2023): `keys/LA/CM/trial_metadata.txt`, with the codec third and the
  key sixth; sound in `ASVspoof2021_LA_eval/flac/`. It is all for testing.
- ASVspoof 5 (Wang et al., Computer Speech & Language 95, 2026): `ASVspoof5.train.tsv`, `ASVspoof5.dev.track_1.tsv` and
  `ASVspoof5.eval.track_1.tsv`, ten columns with blanks between them; sound in `flac_T`, `flac_D` and `flac_E_eval`.
- WaveFake (Frank and Schönherr, NeurIPS 2021): `generated_audio/ljspeech_melgan/LJ001-0001_gen.wav`; the real readings
  are LJ Speech's and JSUT's, `LJSpeech-1.1/wavs/LJ001-0001.wav`, which are got by themselves.

Nothing in here opens a recording.
"""

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from torchfakes_utils.audio.voices import REAL, RECORDINGS_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import INDEX_COLUMNS, write_index

logger = logging.getLogger(__name__)

SOUND_SUFFIXES = frozenset((".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".amr", ".aiff", ".aif", ".webm"))

Row = dict[str, object]
# Shares of passages for training and validation where a data set has no split of its own; the rest is for testing.
_TRAIN, _VAL = 0.7, 0.85


def index_recordings(root: Path | str, out: Path | str | None = None, layout: str = "auto") -> Path:
    """List a data set's recordings in `recordings.csv`; return its path.

    Recordings that a protocol names and that are not there are counted in one line, and left out.

    Args:
        root: the data set's folder; a partial download will do.
        out: the table to write, by default `root/recordings.csv`.
        layout: one of `READERS`, or "auto", which sees it from the folder.

    Raises:
        InputError: no such layout or folder, or nothing found.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    if layout == "auto":
        layout = next((name for name, (_, known_by) in READERS.items() if known_by(root)), "")
    if layout not in READERS:
        raise InputError(
            f"{root}: no data set of sound that is known here ({', '.join(READERS)}; labelled: folders real/ and fake/)"
        )
    named = list(READERS[layout][0](root))
    found = [row for row in named if (root / str(row["path"])).is_file()]
    if not found:
        example = f", such as {named[0]['path']}" if named else ""
        raise InputError(f"{root}: none of the {len(named)} recordings that it should have is there{example}")
    if missing := [row for row in named if not (root / str(row["path"])).is_file()]:
        logger.warning(
            "%s: %d of %d recordings that its protocol names are not there, such as %s; the rest is listed",
            root, len(missing), len(named), missing[0]["path"],
        )  # fmt: skip
    table = pd.DataFrame(found).drop_duplicates("path")
    return write_index(table[INDEX_COLUMNS], root, Path(out) if out else root / RECORDINGS_FILE)


def _row(path: str, label: int, method: str, speaker: str, split: str, codec: str = "", original: str = "") -> Row:
    return {
        "clip_id": Path(path).stem, "path": path, "label": label, "method": method if label else REAL,
        "compression": codec, "target_id": speaker, "source_id": "", "split": split, "original_id": original,
    }  # fmt: skip


def _lines(path: Path, columns: int) -> Iterator[list[str]]:
    """The words of each line.

    Raises:
        InputError: a line is shorter, or the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not (words := line.split()):
                    continue
                if len(words) < columns:
                    raise InputError(
                        f"{path}: line {number} has {len(words)} of {columns} columns; is it the protocol?"
                    )
                yield words
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); download it again") from error


def _label(word: str, path: Path) -> int:
    if word not in ("bonafide", "spoof"):
        raise InputError(f"{path}: the key {word[:30]!r} is neither bonafide nor spoof; is it the protocol?")
    return int(word == "spoof")


def _below(root: Path, pattern: str) -> list[Path]:
    """Files of a name in the folder or up to three folders below it."""
    return sorted(path for depth in range(4) for path in root.glob("*/" * depth + pattern))


def _folder(root: Path, name: str) -> str:
    """A folder of sound, wherever below the data set it lies; as a path from there."""
    found = [path for path in _below(root, name) if path.is_dir()]
    return found[0].relative_to(root).as_posix() if found else name


_SPLITS_2019 = {"train.trn": ("train", "train"), "dev.trl": ("dev", "val"), "eval.trl": ("eval", "test")}


def asvspoof_2019(root: Path) -> Iterator[Row]:
    """The rows of ASVspoof 2019 LA; its dev set is for validation, its eval set for testing."""
    for part, (folder, split) in _SPLITS_2019.items():
        for protocol in _below(root, f"ASVspoof2019.LA.cm.{part}.txt"):
            place = _folder(root, f"ASVspoof2019_LA_{folder}")
            for speaker, name, _, system, key, *_ in _lines(protocol, 5):
                yield _row(f"{place}/flac/{name}.flac", _label(key, protocol), system, speaker, split)


def asvspoof_2021(root: Path) -> Iterator[Row]:
    """The rows of ASVspoof 2021, whichever of LA and DF is there; all are for testing."""
    for protocol in _below(root, "trial_metadata.txt"):
        if protocol.parent.name != "CM":
            continue
        for speaker, name, codec, source, system, key, *_ in _lines(protocol, 8):
            place = _folder(root, f"ASVspoof2021_{name.split('_')[0]}_eval")
            line = f"{codec} {source}" if name.startswith("LA") else codec
            yield _row(f"{place}/flac/{name}.flac", _label(key, protocol), system, speaker, "test", line)


_SPLITS_5 = {
    "ASVspoof5.train.tsv": ("flac_T", "train"), "ASVspoof5.dev.track_1.tsv": ("flac_D", "val"),
    "ASVspoof5.eval.track_1.tsv": ("flac_E_eval", "test"),
}  # fmt: skip


def asvspoof_5(root: Path) -> Iterator[Row]:
    """The rows of ASVspoof 5, track 1."""
    for file, (folder, split) in _SPLITS_5.items():
        for protocol in _below(root, file):
            place = _folder(root, folder)
            for speaker, name, _, codec, _, _, _, attack, key, *_ in _lines(protocol, 9):
                codec = "" if codec == "-" else codec
                yield _row(f"{place}/{name}.flac", _label(key, protocol), attack, speaker, split, codec)


def wavefake(root: Path) -> Iterator[Row]:
    """The rows of WaveFake, split by passage: one reader reads much, and what is read is on one side only.

    Two or three readers in all: what is measured on it says nothing about other people.
    """
    generated = Path(_folder(root, "generated_audio"))
    real = {"ljspeech": (_folder(root, "LJSpeech-1.1"), "LJ"), "jsut": (_folder(root, "jsut_ver1.1"), "JSUT")}
    for place, speaker in real.values():
        for path in _sounds(root / place, root):
            yield _row(path, 0, REAL, speaker, _split_of(_passage(path)), original="")
    for folder in sorted((root / generated).glob("*")):
        if not folder.is_dir():
            continue
        corpus = folder.name.split("_")[0]
        _, speaker = real.get(corpus, ("", corpus))
        for path in _sounds(folder, root):
            passage = _passage(path)
            yield _row(path, 1, folder.name, speaker, _split_of(passage), original=passage)


def _passage(path: str) -> str:
    """What is read, by the file's name: LJ001-0001 of LJ001-0001_gen.wav."""
    return re.sub(r"_(gen|generated)$", "", Path(path).stem)


def _split_of(passage: str) -> str:
    """Of a passage, the same in every data set and on every machine."""
    import zlib

    share = zlib.crc32(passage.encode()) / 2**32
    return "train" if share < _TRAIN else "val" if share < _VAL else "test"


def labelled(root: Path) -> Iterator[Row]:
    """Folders called real and fake; below them a folder a speaker, where there are any, and a split by speaker."""
    for name, label in (("real", 0), ("fake", 1)):
        for path in _sounds(root / name, root):
            inside = Path(path).relative_to(name).parts
            speaker = inside[0] if len(inside) > 1 else ""
            yield _row(path, label, "fake", speaker, _split_of(speaker or _passage(path)))


def _sounds(folder: Path, root: Path) -> Iterable[str]:
    found = []
    for place, _, names in os.walk(folder):
        found += [Path(place, name) for name in names
                  if Path(name).suffix.lower() in SOUND_SUFFIXES and not name.startswith(".")]  # fmt: skip
    return sorted(path.relative_to(root).as_posix() for path in found)


def _has(pattern: str) -> Callable[[Path], bool]:
    return lambda root: bool(_below(root, pattern))


# How a data set is read, and how it is known.
READERS: dict[str, tuple[Callable[[Path], Iterator[Row]], Callable[[Path], bool]]] = {
    "asvspoof-2019": (asvspoof_2019, _has("ASVspoof2019.LA.cm.*.txt")),
    "asvspoof-5": (asvspoof_5, _has("ASVspoof5.*.tsv")),
    "asvspoof-2021": (asvspoof_2021, _has("CM/trial_metadata.txt")),
    "wavefake": (wavefake, _has("generated_audio")),
    "labelled": (labelled, lambda root: (root / "real").is_dir() and (root / "fake").is_dir()),
}
