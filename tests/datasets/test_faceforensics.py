"""The index of a data set folder, and the splits: nobody is seen on both sides."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.datasets.faceforensics import (
    FAKE_METHODS,
    assign_splits,
    index,
    mask_path,
    with_reals,
    write_clips,
)
from torchfakes_utils.datasets.splits import read_splits
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_COLUMNS, CLIP_KEY, INDEX_COLUMNS, read_table


def touch(root: Path, *paths: str) -> Path:
    """Empty files: the index reads names only."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def real(name: str, compression: str = "c23", folder: str = "youtube") -> str:
    return f"original_sequences/{folder}/{compression}/videos/{name}.mp4"


def fake(name: str, method: str = "Deepfakes", compression: str = "c23") -> str:
    return f"manipulated_sequences/{method}/{compression}/videos/{name}.mp4"


def write_splits(folder: Path, **splits: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val", "test"):
        (folder / f"{split}.json").write_text(json.dumps(splits.get(split, [])), encoding="utf-8")
    return folder


def test_index_of_a_whole_folder(tmp_path: Path) -> None:
    compressions = ("raw", "c23", "c40")
    methods = FAKE_METHODS[:5]
    reals = [real(name, compression) for name in ("000", "003") for compression in compressions]
    fakes = [
        fake(pair, method, level) for pair in ("000_003", "003_000") for method in methods for level in compressions
    ]
    masks = [f"manipulated_sequences/{method}/masks/videos/000_003.mp4" for method in methods]
    clips = index(touch(tmp_path, *reals, *fakes, *masks))
    assert clips.columns.tolist() == INDEX_COLUMNS
    assert len(clips) == 6 + 30
    assert not clips.duplicated(CLIP_KEY).any()
    assert set(clips["path"]) == {*reals, *fakes}
    assert clips.equals(clips.sort_values(["label", "method", "compression", "clip_id"], ignore_index=True))
    assert (clips["split"] == "").all()
    first = clips[clips["path"] == fake("003_000", "FaceShifter", "c40")].iloc[0]
    assert first[["clip_id", "label", "method", "target_id", "source_id"]].tolist() == [
        "003_000", 1, "FaceShifter", "003", "000",
    ]  # fmt: skip
    youtube = clips[clips["path"] == real("003", "raw")].iloc[0]
    assert youtube[["clip_id", "label", "method", "target_id", "source_id"]].tolist() == [
        "003",
        0,
        "youtube",
        "003",
        "",
    ]


def test_two_methods_and_one_compression(tmp_path: Path) -> None:
    touch(tmp_path, real("000", "c40"), fake("000_003", "FaceSwap", "c40"), fake("000_003", "Face2Face", "c40"))
    clips = index(tmp_path)
    assert clips["method"].tolist() == ["youtube", "Face2Face", "FaceSwap"]
    assert set(clips["compression"]) == {"c40"}


def test_fakes_alone_or_reals_alone_are_an_index_too(tmp_path: Path) -> None:
    assert index(touch(tmp_path / "a", fake("000_003")))["label"].tolist() == [1]
    assert index(touch(tmp_path / "b", real("000")))["label"].tolist() == [0]


def test_actors_and_deepfakedetection(tmp_path: Path) -> None:
    touch(
        tmp_path,
        real("01__walking_outside_cafe_disgusted", folder="actors"),
        fake("01_02__walking_outside_cafe_disgusted__YVGY8LOK", "DeepFakeDetection"),
    )
    clips = index(tmp_path)
    assert clips["method"].tolist() == ["actors", "DeepFakeDetection"]
    assert clips["target_id"].tolist() == ["01", "01"]
    assert clips["source_id"].tolist() == ["", "02"]
    assert clips["clip_id"].tolist()[1] == "01_02__walking_outside_cafe_disgusted__YVGY8LOK"
    assert clips["original_id"].tolist() == ["", clips["clip_id"][0]]
    # No official split, so none is needed; all of it is a test on something unseen.
    table = read_table(write_clips(tmp_path), CLIP_COLUMNS)
    assert table["split"].tolist() == ["test", "test"]


def test_methods_and_compressions_can_be_chosen(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *[real("000", level) for level in ("c23", "c40")],
        *[fake("000_003", method, level) for method in FAKE_METHODS[:4] for level in ("c23", "c40")],
        real("01__exit", folder="actors"),
    )
    clips = index(tmp_path, methods=["FaceSwap"], compressions=["c40"])
    assert clips["path"].tolist() == [real("000", "c40"), fake("000_003", "FaceSwap", "c40")]
    assert with_reals(["DeepFakeDetection"]) == ["actors", "DeepFakeDetection"]
    assert with_reals(["FaceSwap", "youtube", "Deepfakes"]) == ["youtube", "FaceSwap", "Deepfakes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["Deepfake"]}, "unknown method 'Deepfake'; FaceForensics\\+\\+ has Deepfakes, Face2Face"),
        ({"compressions": ["c24"]}, "unknown compression 'c24'; FaceForensics\\+\\+ has raw, c23, c40"),
        ({"methods": ["FaceShifter"], "compressions": ["raw"]}, "no videos found for FaceShifter, raw"),
    ],
)
def test_what_is_not_there(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        index(touch(tmp_path, real("000")), **arguments)


def test_names_that_do_not_parse_are_counted_not_fatal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(
        tmp_path,
        real("000"),
        real("000 (1)"),
        real("._000"),
        fake("000"),
        fake("000_003_004"),
        real("notes")[:-3] + "txt",
    )
    with caplog.at_level(logging.WARNING):
        clips = index(tmp_path)
    assert clips["clip_id"].tolist() == ["000"]
    assert len(caplog.records) == 1
    assert "4 files left out" in caplog.text


def test_empty_or_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder.*original_sequences/youtube/<compression>/videos"):
        index(tmp_path / "nowhere")
    with pytest.raises(InputError, match="the folder holds nothing.*original_sequences"):
        index(tmp_path)
    touch(tmp_path, *[f"photo{number}.jpg" for number in range(9)])
    with pytest.raises(InputError, match="the folder holds photo0.jpg, .*photo4.jpg …") as caught:
        index(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such folder"):
        index(tmp_path / "photo0.jpg")


def test_splits_in_official_form(tmp_path: Path) -> None:
    """720/140/140 videos come of 360/70/70 pairs, and a thousand fakes per method of their two directions."""
    names = [f"{number:03d}" for number in np.random.default_rng(0).permutation(1000)]
    pairs = list(zip(names[::2], names[1::2], strict=True))
    folder = write_splits(tmp_path, train=pairs[:360], val=pairs[360:430], test=pairs[430:])
    rows = [real(name) for name in names]
    rows += [fake(f"{a}_{b}", method) for pair in pairs for a, b in (pair, pair[::-1]) for method in FAKE_METHODS[:4]]
    clips = pd.DataFrame(
        {
            "method": [Path(row).parts[1] for row in rows],
            "target_id": [Path(row).stem.split("_")[0] for row in rows],
            "source_id": [([*Path(row).stem.split("_"), ""])[1] for row in rows],
        }
    )
    assigned = assign_splits(clips, read_splits(folder))
    assert "split" not in clips  # the argument is left alone
    counts = assigned.groupby(["method", "split"]).size()
    for method in ("youtube", *FAKE_METHODS[:4]):
        assert counts[method].to_dict() == {"train": 720, "val": 140, "test": 140}


@st.composite
def people_and_splits(draw: st.DrawFn) -> tuple[dict, list[tuple[str, str]]]:
    """Any disjoint splits of any people (some in none), and any fakes among them, official pairs or not."""
    names = [f"{number:03d}" for number in range(draw(st.integers(2, 14)))]
    sides = [draw(st.sampled_from(["train", "val", "test", "none"])) for _ in names]
    splits: dict = {"train": [], "val": [], "test": []}
    for split in splits:
        members = draw(st.permutations([name for name, side in zip(names, sides, strict=True) if side == split]))
        splits[split] = [(members[i], members[(i + 1) % len(members)]) for i in range(0, len(members), 2)]
    fakes = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=30))
    return splits, fakes


