"""What an extraction remembers of a clip that is done: its *part*, a small JSON file, written last of all.

It holds the clip's rows of `faces.csv`, and by what it is noticed that they are out of date. Whatever was stopped
before its part was written is done again from the start.
"""

import json
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from torchfakes_utils.io.clips import size
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.names import path_below


class Clip(TypedDict):
    """A row of `clips.csv`, and the folders of its crops, as method, compression and clip are called on disk."""

    clip_id: str
    path: str
    label: int
    method: str
    compression: str
    target_id: str
    source_id: str
    split: str
    place: str
    original_id: NotRequired[str]


class Part(TypedDict):
    """What is remembered of a clip.

    Attributes:
        track: of a clip that was looked at itself: its `Track` as JSON, with `looked_at`, the frames' indices, and
            `length`, how many frames there are in all.
    """

    path: str
    bytes: int  # of the video, by which it is noticed that it was downloaded again
    original: str | None  # whose face it shows, by which it is noticed that this has come since
    original_bytes: int | None
    reason: str  # why there are no faces; "" where there are some
    faces: list[dict[str, Any]]  # rows of `faces.csv`, without the clip's columns
    track: NotRequired[dict[str, Any]]


def _place(clip: Clip) -> str:
    return f".parts/{clip['place']}.json"


def write_part(out: Path, clip: Clip, part: Part) -> None:
    """Remember that a clip is done.

    Raises:
        InputError: a link leads out of the folder, or it cannot be written to.
    """
    with atomic_write(path_below(out, _place(clip))) as temporary:
        temporary.write_text(json.dumps(part), encoding="utf-8")


def load_part(out: Path, clip: Clip) -> Part:
    """What was remembered of a clip, whether it still holds or not.

    Raises:
        OSError, ValueError: nothing was, or it is damaged.
    """
    part: Part = json.loads((out / _place(clip)).read_text(encoding="utf-8"))
    return part


def read_part(root: Path, out: Path, clip: Clip, original: Clip | None) -> Part | None:
    """What an earlier run remembered of a clip; None where it has to be done (again).

    That is so where the clip or its original has another size than then, or a crop is gone.
    """
    try:
        part = load_part(out, clip)
        now = new_part(root, clip, original) | {"reason": part["reason"], "faces": part["faces"]}
        return part if part | now == part and all((out / row["path"]).is_file() for row in part["faces"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def new_part(root: Path, clip: Clip, original: Clip | None) -> Part:
    """The part of a clip as it lies on disk now, without faces."""
    lender = None if original is None or original["path"] == clip["path"] else original["path"]
    return {
        "path": clip["path"],
        "bytes": size(root / clip["path"]),
        "original": lender,
        "original_bytes": None if lender is None else size(root / lender),
        "reason": "",
        "faces": [],
    }
