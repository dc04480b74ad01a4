import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from torchfakes_utils.crops.samplers import balanced_sampler
from torchfakes_utils.crops.table import (
    Unreadable,
    check_faces,
    left_out,
    limit_frames,
    load_faces,
    load_faces_for,
    read_crop,
    read_extraction,
    try_crop,
)
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import EXTRACTION_FORMAT
from torchfakes_utils.io.photos import to_rgb
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.crops import edited, make_faces
from helpers.detectors import opinionated


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"))


def test_load_faces_gives_one_split_with_files_that_exist(faces_csv):
    faces = load_faces(faces_csv, "train")
    assert set(faces["split"]) == {"train"} and len(faces) == 3 * 3 * 4
    assert list(faces.index) == list(range(len(faces)))
    assert (faces["clip_id"].str.len() >= 3).all()  # "000", not 0
    assert len(load_faces(faces_csv)) == 7 * 3 * 4
    crop = read_crop(faces["file"][0])
    assert crop.shape == (3, 96, 96) and crop.dtype == torch.uint8


def test_an_empty_split_names_those_that_there_are(faces_csv):
    with pytest.raises(InputError, match=r"no crops in split 'holdout'.*train 36"):
        load_faces(faces_csv, "holdout")


def test_no_table(tmp_path):
    with pytest.raises(InputError, match="no such table"):
        load_faces(tmp_path / "faces.csv")


def test_wrong_columns(faces_csv, tmp_path):
    path = edited(faces_csv, tmp_path, lambda table: table.drop(columns=["label", "frame"]))
    with pytest.raises(InputError, match="lacks the columns label, frame"):
        load_faces(path)


def test_a_table_without_rows(faces_csv, tmp_path):
    with pytest.raises(InputError, match="empty"):
        load_faces(edited(faces_csv, tmp_path, lambda table: table.head(0)))


def test_crops_that_are_gone_are_counted_and_the_first_is_named(faces_csv, tmp_path):
    def change(table):
        table.loc[[3, 5], "path"] = ["crops/gone.png", "crops/gone_too.png"]
        return table

    with pytest.raises(InputError) as error:
        load_faces(edited(faces_csv, tmp_path, change))
    assert "gone.png: no such crop (2 of 84 are gone)" in str(error.value)
    assert "\n" not in str(error.value)


def test_one_class_only(faces_csv):
    faces = load_faces(faces_csv)
    check_faces(faces, faces_csv, splits=("train", "val", "test"))
    without_real = faces[(faces["label"] == 1) | (faces["split"] != "val")]
    check_faces(without_real, faces_csv, splits=("train",))
    with pytest.raises(InputError, match=rf"^{re.escape(str(faces_csv))}: split 'val' has 0 real and 16 fake crops"):
        check_faces(without_real, faces_csv, splits=("train", "val"))
    with pytest.raises(InputError, match="one class"):
        balanced_sampler(faces[faces["label"] == 1], 10)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 crop is left out: a"),
        (3, "3 crops are left out: a; b; c"),
        (5, "5 crops are left out: a; b; c; and 2 more"),
    ],
)
def test_what_is_left_out_is_counted_and_the_first_are_named(count, said):
    assert left_out(list("abcde")[:count]) == said


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"])
def test_a_crop_that_is_no_picture(tmp_path, content):
    (tmp_path / "crop.png").write_bytes(content)
    with pytest.raises(InputError, match=r"crop\.png: this crop cannot be read"):
        read_crop(tmp_path / "crop.png")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "RGB", "1", "CMYK"])
def test_crops_are_rgb_whatever_they_were_stored_as(tmp_path, mode):
    colour = (255, 255, 255) if mode == "1" else (255, 0, 0)
    Image.new("RGB", (8, 6), colour).convert(mode).save(path := tmp_path / "crop.tif")
    crop = read_crop(path)
    assert crop.shape == (3, 6, 8) and crop.dtype == torch.uint8
    assert mode == "L" or crop[:, 0, 0].tolist() == list(colour)


def greys(dtype):
    """Noise of all grey levels of 8 bits, (6, 8); of 16 bits they are 0 to 65535."""
    levels = np.random.default_rng(0).permutation(np.linspace(0, 255, 48).astype(int)).reshape(6, 8)
    return (levels * (257 if dtype == np.uint16 else 1)).astype(dtype)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_crop_of_16_bits_is_its_version_of_8(tmp_path, ending):
    Image.fromarray(greys(np.uint16)).save(path := tmp_path / f"crop.{ending}")
    with Image.open(path) as image:
        assert image.mode.startswith("I;16")
    crop = read_crop(path).int().numpy()
    assert crop.shape == (3, 6, 8) and np.abs(crop - greys(np.uint8)).max() <= 1