@given(people_and_splits())
def test_both_ids_of_a_fake_are_on_one_side(drawn: tuple[dict, list[tuple[str, str]]]) -> None:
    """Whatever the splits: who is seen in one of them, as a target, a source or themselves, is seen in no other."""
    splits, fakes = drawn
    names = sorted({name for pair in fakes for name in pair})
    clips = pd.DataFrame(
        [{"method": "youtube", "target_id": name, "source_id": ""} for name in names]
        + [{"method": "FaceSwap", "target_id": target, "source_id": source} for target, source in fakes],
        columns=["method", "target_id", "source_id"],
    )
    assigned = assign_splits(clips, splits)
    used = assigned[assigned["split"] != ""]
    shown = {
        split: set(group["target_id"]) | (set(group["source_id"]) - {""}) for split, group in used.groupby("split")
    }
    for split, members in shown.items():
        assert members <= {name for pair in splits[split] for name in pair}
        for other in set(shown) - {split}:
            assert not members & shown[other]
    # And nothing is left out that could stay: a clip without a split has an id in none, or ids on two sides.
    side = {name: split for split, pairs in splits.items() for pair in pairs for name in pair}
    for clip in assigned[assigned["split"] == ""].to_dict("records"):
        sides = {side.get(name) for name in (clip["target_id"], clip["source_id"]) if name}
        assert None in sides or len(sides) == 2


