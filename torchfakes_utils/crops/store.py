"""Crops for training, fast: decoded once into one file that is mapped into memory.

A copy out of mapped memory costs a hundredth of decoding, again in every epoch. The system keeps in memory as much of
the file as there is room for, and reads the rest when asked, so that a data set may be larger than the memory.
"""

import hashlib
import json
import logging
import os
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
from torchfakes_utils.io.files import atomic_write, check_room
from torchfakes_utils.models.preprocessing import PREPROCESSING_VERSION, Preprocessing

logger = logging.getLogger(__name__)

CACHES = ("auto", "off")

# Threads that decode: Pillow and zlib let go of Python's lock. More than this only wait for the disk.
_READERS = min(8, os.cpu_count() or 1)
# Crops decoded at a time while the file is written.
_CHUNK = 256
# Raised whenever `read_crop` gives other pixels for the same file, so that what was decoded before is decoded anew.
_READER_VERSION = 2
# What has to stay free on the disk, as a share of the file.
_SPARE = 1.2


@dataclass(frozen=True)
class CropStore:
    """The crops of a whole table, row by row, at the network's size."""

    files: Sequence[str]  # absolute paths
    preprocessing: Preprocessing
    array: NDArray[np.uint8] | None  # (N, 3, S, S), mapped into memory; None where the files are read each time
    unreadable: dict[int, str]  # why rows cannot be decoded, by row; known beforehand with an array only

    def __len__(self) -> int:
        return len(self.files)

    @property
    def kept_in(self) -> str | None:
        """The folder of the decoded crops and how large their file is; None where there is none."""
        if not isinstance(self.array, np.memmap):
            return None
        return f"{Path(str(self.array.filename)).parent} ({self.array.nbytes / 1e6:,.0f} MB)"

    def rows(self, faces: pd.DataFrame) -> NDArray[np.int64]:
        """Where the crops of a part of the table are, (M,) int64."""
        place = {file: row for row, file in enumerate(self.files)}
        return np.array([place[file] for file in faces["file"]], dtype=np.int64)

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> tuple[torch.Tensor, NDArray[np.bool_]]:
        """Some crops, (K, 3, S, S) uint8, and which of `rows` they are, (len(rows),) bool: K of them could be read."""
        places = np.asarray(rows, dtype=np.int64)
        crops, size = [], self.preprocessing.size
        if self.array is None:
            for row in places.tolist():
                crop = try_crop(self.files[row], self.preprocessing)
                if isinstance(crop, Unreadable):
                    self.unreadable[row] = crop.reason
                else:
                    crops.append(crop)
        good = np.array([row not in self.unreadable for row in places.tolist()], dtype=np.bool_)
        if self.array is not None:
            return torch.from_numpy(self.array[places[good]]), good
        return torch.stack(crops) if crops else torch.empty(0, 3, size, size, dtype=torch.uint8), good


def open_store(faces: pd.DataFrame, preprocessing: Preprocessing, cache: str = "auto") -> CropStore:
    """The crops of a table from `load_faces`; decoded into `.cache` beside the table's crops, unless that is done.

    Give the whole table, whichever part of it is needed: the file then serves every run on it. A crop that has changed
    since, by its size or time, makes the cache anew. Where it cannot be written, or the disk has no room for it, the
    files are read each time, as with a cache that is "off": slower, and said in a line.

    Raises:
        InputError: no such kind of cache.
    """
    if cache not in CACHES:
        raise InputError(f"no cache {cache!r}; choose one of {', '.join(CACHES)}")
    files = faces["file"].tolist()
    bare = CropStore(files, preprocessing, None, {})
    if cache == "off" or not files:
        return bare
    if Path(faces["path"].iloc[0]).is_absolute():  # the folder that they are in is no folder of ours
        logger.warning("crops are decoded again in every epoch: their paths in faces.csv are absolute")
        return bare
    folder = _common_folder(faces) / ".cache"
    name = f"crops-{preprocessing.size}-{_fingerprint(faces, preprocessing)}"
    path, record = folder / f"{name}.npy", folder / f"{name}.json"
    if store := _opened(path, record, bare):
        return store
    try:
        check_room(folder, round(_SPARE * len(files) * 3 * preprocessing.size**2))
        _write(path, record, bare)
    except InputError as error:
        logger.warning("crops are decoded again in every epoch, for they cannot be kept: %s", error)
        return bare
    for other in folder.glob(f"crops-{preprocessing.size}-{'[0-9a-f]' * 16}.*"):  # which no crop fits any more
        if not folder.is_symlink() and other.stem != name and other.suffix in (".npy", ".json"):
            other.unlink(missing_ok=True)
    return _opened(path, record, bare) or bare


def _common_folder(faces: pd.DataFrame) -> Path:
    """The folder of the table: what every crop's path is relative to."""
    file, path = faces["file"].iloc[0], faces["path"].iloc[0]
    return Path(file.removesuffix(path)) if file.endswith(path) else Path(file).parent


def _fingerprint(faces: pd.DataFrame, preprocessing: Preprocessing) -> str:
    """Changes when any crop does, or the way it is read or brought to size."""
    digest = hashlib.sha256(f"{PREPROCESSING_VERSION} {_READER_VERSION} {preprocessing.size}\n".encode())
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