@pytest.mark.parametrize(("dtype", "mode"), [(np.int32, "I"), (np.float32, "F")])
def test_a_crop_of_numbers_without_a_white_is_refused_in_a_line(tmp_path, dtype, mode):
    Image.fromarray(greys(dtype)).save(tmp_path / "crop.tif")
    refused = try_crop(tmp_path / "crop.tif")
    assert isinstance(refused, Unreadable) and "\n" not in refused.reason
    assert f"crop.tif: this crop holds 32-bit numbers (mode {mode})" in refused.reason


def test_what_is_transparent_lies_on_white(tmp_path):
    """Beneath it most programs leave black, or what they have cut away."""
    image = Image.new("RGBA", (8, 6), (255, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    image.save(tmp_path / "rgba.png")
    Image.new("P", (8, 6)).save(tmp_path / "p.png", transparency=0)
    crop = read_crop(tmp_path / "rgba.png")
    assert crop[:, 0, 0].tolist() == [255, 0, 0] and (crop[:, 1:] == 255).all()
    assert (read_crop(tmp_path / "p.png") == 255).all()


@pytest.mark.parametrize("save", [{"exif": True}, {"icc_profile": True}, {}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_crop_is_what_predict_sees_of_the_file(tmp_path, save, mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    given = {"exif": exif, "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()}
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    noise.convert(mode).save(path := tmp_path / "crop.jpg", **{name: given[name] for name in save})
    with Image.open(path) as image:
        seen = to_rgb(image)
    assert np.array_equal(read_crop(path).permute(1, 2, 0).numpy(), np.broadcast_to(seen, (*seen.shape[:2], 3)))
    assert seen.shape[:2] == ((8, 6) if "exif" in save else (6, 8))


def test_a_crop_at_the_networks_size_or_why_there_is_none(faces_csv, tmp_path):
    file = load_faces(faces_csv)["file"][0]
    assert torch.equal(try_crop(file), read_crop(file))
    assert torch.equal(try_crop(file, Preprocessing(size=80)), Preprocessing(size=80).resize(read_crop(file)))
    lost = try_crop(tmp_path / "crop.png")
    assert isinstance(lost, Unreadable) and "crop.png: this crop cannot be read" in lost.reason


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 12))
def test_limit_frames_keeps_every_clip_and_at_most_so_many_frames(lengths, per_clip):
    rows = [("Deepfakes", "c23", f"{clip:03d}", frame) for clip, n in enumerate(lengths) for frame in range(n)]
    faces = pd.DataFrame(rows, columns=[*CLIP_KEY, "frame"]).sample(frac=1, random_state=0)
    kept = limit_frames(faces, per_clip)
    assert sorted(kept.groupby("clip_id").size()) == sorted(min(per_clip, n) for n in lengths)
    assert not kept.duplicated().any()
    order = {row: i for i, row in enumerate(faces.itertuples(index=False, name=None))}
    places = [order[row] for row in kept.itertuples(index=False, name=None)]
    assert places == sorted(places)


def test_limit_frames_does_not_take_the_fakes_of_one_pair_for_one_clip(faces_csv):
    kept = limit_frames(load_faces(faces_csv), 1)
    assert len(kept) == 7 * 3  # 7 real clips and two fakes of each, which share their clip_id


@pytest.mark.parametrize(
    ("extraction", "complaint"),
    [
        (None, None),
        ({"crop_scale": 1.3, "size": 96}, None),
        ({"crop_scale": 2.0}, "cut at 2.0 times the face, and the detector was trained at 1.3"),
        ({"size": 96}, "96 px, smaller than the 112 px"),
        ({"size": 112}, r"extraction.json beside it says 112 px, and crops/.*png is 96 × 96; run `torchfakes extract`"),
        ({"size": 64}, r"says 64 px, and crops/.*png is 96 × 96; .* delete extraction.json"),
    ],
)
def test_crops_that_a_detector_was_not_made_for_are_refused(faces_csv, tmp_path, extraction, complaint):
    size = 112 if complaint else 80
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=size)))
    table = edited(faces_csv, tmp_path, lambda table: table)
    if extraction is not None:
        (table.parent / "extraction.json").write_text(json.dumps({"format": EXTRACTION_FORMAT} | extraction))
    if complaint is None:
        assert len(load_faces_for(detector, table, "train", frames=2)) == 3 * 3 * 2
        return
    with pytest.raises(InputError, match=complaint):
        load_faces_for(detector, table)


def test_read_extraction(tmp_path):
    assert read_extraction(tmp_path) == {}
    path = tmp_path / "extraction.json"
    path.write_text(json.dumps({"format": EXTRACTION_FORMAT, "crop_scale": 1.3, "size": 160}))
    assert read_extraction(tmp_path)["crop_scale"] == 1.3
    for wrong in ("{", "[]", '{"crop_scale": 1.3}', '{"format": 0}'):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"extraction\.json: .*torchfakes extract"):
            read_extraction(tmp_path)


