"""The films that a table's crops were cut from, as far as they are there.

`faces.csv` names crops, not films: these are looked up in the data set's `clips.csv`, by clip. Whether a film is still
the one that the crops are of, its pixels say: what the table says is cut again, and compared with the crop as it is
stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import Unreadable, try_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.io.clips import length, modified, size
from torchfakes_utils.io.tables import CLIP_COLUMNS, CLIP_KEY, CLIPS_FILE, read_table

# clip_id, method, compression.
ClipKey = tuple[str, ...]

SQUARE = ["x1", "y1", "x2", "y2"]

# A found face is the table's if so much of it lies in the table's square: of one beside it less does.
SHARED = 0.5

# Mean difference of levels between a crop that is stored and the same cut again: none of PNG, of JPEG at a quality of
# 50 up to 4.4 on Mini-FF++'s test films, where what is two frames later differs by 7.4 and more.
_MOST_DIFFERENT = 6.0


@dataclass(frozen=True)
class Films:
    """Where the films of some clips lie.

    Attributes:
        paths: the film (or photo, or folder of pictures) of each clip that the data set's table names.
        reason: why there are none; "" where there are.
    """

    paths: dict[ClipKey, Path] = field(default_factory=dict)
    reason: str = ""

    def path(self, clip: ClipKey) -> Path:
        """The film of a clip.

        Raises:
            InputError: the data set's table does not name it, or it is gone.
        """
        if clip not in self.paths:
            raise InputError(f"{CLIPS_FILE} does not name this clip")
        if size(self.paths[clip]) < 0:
            raise InputError("the film is gone")
        return self.paths[clip]

    def state(self) -> list[list[str | int]]:
        """What measurements on these films depend on: their clips, how many bytes each has, and when it was written."""
        return sorted([*clip, size(path), modified(path)] for clip, path in self.paths.items())


NO_FILMS = Films(reason="the films are not there: name the data set's folder with --films")


def find_films(faces_csv: Path, root: Path | None = None) -> Films:
    """The films of a table of crops.

    Args:
        faces_csv: the table.
        root: the data set's folder, with its `clips.csv`; None is the table's own folder, or the one above it, if it
            holds one.

    Raises:
        InputError: `root` holds no `clips.csv`, or the table that is found cannot be read.
    """
    places = [faces_csv.resolve().parent, faces_csv.resolve().parent.parent] if root is None else [root]
    there = next((place for place in places if (place / CLIPS_FILE).is_file()), None)
    if there is None:
        if root is not None:
            raise InputError(f"{root}: holds no {CLIPS_FILE}; make it with `torchfakes clips {root}`")
        return NO_FILMS
    clips = read_table(there / CLIPS_FILE, CLIP_COLUMNS)
    keys = clips[CLIP_KEY].itertuples(index=False, name=None)
    return Films({clip: there / path for clip, path in zip(keys, clips["path"], strict=True)})


def clip_name(clip: ClipKey) -> str:
    """How a clip is called where people read of it."""
    return "/".join(clip)


def why(error: InputError, path: Path | None = None) -> str:
    """What an error says, without the path that it begins with."""
    return str(error) if path is None else str(error).removeprefix(f"{path}: ")


def by_clip_of(faces: pd.DataFrame) -> list[tuple[ClipKey, pd.DataFrame]]:
    """The crops of each clip, in the order of their frames."""
    groups = faces.sort_values([*CLIP_KEY, "frame"], kind="stable").groupby(CLIP_KEY, sort=True)
    return [(tuple(map(str, clip)), rows) for clip, rows in groups]


def shared(boxes: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of boxes (N, 4) the share (N,) that lies in places (N, 4) or (4,), and the intersection over union (N,)."""
    sides = np.minimum(boxes[:, 2:], places[..., 2:]) - np.maximum(boxes[:, :2], places[..., :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-6)
    whole = areas + (places[..., 2:] - places[..., :2]).prod(axis=-1) - both
    return both / areas, both / whole


def check_frames(path: Path, rows: pd.DataFrame) -> int:
    """See that a film has the frames that a clip's crops were cut from; return how many it has in all.

    Raises:
        InputError: it has not, or nothing says where in them the crops lie.
    """
    if rows[SQUARE].isna().any(axis=None) or (rows["x2"] <= rows["x1"]).any():
        raise InputError("the table does not say where in the frames its crops lie")
    total = length(path)
    if (last := int(rows["frame"].max())) >= total:
        raise InputError(f"the film has changed: it has {total} frames, and the table names frame {last}")
    return total


def check_crop(frame: np.ndarray, row: pd.Series) -> int:
    """See that a crop is cut from a frame (H, W, 3) uint8 RGB, where the table says; return its edge, px.

    Raises:
        InputError: it is not, or cannot be read.
    """
    stored = try_crop(row["file"])
    if isinstance(stored, Unreadable):
        raise InputError("a crop of it cannot be read")
    pixels = stored.permute(1, 2, 0).numpy()
    if pixels.shape[0] != pixels.shape[1]:
        raise InputError("its crops are not square: `torchfakes extract` has not cut them")
    again = cut(frame, row[SQUARE].to_numpy(float), len(pixels))
    if float(np.abs(again.astype(np.int16) - pixels).mean()) > _MOST_DIFFERENT:
        raise InputError(
            f"the film has changed: its frame {int(row['frame'])} does not show the crop where the table says"
        )
    return len(pixels)


def cut(frame: np.ndarray, square: Sequence[float] | np.ndarray, edge: int) -> np.ndarray:
    """A crop (edge, edge, 3), as extraction cuts it, of the square that `faces.csv` stores."""
    return square_crop(frame, square, 1.0, edge)[0]
