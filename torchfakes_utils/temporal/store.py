"""Clips as arrays, described once: features of their faces, or their frames, in files that are mapped into memory.

Every run on a table shares them: what takes long is to decode films and to compute features, and none of that is
trained. A clip is there whole or not at all, so that a run that is killed goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import clips as io_clips
from torchfakes_utils.io.files import atomic_write, read_json, write_record
from torchfakes_utils.io.prefetch import read_ahead
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.temporal.config import View
from torchfakes_utils.temporal.reading import Known, Ticks, read_clip

# Raised whenever the same clip would be described by other numbers.
VERSION = 1

# The method, compression and clip_id of a clip.
Key = tuple[str, ...]

# Pictures (T, S, S, 3) uint8 to what is kept of them, (T, …).
Describe = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Described:
    """One clip.

    Attributes:
        times: (T,) seconds.
        shots: (T,) unbroken parts; -1 where there is nothing.
        values: (T, …): features, or pictures; mapped into memory.
    """

    times: np.ndarray
    shots: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Reading:
    """How clips are read and described.

    Attributes:
        view: what is shown of them.
        described_by: names what `describe` computes: its network and its weights.
        describe: of the pictures of a clip.
        most_seconds: of a clip; None is all.
    """

    view: View
    described_by: str
    describe: Describe
    most_seconds: float | None = None


def describe_clips(
    clips: pd.DataFrame, folder: Path, known: Mapping[Key, Known], reading: Reading, progress: bool = False
) -> tuple[dict[Key, Described], dict[Key, str]]:
    """All clips of a table that can be used, by `CLIP_KEY`; and why the others cannot.

    Args:
        clips: rows of `clips.csv`, with `file`, the absolute path of each.
        folder: of the files, which is made; what is there and still true is taken.
        known: where faces are, by `CLIP_KEY`.
        reading: how.
        progress: show a bar on a terminal.

    Raises:
        InputError: the folder cannot be written to.
    """
    found: dict[Key, Described] = {}
    reasons: dict[Key, str] = {}
    missing = []
    for row in clips.to_dict("records"):
        key = key_of(row)
        place = folder / _fingerprint(key, Path(row["file"]), known.get(key), reading)
        if (there := _opened(place)) is not None:
            found[key] = there
        else:
            missing.append((key, Path(row["file"]), place))
    with tqdm(total=len(missing), desc="films", unit="clip", leave=False, disable=None if progress else True) as bar:
        for key, place, ticks in read_ahead(_read_all(missing, known, reading), 2):
            bar.update()
            if isinstance(ticks, str):
                reasons[key] = ticks
            else:
                found[key] = _kept(place, ticks.times, ticks.shots, reading.describe(ticks.pictures))
    # A file of before may be of a clip that is too short for the windows of now.
    for key, one in list(found.items()):
        if len(one.times) < reading.view.ticks:
            reasons[key] = f"{one.times[-1]:.2g} s long, and this network looks at {reading.view.seconds:g} s at a time"
            del found[key]
    return found, reasons


def key_of(row: Mapping[Any, Any]) -> Key:
    """The `CLIP_KEY` of a row."""
    return tuple(str(row[name]) for name in CLIP_KEY)


def _read_all(
    missing: list[tuple[Key, Path, Path]], known: Mapping[Key, Known], reading: Reading
) -> Iterator[tuple[Key, Path, Ticks | str]]:
    """Clip after clip: its key, where it is kept, and its ticks or why there are none."""
    for key, file, place in missing:
        try:
            yield key, place, read_clip(file, reading.view, known.get(key), reading.most_seconds)
        except InputError as error:
            yield key, place, str(error).removeprefix(f"{file}: ")


def _fingerprint(key: Key, file: Path, known: Known | None, reading: Reading) -> str:
    """Changes when the clip does, or where its face is said to be, or what is read of it."""
    faces = "" if known is None or not reading.view.faces else (known.frames.tobytes() + known.squares.tobytes()).hex()
    view = asdict(reading.view)
    view.pop("seconds")  # windows differ in which ticks they hold, and not in the ticks
    facts = [VERSION, key, io_clips.size(file), io_clips.modified(file), view, reading.described_by,
             reading.most_seconds, faces]  # fmt: skip
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _opened(place: Path) -> Described | None:
    """What is kept at a place; None where it is not whole."""
    try:
        record = read_json(place.with_suffix(".json"))
        times, shots = np.asarray(record["times"], float), np.asarray(record["shots"], int)
        values = np.load(place.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Described(times, shots, values) if len(times) == len(shots) == len(values) else None


def _kept(place: Path, times: np.ndarray, shots: np.ndarray, values: np.ndarray) -> Described:
    """Write a clip; the record comes last and makes it count."""
    with atomic_write(place.with_suffix(".npy")) as temporary, temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)
    write_record(place.with_suffix(".json"), {"times": times.tolist(), "shots": shots.tolist()})
    return _opened(place) or Described(times, shots, values)