@pytest.mark.parametrize(("column", "value", "message"), [
    ("frame", np.nan, "frame is nan in one row"),
    ("frame", 1.5, r"frame is 1\.5 in one row"),
    ("frame", -1, "frame is -1"),
    ("frame", 1e30, r"frame is 1e\+30"),
    ("sharpness", np.inf, "sharpness is 'inf' in one row"),
    ("x1", "-1e999", "x1 is '-?(inf|1e999)' in one row"),
    ("outside", "much", "outside is 'much' in one row"),
    ("label", 0, "the crops of .* differ in label"),
    ("split", "test", "the crops of .* differ in split"),
])  # fmt: skip
def test_rows_that_cannot_be_are_refused_in_a_line(faces_csv, tmp_path, column, value, message):
    """Where they are read: scores and heat maps of such a table would be those of other crops."""

    def change(table):
        fake = table.index[(table["label"] == 1) & (table["split"] == "train")][1]
        table[column] = table[column].astype(object) if column in table else "0"
        table.loc[fake, column] = value
        return table

    with pytest.raises(InputError, match=rf"faces\.csv: {message}") as caught:
        load_faces(edited(faces_csv, tmp_path, change), "test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{}, {"label": 0, "clip_id": "x"}, {"split": "test", "method": "y"}, {"path": "/"}])
def test_a_crop_that_is_there_twice(faces_csv, tmp_path, changes):
    def change(table):
        row = table[(table["label"] == 1) & (table["split"] == "train")].head(1)
        file = str(faces_csv.parent / table["path"].iloc[0])
        return pd.concat([table, row.assign(**changes | ({"path": file} if "path" in changes else {}))])

    with pytest.raises(InputError, match="is there twice; every row is a crop of its own"):
        load_faces(edited(faces_csv, tmp_path, change))


def test_rows_of_a_clip_may_be_left_out_and_landmarks_have_commas(faces_csv, tmp_path):
    def change(table):
        table.loc[1, "split"] = ""
        return table.assign(landmarks=table["landmarks"].str.replace(".", ","))

    faces = load_faces(edited(faces_csv, tmp_path, change))
    assert not faces["landmarks"].str.contains(",").any() and faces["split"][1] == ""


@pytest.mark.parametrize("name", ["crop_scale", "size"])
@pytest.mark.parametrize("value", [None, "160", [], 0, -1])
def test_an_extraction_that_says_no_size(tmp_path, name, value):
    record = {"made_by": "torchfakes extract", "format": EXTRACTION_FORMAT, "crop_scale": 1.3, "size": 160}
    (tmp_path / "extraction.json").write_text(json.dumps(record))
    assert read_extraction(tmp_path) == record
    (tmp_path / "extraction.json").write_text(json.dumps(record | {name: value}))
    with pytest.raises(InputError, match=rf"extraction\.json: {name} is .*; run `torchfakes extract` again"):
        read_extraction(tmp_path)


def test_originals_of_a_table_of_before_are_told_from_the_whole_of_it(tmp_path):
    """000 has one film in training, and another one in validation: it is no film, in either."""
    path = make_faces(tmp_path, {"train": 2, "val": 1}, frames=1)
    assert set(load_faces(path, "train")["original_id"]) == {"000", "002"}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    second = table["clip_id"] == "004"
    table.assign(target_id=table["target_id"].mask(second, "000")).to_csv(path, index=False)
    faces = load_faces(path, "train")
    assert set(faces["original_id"][faces["label"] == 1]) == {"", "002"}


def test_a_clip_has_one_original(faces_csv):
    table = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
    fakes = table.index[table["label"] == "1"]
    table["original_id"] = table["target_id"]
    table.loc[fakes[0], "original_id"] = "another"
    table.to_csv(faces_csv, index=False)
    with pytest.raises(InputError, match="differ in original_id; a clip has one"):
        load_faces(faces_csv)
