"""DF40 as it is given out: fakes by method and source, and their originals beside them."""

import logging

import pytest
from PIL import Image

from torchfakes_utils.datasets.layouts import index_clips, recognise
from torchfakes_utils.io.tables import INDEX_COLUMNS, read_table


def frames(folder, count=2):
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (8, 8)).save(folder / f"{number:03d}.png")


@pytest.fixture
def root(tmp_path):
    for name in ("000_003", "953_974"):
        frames(tmp_path / "simswap/ff/frames" / name)
        frames(tmp_path / "ddim/ff" / name)
    frames(tmp_path / "simswap/cdf/frames/id0_id1_0000")
    frames(tmp_path / "blendface/blendface/cdfv2/frames/id1_id0_0001")  # as one archive unpacks
    (tmp_path / "sadtalker/ff").mkdir(parents=True)
    (tmp_path / "sadtalker/ff/000_003.mp4").touch()
    (tmp_path / "VQGAN/ff").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"VQGAN/ff/{number}.png")
    for kind in ("real", "fake"):
        frames(tmp_path / "heygen" / kind / "clip1")
    for name in ("000", "953", "003"):
        frames(tmp_path / "FaceForensics++/original_sequences/youtube/c23/frames" / name)
    frames(tmp_path / "Celeb-DF-v2/Celeb-real/frames/id0_0000")
    frames(tmp_path / "Celeb-DF-v2/YouTube-real/frames/00001")
    return tmp_path


def test_df40(root):
    assert recognise(root) == "df40"
    clips = read_table(index_clips(root), INDEX_COLUMNS)
    counts = clips.groupby("method").size().to_dict()
    assert counts == {
        "simswap": 3, "ddim": 2, "blendface": 1, "sadtalker": 1, "VQGAN": 3, "heygen": 1, "heygen real": 1,
        "youtube": 3, "Celeb-real": 1, "YouTube-real": 1,
    }  # fmt: skip
    assert set(clips.loc[clips["label"] == 0, "method"]) == {"youtube", "Celeb-real", "YouTube-real", "heygen real"}
    assert all((root / path).exists() for path in clips["path"])
    by_key = clips.set_index(["method", "clip_id"])
    columns = ["target_id", "source_id", "original_id"]
    assert by_key.loc[("simswap", "000_003"), columns].tolist() == ["000", "003", "000"]
    assert by_key.loc[("simswap", "id0_id1_0000"), columns].tolist() == ["id0", "id1", "id0_0000"]
    assert by_key.loc[("blendface", "id1_id0_0001"), columns].tolist() == ["id1", "id0", ""], (
        "its original is not there"
    )
    assert by_key.loc[("VQGAN", "0"), "original_id"] == "", "which nobody can be told from"


def test_films_of_faceforensics_are_split_as_it_is_and_all_else_is_test(root):
    clips = read_table(index_clips(root), INDEX_COLUMNS).set_index(["method", "clip_id"])["split"]
    official = {"000": "test", "003": "test", "953": clips["youtube", "953"]}
    assert official["953"] == clips["simswap", "953_974"] == clips["ddim", "953_974"] != ""
    assert clips["youtube", "000"] == clips["simswap", "000_003"] == clips["sadtalker", "000_003"] != ""
    for key in (("simswap", "id0_id1_0000"), ("VQGAN", "0"), ("heygen", "clip1"), ("Celeb-real", "id0_0000")):
        assert clips[key] == "test"


def test_fakes_alone_are_said(root, caplog):
    import shutil

    for name in ("FaceForensics++", "Celeb-DF-v2", "heygen"):
        shutil.rmtree(root / name)
    with caplog.at_level(logging.WARNING):
        clips = read_table(index_clips(root), INDEX_COLUMNS)
    assert (clips["label"] == 1).all() and "no real clips; put FaceForensics++ and Celeb-DF-v2" in caplog.text


def test_a_folder_without_ff_or_cdf_is_something_else(tmp_path):
    frames(tmp_path / "real/a")
    frames(tmp_path / "fake/b")
    assert recognise(tmp_path) == "labelled"
