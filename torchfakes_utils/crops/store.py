"""Crops for training, fast: decoded once into one file that is mapped into memory.

Decoding a picture costs some milliseconds, again in every epoch; a copy out of mapped memory costs a hundredth of
that. The system keeps in memory as much of the file as there is room for, and reads the rest as it is asked for, so
that a data set may be larger than the memory.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from torchfakes_utils.crops.table import Unreadable, try_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.models.preprocessing import PREPROCESSING_VERSION, Preprocessing

logger = logging.getLogger(__name__)

CACHES = ("auto", "off")

# Threads that decode: Pillow and zlib let go of Python's lock. More than this only wait for the disk.
_READERS = min(8, os.cpu_count() or 1)
# Crops decoded at a time while the file is written.
_CHUNK = 256
# What has to stay free on the disk, as a share of the file.
_SPARE = 1.2


@dataclass(frozen=True)
class CropStore:
    """The crops of a whole table, row by row, at the network's size.

    Attributes:
        files: the crops' absolute paths.
        preprocessing: brings them to the network's size.
        array: (N, 3, S, S) uint8, mapped into memory, or None where the files themselves are read each time.
        unreadable: the reasons of rows that cannot be decoded, by row; known beforehand with an array only.
    """

    files: Sequence[str]
    preprocessing: Preprocessing
    array: NDArray[np.uint8] | None
    unreadable: dict[int, str]

    def __len__(self) -> int:
        return len(self.files)

    def rows(self, faces: pd.DataFrame) -> NDArray[np.int64]:
        """Where the crops of a part of the table are, (M,) int64."""
        place = {file: row for row, file in enumerate(self.files)}
        return np.array([place[file] for file in faces["file"]], dtype=np.int64)

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> tuple[torch.Tensor, NDArray[np.bool_]]:
        """Some crops, (K, 3, S, S) uint8, and which of `rows` they are, (len(rows),) bool: K of them could be read."""
        places = np.asarray(rows, dtype=np.int64)
        if self.array is not None:
            good = np.array([row not in self.unreadable for row in places.tolist()], dtype=np.bool_)
            return torch.from_numpy(self.array[places[good]]), good
        crops, size = [], self.preprocessing.size
        for row in places.tolist():
            crop = try_crop(self.files[row], self.preprocessing)
            if isinstance(crop, Unreadable):
                self.unreadable[row] = crop.reason
            else:
                crops.append(crop)
        good = np.array([row not in self.unreadable for row in places.tolist()], dtype=np.bool_)
        return torch.stack(crops) if crops else torch.empty(0, 3, size, size, dtype=torch.uint8), good


def open_store(faces: pd.DataFrame, preprocessing: Preprocessing, cache: str = "auto") -> CropStore:
    """The crops of a table from `load_faces`; decoded into `.cache` beside the table's crops, unless that is done.

    Give the whole table, whichever part of it is needed: the file then serves every run on it. A crop that has changed
    since, by its size or time, makes the cache anew. Where it cannot be written, or the disk has no room for it, the
    files are read each time: slower, and said in a line.

    Args:
        faces: a table from `load_faces`.
        preprocessing: the network's size is what is kept.
        cache: "auto", or "off" to read the files each time.

    Raises:
        InputError: no such kind of cache.
    """
    if cache not in CACHES:
        raise InputError(f"no cache {cache!r}; choose one of {', '.join(CACHES)}")
    files = faces["file"].tolist()
    bare = CropStore(files, preprocessing, None, {})
    if cache == "off" or not files:
        return bare
    folder = _common_folder(faces) / ".cache"
    name = f"crops-{preprocessing.size}-{_fingerprint(faces, preprocessing)}"
    path, record = folder / f"{name}.npy", folder / f"{name}.json"
    store = _opened(path, record, bare)
    if store is not None:
        return store
    try:
        _check_room(folder, len(files), preprocessing.size)
        _write(path, record, bare)
        _forget_others(folder, preprocessing.size, name)
    except InputError as error:
        logger.warning("crops are decoded again in every epoch, for they cannot be kept: %s", error)
        return bare
    return _opened(path, record, bare) or bare


def _common_folder(faces: pd.DataFrame) -> Path:
    """The folder of the table: what every crop's path is relative to."""
    file, path = faces["file"].iloc[0], faces["path"].iloc[0]
    return Path(file.removesuffix(path)) if file.endswith(path) else Path(file).parent


def _fingerprint(faces: pd.DataFrame, preprocessing: Preprocessing) -> str:
    """Changes when any crop does, or the way it is brought to size."""
    digest = hashlib.sha256(f"{PREPROCESSING_VERSION} {preprocessing.size}\n".encode())
    for path, file in zip(faces["path"], faces["file"], strict=True):
        status = Path(file).stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _opened(path: Path, record: Path, bare: CropStore) -> CropStore | None:
    """The store over a file that is there and whole."""
    try:
        unreadable = {int(row): reason for row, reason in json.loads(record.read_text(encoding="utf-8")).items()}
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, AttributeError):
        return None
    size = bare.preprocessing.size
    if array.shape != (len(bare.files), 3, size, size) or array.dtype != np.uint8:
        return None
    return CropStore(bare.files, bare.preprocessing, array, unreadable)


def _check_room(folder: Path, count: int, size: int) -> None:
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    needed = count * 3 * size * size * _SPARE
    free = shutil.disk_usage(there).free
    if free < needed:
        raise InputError(f"{folder}: {needed / 2**30:.1f} GiB are needed and {free / 2**30:.1f} GiB free")


def _write(path: Path, record: Path, bare: CropStore) -> None:
    """Decode everything into one file, whole or not at all; the record comes last and makes it count."""
    size, unreadable = bare.preprocessing.size, dict[int, str]()
    chunks = [range(start, min(start + _CHUNK, len(bare))) for start in range(0, len(bare), _CHUNK)]
    with atomic_write(path) as temporary, ThreadPoolExecutor(_READERS) as pool:
        # Written like any file, not through a mapping: a full disk is then an error, and not a signal that kills.
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(bare), 3, size, size)}
        with temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for chunk in chunks:
                crops = pool.map(try_crop, [bare.files[row] for row in chunk], [bare.preprocessing] * len(chunk))
                for row, crop in zip(chunk, crops, strict=True):
                    if isinstance(crop, Unreadable):
                        unreadable[row] = crop.reason
                        file.write(bytes(3 * size * size))
                    else:
                        file.write(crop.numpy().tobytes())
    with atomic_write(record) as temporary:
        temporary.write_text(json.dumps(unreadable), encoding="utf-8")


def _forget_others(folder: Path, size: int, name: str) -> None:
    """Remove caches of this size that no crop fits any more."""
    for path in folder.glob(f"crops-{size}-*"):
        if path.stem != name:
            path.unlink(missing_ok=True)
