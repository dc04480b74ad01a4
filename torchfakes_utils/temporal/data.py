"""What a detector of films is trained on: the clips of a table that can be used, and which windows an epoch has."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.films import films
from torchfakes_utils.io.passages import window_starts
from torchfakes_utils.io.tables import CLIP_COLUMNS, FACE_COLUMNS, FACES_FILE, read_table
from torchfakes_utils.temporal.config import WINDOWS, VideoConfig
from torchfakes_utils.temporal.reading import Known, known_faces, whole_windows
from torchfakes_utils.temporal.store import Described, Key, Reading, describe_clips, key_of
from torchfakes_utils.training.data import seed_of

logger = logging.getLogger(__name__)

# Beside clips.csv.
CACHE = ".video-cache"


@dataclass(frozen=True)
class Clips:
    """The clips of a table that can be used.

    Attributes:
        table: a row a clip of `clips.csv`, with `file`.
        described: what is kept of each, in the order of the table.
        starts: the windows that can be judged, as ticks: all that no cut divides, one every quarter of a window.
        reasons: why others cannot be used, by `CLIP_KEY`.
    """

    table: pd.DataFrame
    described: list[Described]
    starts: list[np.ndarray]
    reasons: Mapping[Key, str]

    def part(self, rows: pd.Series | np.ndarray) -> "Clips":
        """Those of some rows, (N,) bool."""
        places = np.flatnonzero(np.asarray(rows)).tolist()
        table = self.table.iloc[places].reset_index(drop=True)
        return Clips(table, [self.described[at] for at in places], [self.starts[at] for at in places], self.reasons)


def load_clips(clips_csv: Path, methods: tuple[str, ...] | None = None) -> pd.DataFrame:
    """The films of a table, with `file`, the absolute path of each; some manipulations only, beside the reals.

    Raises:
        InputError: no such table, or one without clips of both classes.
    """
    clips = read_table(clips_csv, CLIP_COLUMNS)
    if methods is not None:
        known = sorted(set(clips.loc[clips["label"] == 1, "method"]))
        for name in methods:
            if name not in known:
                raise InputError(f"{clips_csv}: holds no fakes of {name!r}; there are {', '.join(known) or 'none'}")
        clips = clips[(clips["label"] == 0) | clips["method"].isin(methods)]
    folder = clips_csv.resolve().parent
    return clips.assign(file=[str(folder / path) for path in clips["path"]]).reset_index(drop=True)


def faces_of(faces: Path | None, clips_csv: Path) -> dict[Key, Known]:
    """Where the faces of a table's clips are.

    Args:
        faces: the table that `extract` wrote, or its folder; None is `faces/faces.csv` beside `clips_csv`.
        clips_csv: the table of the clips.

    Raises:
        InputError: no such table.
    """
    path = clips_csv.parent / "faces" / FACES_FILE if faces is None else faces
    path = path / FACES_FILE if path.is_dir() else path
    if not path.is_file():
        root = clips_csv.parent
        raise InputError(
            f"{path}: no such table, and this network looks at faces; make it with `torchfakes extract {root} --out "
            f"{root / 'faces'}`, or name another with --faces"
        )
    return known_faces(read_table(path, FACE_COLUMNS))


def open_clips(
    table: pd.DataFrame, clips_csv: Path, known: Mapping[Key, Known], reading: Reading, progress: bool = False
) -> Clips:
    """Describe the clips of a table, unless that is done, and say which cannot be used.

    Raises:
        InputError: none can, or nothing can be written beside the table.
    """
    found, reasons = describe_clips(table, clips_csv.resolve().parent / CACHE, known, reading, progress)
    ticks = reading.view.ticks
    step = max(1, ticks // 4)
    starts = {
        key: whole_windows(window_starts(len(one.times), ticks, step), ticks, one.shots) for key, one in found.items()
    }
    for key in [key for key, own in starts.items() if not len(own)]:
        reasons[key] = f"cut so often that no {reading.view.seconds:g} s of it are of one piece"
        del found[key]
    if reasons:
        key, why = next(iter(reasons.items()))
        logger.warning("%d of %d clips cannot be used (%s: %s)", len(reasons), len(table), "/".join(key), why)
    if not found:
        raise InputError(
            f"{clips_csv}: not one of its clips can be used ({next(iter(reasons.values()), 'it has none')})"
        )
    keys = [key_of(row) for row in table.to_dict("records")]
    kept = [at for at, key in enumerate(keys) if key in found]
    order = [keys[at] for at in kept]
    return Clips(table.iloc[kept].reset_index(drop=True), [found[key] for key in order], [starts[key] for key in order],
                 reasons)  # fmt: skip


def judged_windows(clip: Described, starts: np.ndarray, ticks: int, most: int | None = WINDOWS) -> np.ndarray:
    """The windows that a clip is judged by: of those that can be, such as do not overlap by more than half.

    Args:
        clip: of which.
        starts: (W,) ticks; the windows that can be judged.
        ticks: of a window.
        most: how many, evenly spread; None is all.
    """
    wanted = window_starts(len(clip.times), ticks, max(1, ticks // 2), most)
    nearest = np.abs(wanted[:, None] - starts).argmin(axis=1)
    return np.unique(starts[nearest])


@dataclass(frozen=True)
class Draw:
    """The windows of a step: of which clips, from which tick on, and what they are."""

    clips: np.ndarray
    starts: np.ndarray
    labels: torch.Tensor


def epoch_draws(clips: Clips, config: VideoConfig, epoch: int) -> list[Draw]:
    """The steps of an epoch: windows of real clips, and for each one of a fake that was made from that clip.

    Where no fake is known to be made from a clip, one is taken as they come: half of what is drawn is fake.

    Args:
        clips: of the training split.
        config: how to train.
        epoch: from 1; every epoch draws others.
    """
    generator = np.random.default_rng(seed_of(config.seed, 5, epoch))
    labels = clips.table["label"].to_numpy(int)
    film = films(clips.table).astype(str) + "\0" + clips.table["compression"].astype(str)
    reals, fakes = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    of_film = {name: own.to_numpy() for name, own in pd.Series(fakes).groupby(film.to_numpy()[fakes])}
    order = np.concatenate([generator.permutation(reals) for _ in range(config.windows_per_clip)])
    partners = [int(generator.choice(of_film.get(film.iloc[real], fakes))) for real in order.tolist()]
    rows = np.stack([order, partners], axis=1).ravel()
    ticks = config.view.ticks
    starts = np.array([_anywhere(clips.described[row], clips.starts[row], ticks, generator) for row in rows.tolist()])
    truth = torch.from_numpy(labels[rows]).float()
    steps = np.array_split(np.arange(len(rows)), max(1, round(len(rows) / config.batch_size)))
    return [Draw(rows[own], starts[own], truth[own]) for own in steps]


def _anywhere(clip: Described, starts: np.ndarray, ticks: int, generator: np.random.Generator) -> int:
    """Where a window begins: near one of those that can be judged, and as whole as that."""
    start = int(generator.choice(starts))
    moved = start + int(generator.integers(-ticks // 8, ticks // 8 + 1))
    return moved if len(whole_windows(np.array([moved]), ticks, clip.shots)) and moved >= 0 else start
