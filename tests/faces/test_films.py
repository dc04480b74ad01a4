"""A fake and its original belong together by film, compression and frame, not by who is seen."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.datasets.layouts import index_clips
from torchfakes_utils.faces.films import NOWHERE, films, moments, splits_of_originals
from torchfakes_utils.io.tables import INDEX_COLUMNS, read_table

FOLDERS = {
    "celeb-df": [
        *(f"Celeb-real/{name}" for name in ("id0_0000", "id0_0001", "id1_0000")),
        *(f"Celeb-synthesis/{name}" for name in ("id0_id1_0000", "id0_id1_0001", "id1_id0_0003")),
        "YouTube-real/00000",
    ],
    "faceforensics": [
        *(f"original_sequences/actors/c23/videos/{name}" for name in ("01__exit", "01__walk", "02__exit")),
        *(f"original_sequences/youtube/c23/videos/{name}" for name in ("000", "003")),
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__exit__AAAAAAAA",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walk__BBBBBBBB",
        "manipulated_sequences/Deepfakes/c23/videos/000_003",
    ],
    "labelled": ["real/000", "real/003", "real/7", "fake/000_003", "fake/7", "fake/other"],
}
EXPECTED = {
    "celeb-df": {"id0_id1_0000": "id0_0000", "id0_id1_0001": "id0_0001", "id1_id0_0003": ""},
    "faceforensics": {"01_02__exit__AAAAAAAA": "01__exit", "01_02__walk__BBBBBBBB": "01__walk", "000_003": "000"},
    # real/7 and fake/7 may be numbered by chance.
    "labelled": {"000_003": "000", "7": "", "other": ""},
}


def indexed(folder, layout):
    """What `torchfakes clips` makes of a folder with these names."""
    for name in FOLDERS[layout]:
        path = folder / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (folder / "List_of_testing_videos.txt").write_text("1 YouTube-real/00000.mp4\n")
    return read_table(index_clips(folder, layout=layout), INDEX_COLUMNS)


@pytest.mark.parametrize("layout", list(FOLDERS))
def test_the_film_of_a_fake_in_every_layout(tmp_path, layout):
    clips = indexed(tmp_path, layout)
    found = films(clips)
    fake = clips["label"] == 1
    assert dict(zip(clips["clip_id"][fake], found[fake], strict=True)) == EXPECTED[layout]
    assert (found[~fake] == clips["clip_id"][~fake]).all()


@pytest.mark.parametrize("layout", list(FOLDERS))
def test_without_the_column_only_targets_that_are_films_tell(tmp_path, layout):
    clips = indexed(tmp_path, layout).drop(columns="original_id")
    fake = clips["label"] == 1
    told = dict(zip(clips["clip_id"][fake], films(clips)[fake], strict=True))
    known = {"faceforensics": {"000_003": "000"}, "labelled": {"000_003": "000", "7": "7"}}
    assert {name: film for name, film in told.items() if film} == known.get(layout, {})


def table(*rows):
    columns = ["clip_id", "label", "method", "target_id", "original_id", "compression", "frame"]
    return pd.DataFrame(rows, columns=columns, index=range(50, 50 + len(rows)))


def test_a_target_with_another_film_is_a_person():
    rows = table(("anna", 0, "real", "anna", "", "c23", 0), ("anna_2", 0, "real", "anna", "", "c23", 0))
    rows = pd.concat([rows, table(("x", 1, "fake", "anna", "", "c23", 0))]).drop(columns="original_id")
    assert films(rows).tolist() == ["anna", "anna_2", ""]
    assert films(rows[rows["clip_id"] != "anna_2"]).tolist() == ["anna", "anna"]


def test_two_originals_of_one_name_are_none():
    rows = table(
        ("a", 0, "real", "a", "", "c23", 0), ("a", 0, "original", "a", "", "c23", 0),
        ("a_b", 1, "fake", "a", "a", "c23", 0), ("a_b", 1, "fake", "a", "a", "c40", 0),
    )  # fmt: skip
    assert films(rows).tolist() == ["a", "a", "", "a"]
    assert moments(rows)[2] == -1


def test_moments_are_of_a_film_a_compression_and_a_frame():
    rows = table(
        ("000", 0, "youtube", "000", "000", "c23", 5), ("000_003", 1, "Deepfakes", "000", "000", "c23", 5),
        ("000_003", 1, "FaceSwap", "000", "000", "c23", 5), ("000_003", 1, "FaceSwap", "000", "000", "c23", 6),
        ("000_003", 1, "FaceSwap", "000", "000", "c40", 5), ("x", 1, "fake", "000", "", "c23", 5),
        ("y", 1, "fake", "000", np.nan, "c23", 5),
    )  # fmt: skip
    found = moments(rows)
    assert found[0] == found[1] == found[2] and len({*found[2:5]}) == 3 and (found[5:] == -1).all()


def test_of_nothing_there_is_nothing():
    assert films(table()).empty and len(moments(table())) == 0


@given(st.permutations(range(8)))
def test_the_order_of_the_rows_does_not_matter(order):
    rows = table(
        *((name, 0, "real", "p", name, "c23", 0) for name in ("a", "b")),
        *((f"{name}_{number}", 1, "fake", "p", name, "c23", 0) for name in ("a", "b", "") for number in (0, 1)),
    )
    found, shuffled = films(rows), films(rows.iloc[list(order)])
    assert (shuffled.sort_index() == found).all()


def test_where_originals_lie():
    """By name, whatever the compression; one whose frames lie on several sides, beside each fake."""
    rows = [
        ("a", 0, "train", "", "c23", ""), ("b", 0, "test", "", "c40", ""), ("c", 0, "train", "", "c23", ""),
        ("c", 0, "val", "", "c23", ""), ("a_1", 1, "val", "a", "c23", "train"), ("b_1", 1, "train", "b", "c23", "test"),
        ("c_1", 1, "val", "c", "c23", "val"), ("c_2", 1, "train", "c", "c23", "train"),
        ("d_1", 1, "train", "d", "c23", NOWHERE), ("e_1", 1, "train", "", "c23", ""),
    ]  # fmt: skip
    faces = pd.DataFrame(rows, columns=["clip_id", "label", "split", "original_id", "compression", "expected"])
    faces = faces.assign(method=faces["label"].map({0: "real", 1: "swap"}), target_id="")
    faces = faces.sample(frac=1, random_state=0)
    assert splits_of_originals(faces).tolist() == faces["expected"].tolist()