def test_pair_across_splits_and_unknown_ids_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    clips = pd.DataFrame(
        [("Deepfakes", "000", "001"), ("Deepfakes", "000", "002"), ("youtube", "009", ""), ("youtube", "002", "")],
        columns=["method", "target_id", "source_id"],
    )
    with caplog.at_level(logging.WARNING):
        assigned = assign_splits(clips, {"train": [("000", "001")], "val": [], "test": [("002", "003")]})
    assert assigned["split"].tolist() == ["train", "", "", "test"]
    assert "2 of 4 clips are in no split" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "malformed"),
        ('{"000": "003"}', "a list of pairs of ids is expected, such as .*, as in dataset/splits at https"),
        ('[["000", "003"], ["001"]]', r"\$\[1\]"),
        ("[[0, 3]]", r"got `int` - at `\$\[0\]\[0\]`"),
        ('["000", "003"]', "got `str`"),
        ('[["000", ""]]', "length >= 1"),
        ('[["000", "001"]]', "id 00[01] is in both train and test"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b'[["\xff", "001"]]', "cannot be read"),
    ],
)
def test_split_files_that_cannot_be_used(tmp_path: Path, content: str | bytes, message: str) -> None:
    folder = write_splits(tmp_path, train=[["000", "001"]])
    (folder / "test.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_splits(folder)
    assert "\n" not in str(caught.value)


def test_split_file_that_is_not_there(tmp_path: Path) -> None:
    touch(tmp_path, real("000"), fake("000_003"), "splits/test.json")
    with pytest.raises(InputError, match=r"train\.json: .*\(No such file.*dataset/splits.*ondyari/FaceForensics"):
        write_clips(tmp_path)
    assert not (tmp_path / "clips.csv").exists()


def test_a_folder_that_was_copied_by_hand_is_split_at_once(tmp_path: Path) -> None:
    """071 and 054 are for training, 953 and 974 for the test; 756 and 755 are one video, officially on two sides."""
    touch(tmp_path, *map(real, ("071", "054", "953", "974", "755", "756")), fake("071_054"), fake("953_974"))
    for rule, of_755 in (("official", "test"), ("strict", "train")):
        clips = read_table(write_clips(tmp_path, rule=rule), CLIP_COLUMNS).set_index("clip_id")
        assert clips.loc[["071", "054", "071_054", "756"], "split"].tolist() == ["train"] * 4
        assert clips.loc[["953", "974", "953_974"], "split"].tolist() == ["test"] * 3
        assert clips.loc["755", "split"] == of_755


def test_write_clips(tiny_ffpp: Path, tmp_path: Path) -> None:
    path = write_clips(tiny_ffpp, tmp_path / "elsewhere" / "clips.csv")
    clips = read_table(path, CLIP_COLUMNS)
    assert len(clips) == 18
    assert clips["split"].value_counts().to_dict() == {"train": 6, "val": 6, "test": 6}
    # Paths are relative to the folder of the table, wherever that is.
    assert all((path.parent / name).is_file() for name in clips["path"])
    assert clips["target_id"].str.len().eq(3).all()


def test_write_clips_where_nothing_can_be_written(tiny_ffpp: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        write_clips(tiny_ffpp, tmp_path / "file" / "clips.csv")


def test_masks(tiny_ffpp: Path) -> None:
    for clip in index(tiny_ffpp).to_dict("records"):
        path = mask_path(clip)
        assert path is None if clip["label"] == 0 else (tiny_ffpp / path).is_file()
    shifted = {"label": 1, "method": "FaceShifter", "clip_id": "000_003"}
    assert mask_path(shifted) is None
    swapped = shifted | {"method": "FaceSwap"}
    assert mask_path(swapped) == "manipulated_sequences/FaceSwap/masks/videos/000_003.mp4"
