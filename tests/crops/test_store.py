import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops import store as module
from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.crops import make_faces

SIZE = 80


@pytest.fixture
def faces(tmp_path):
    return load_faces(make_faces(tmp_path, {"train": 2, "val": 1}, frames=2))


def caches(folder):
    """The cache lies beside the table, whose folder `faces` makes of `tmp_path`."""
    return sorted(path.name for path in (folder / ".cache").glob("*"))


@pytest.mark.parametrize("cache", ["auto", "off"])
def test_a_store_gives_the_very_crops_of_the_usual_way(faces, cache):
    preprocessing = Preprocessing(size=SIZE)
    store = open_store(faces, preprocessing, cache)
    rows = [3, 0, 5, 3]
    images, good = store.read(rows)
    assert good.all() and images.dtype == torch.uint8 and len(store) == len(faces)
    direct = torch.stack([preprocessing.apply(read_crop(faces["file"].iloc[row])) for row in rows])
    assert torch.equal(preprocessing.normalise(images), direct)
    assert store.rows(faces.iloc[[5, 1]]).tolist() == [5, 1]


def test_the_cache_is_made_once(faces, monkeypatch, tmp_path):
    open_store(faces, Preprocessing(size=SIZE))
    before = caches(tmp_path)
    assert len(before) == 2
    monkeypatch.setattr(module, "try_crop", lambda *_: pytest.fail("decoded again"))
    store = open_store(faces, Preprocessing(size=SIZE))
    assert caches(tmp_path) == before and isinstance(store.array, np.memmap)


def test_it_says_where_and_how_large_it_is(faces, tmp_path):
    assert open_store(faces, Preprocessing(size=SIZE), "off").kept_in is None
    said = open_store(pd.concat([faces] * 40, ignore_index=True), Preprocessing(size=SIZE)).kept_in
    assert said == f"{tmp_path / '.cache'} ({len(faces) * 40 * 3 * SIZE**2 / 1e6:.0f} MB)" and "(0 MB)" not in said


def test_a_changed_crop_makes_it_anew(faces, tmp_path):
    first = open_store(faces, Preprocessing(size=SIZE)).read([0])[0]
    shutil.copy(faces["file"].iloc[1], faces["file"].iloc[0])
    os.utime(faces["file"].iloc[0], ns=(1, 1))
    second = open_store(faces, Preprocessing(size=SIZE)).read([0])[0]
    assert not torch.equal(first, second) and len(caches(tmp_path)) == 2  # the old one is gone


def test_sizes_have_caches_of_their_own(faces, tmp_path):
    open_store(faces, Preprocessing(size=SIZE))
    open_store(faces, Preprocessing(size=96))
    assert len(caches(tmp_path)) == 4


@pytest.mark.parametrize("cache", ["auto", "off"])
def test_an_unreadable_crop_is_left_out_and_named(faces, cache):
    bad = faces["file"].iloc[2]
    Path(bad).write_bytes(b"no picture")
    store = open_store(faces, Preprocessing(size=SIZE), cache)
    images, good = store.read([1, 2, 3])
    assert good.tolist() == [True, False, True] and len(images) == 2
    assert list(store.unreadable) == [2] and bad in store.unreadable[2]
    assert len(store.read([2])[0]) == 0
    again = open_store(faces, Preprocessing(size=SIZE), cache)
    assert list(again.unreadable) == ([2] if cache == "auto" else [])  # remembered with the cache


@pytest.mark.parametrize("damage", ["cut", "record", "shape"])
def test_a_damaged_cache_is_made_anew(faces, damage, tmp_path):
    store = open_store(faces, Preprocessing(size=SIZE))
    expected = store.read([4])[0]
    folder = tmp_path / ".cache"
    array = next(folder.glob("*.npy"))
    if damage == "cut":
        array.write_bytes(array.read_bytes()[:1000])
    elif damage == "record":
        next(folder.glob("*.json")).write_text("[")
    else:
        np.save(array, np.zeros((1, 3, SIZE, SIZE), np.uint8))
    assert torch.equal(open_store(faces, Preprocessing(size=SIZE)).read([4])[0], expected)


def test_without_room_the_files_are_read(faces, monkeypatch, caplog, tmp_path):
    full = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with caplog.at_level(logging.WARNING):
        store = open_store(faces, Preprocessing(size=SIZE))
    assert store.array is None and store.read([0, 1])[1].all() and caches(tmp_path) == []
    assert "crops are decoded again in every epoch" in caplog.text and "0 MB are free" in caplog.text


def test_a_disk_that_fills_up_leaves_nothing_half_written(faces, monkeypatch, tmp_path):
    real, calls = np.lib.format.write_array_header_1_0, []

    def fails(file, header):
        real(file, header)
        calls.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", fails)
    assert open_store(faces, Preprocessing(size=SIZE)).array is None
    assert calls and caches(tmp_path) == []


def test_an_unknown_kind_of_cache(faces):
    with pytest.raises(InputError, match="no cache 'ram'; choose one of auto, off"):
        open_store(faces, Preprocessing(size=SIZE), "ram")


def test_the_record_is_plain_json(faces, tmp_path):
    Path(faces["file"].iloc[0]).write_bytes(b"")
    open_store(faces, Preprocessing(size=SIZE))
    record = next((tmp_path / ".cache").glob("*.json"))
    assert list(json.loads(record.read_text())) == ["0"]
