import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from torchfakes_utils.dataset import (
    FaceCrops,
    PairedSampler,
    Preprocessing,
    balanced_sampler,
    check_faces,
    limit_frames,
    load_faces,
    read_crop,
    read_extraction,
    uniform_sampler,
)
from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import CLIP_KEY, FACE_COLUMNS

METHODS = ("youtube", "Deepfakes", "FaceSwap")


def make_faces(folder, per_split=None, frames=4, size=96, methods=METHODS, sharpness=100.0):
    """A faces.csv with crops of noise; a fake's are redder. `per_split` is the number of real clips of each split."""
    noise = np.random.default_rng(0)
    rows = []
    clip = 0
    for split, count in (per_split or {"train": 3, "val": 2, "test": 2}).items():
        for _ in range(count):
            for method in methods:
                label = int(method != "youtube")
                clip_id = f"{clip:03d}_{clip + 1:03d}" if label else f"{clip:03d}"
                for frame in range(0, frames * 10, 10):
                    path = f"crops/{method}/c23/{clip_id}/{frame}.png"
                    picture = noise.integers(0, 200, (size, size, 3))
                    picture[..., 0] += 55 * label
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(picture.astype(np.uint8)).save(folder / path, compress_level=0)
                    rows.append(
                        [clip_id, path, label, method, "c23", f"{clip:03d}", "", split, frame]
                        + [0.0, 0.0, 90.0, 90.0, " ".join(["40"] * 10), 0.99, sharpness]
                    )
            clip += 2
    path = folder / "faces.csv"
    pd.DataFrame(rows, columns=FACE_COLUMNS).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"))


def edited(faces_csv, tmp_path, change):
    """The table after `change`, in another folder beside the same crops."""
    table = change(pd.read_csv(faces_csv, dtype={"clip_id": str}))
    (tmp_path / "crops").symlink_to(faces_csv.parent / "crops")
    table.to_csv(tmp_path / "faces.csv", index=False)
    return tmp_path / "faces.csv"


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
    with pytest.raises(InputError, match="lacks sharpness"):
        check_faces(load_faces(faces_csv).drop(columns="sharpness"), faces_csv.parent)


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
    check_faces(faces, faces_csv.parent, splits=("train", "val", "test"))
    without_real = faces[(faces["label"] == 1) | (faces["split"] != "val")]
    check_faces(without_real, faces_csv.parent, splits=("train",))
    with pytest.raises(InputError, match=r"split 'val' has 0 real and 16 fake crops"):
        check_faces(without_real, faces_csv.parent, splits=("train", "val"))
    with pytest.raises(InputError, match="one class"):
        balanced_sampler(faces[faces["label"] == 1], 10)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"])
def test_a_crop_that_is_no_picture(tmp_path, content):
    (tmp_path / "crop.png").write_bytes(content)
    with pytest.raises(InputError, match=r"crop\.png: this crop cannot be read"):
        read_crop(tmp_path / "crop.png")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "RGB"])
def test_crops_are_rgb_whatever_they_were_stored_as(tmp_path, mode):
    Image.new("RGB", (8, 6), (255, 0, 0)).convert(mode).save(tmp_path / "crop.png")
    crop = read_crop(tmp_path / "crop.png")
    assert crop.shape == (3, 6, 8)
    assert mode == "L" or crop[:, 0, 0].tolist() == [255, 0, 0]


def test_preprocessing_gives_the_range_that_the_network_knows():
    black_and_white = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 160, 160)
    images = Preprocessing().apply(black_and_white)
    assert images.dtype == torch.float32 and images.shape == (2, 3, 160, 160)
    assert images[0].unique().tolist() == [-127.5 / 128] and images[1].unique().tolist() == [127.5 / 128]


def test_preprocessing_is_the_same_for_one_crop_and_for_many():
    crops = torch.randint(0, 256, (3, 3, 160, 160), dtype=torch.uint8)
    preprocessing = Preprocessing(size=96)
    together = preprocessing.apply(crops)
    assert together.shape == (3, 3, 96, 96)
    assert torch.equal(together, torch.stack([preprocessing.apply(crop) for crop in crops]))
    assert torch.equal(together, preprocessing.normalise(preprocessing.resize(crops)))


def test_preprocessing_by_channel_survives_json():
    preprocessing = Preprocessing(size=8, mean=(0.0, 10.0, 20.0), std=(1.0, 2.0, 4.0))
    crop = torch.full((3, 8, 8), 40, dtype=torch.uint8)
    assert preprocessing.apply(crop)[:, 0, 0].tolist() == [40.0, 15.0, 5.0]
    assert Preprocessing(**json.loads(json.dumps(asdict(preprocessing)))) == preprocessing


@pytest.mark.parametrize("wrong", [torch.zeros(3, 8, 8), torch.zeros(8, 8, 3, dtype=torch.uint8)])
def test_preprocessing_refuses_what_it_would_normalise_twice_or_turn_round(wrong):
    with pytest.raises(ValueError, match="uint8"):
        Preprocessing().apply(wrong)


def test_face_crops(faces_csv):
    faces = load_faces(faces_csv, "val")
    crops = FaceCrops(faces, Preprocessing(size=80).apply)
    images, labels = zip(*(crops[i] for i in range(len(crops))), strict=True)
    assert len(crops) == len(faces) and images[0].shape == (3, 80, 80)
    assert torch.stack(labels).dtype == torch.float32
    assert torch.stack(labels).tolist() == faces["label"].tolist()


def test_the_sampler_balances_classes_and_methods():
    methods = ["youtube"] * 10 + ["actors"] * 30 + ["Deepfakes"] * 400 + ["FaceSwap"] * 50
    faces = pd.DataFrame({"method": methods, "label": [0] * 40 + [1] * 450}, index=range(1000, 1490))
    drawn = list(balanced_sampler(faces, 20_000, torch.Generator().manual_seed(0)))
    assert len(drawn) == 20_000
    shares = faces.iloc[drawn]["method"].value_counts(normalize=True)
    # The tolerance is six standard errors of a share of one half.
    expected = {"youtube": 0.125, "actors": 0.375, "Deepfakes": 0.25, "FaceSwap": 0.25}
    assert {name: shares[name] for name in expected} == pytest.approx(expected, abs=0.021)
    assert drawn == list(balanced_sampler(faces, 20_000, torch.Generator().manual_seed(0)))


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


def test_read_extraction(tmp_path):
    assert read_extraction(tmp_path) == {}
    path = tmp_path / "extraction.json"
    path.write_text(json.dumps({"crop_scale": 1.3, "size": 160}))
    assert read_extraction(tmp_path) == {"crop_scale": 1.3, "size": 160}
    for wrong in ("{", "[]"):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"extraction\.json"):
            read_extraction(tmp_path)


def moments(rows):
    """Rows (method, label, target, frame) as a table of faces, as far as a sampler looks at it."""
    table = pd.DataFrame(rows, columns=["method", "label", "target_id", "frame"])
    return table.assign(compression="c23")


def pairs_of(faces, count, seed=0):
    drawn = list(PairedSampler(faces, 2 * count, torch.Generator().manual_seed(seed)))
    return [(faces.iloc[real], faces.iloc[fake]) for real, fake in zip(drawn[::2], drawn[1::2], strict=True)]


FULL = [
    (method, int(method != "youtube"), person, frame)
    for method in METHODS
    for person in ("000", "001", "002")
    for frame in (0, 10)
]


def test_a_pair_is_a_real_crop_and_a_fake_of_the_same_person_and_frame():
    pairs = pairs_of(moments(FULL), 600)
    assert all((real.label, fake.label) == (0, 1) for real, fake in pairs)
    assert all((real.target_id, real.frame) == (fake.target_id, fake.frame) for real, fake in pairs)
    # Six standard errors of a share of one half.
    assert sum(fake.method == "Deepfakes" for _, fake in pairs) / 600 == pytest.approx(0.5, abs=0.13)


def test_a_crop_without_its_counterpart_is_drawn_all_the_same():
    lonely = [("youtube", 0, "008", 0), ("Deepfakes", 1, "009", 0), ("FaceSwap", 1, "009", 10)]
    pairs = pairs_of(moments(FULL + lonely), 200)
    assert {real.target_id for real, _ in pairs} == {"000", "001", "002", "008"}
    found = {(fake.method, fake.frame) for _, fake in pairs if fake.target_id == "009"}
    assert found == {("Deepfakes", 0), ("FaceSwap", 10)}
    assert all((real.label, fake.label) == (0, 1) for real, fake in pairs)


def test_two_compressions_are_not_mixed_in_a_pair():
    faces = pd.concat([moments(FULL), moments(FULL).assign(compression="c40")], ignore_index=True)
    assert all(real.compression == fake.compression for real, fake in pairs_of(faces, 100))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(METHODS), st.sampled_from(["000", "001"]), st.integers(0, 2)), min_size=1, max_size=20
    ),
    st.integers(1, 50),
)
def test_whatever_there_is_half_of_a_pass_is_real_and_a_seed_repeats_it(rows, count):
    rows = [(method, int(method != "youtube"), person, frame) for method, person, frame in rows]
    faces = moments([*rows, ("youtube", 0, "007", 0), ("FaceSwap", 1, "003", 0)])
    sampler = PairedSampler(faces, count, torch.Generator().manual_seed(3))
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == count
    assert faces["label"].to_numpy()[drawn].tolist() == [place % 2 for place in range(count)]
    assert drawn == list(PairedSampler(faces, count, torch.Generator().manual_seed(3)))


def test_every_real_crop_comes_before_one_comes_again():
    """Pairs that begin with a real crop go through all of them; nothing is drawn twice while others wait."""
    faces = moments(FULL)
    drawn = list(PairedSampler(faces, 4 * 6, torch.Generator().manual_seed(1)))
    assert sorted(drawn[::4]) == sorted(np.flatnonzero(faces["label"] == 0))


def test_one_class_cannot_be_paired():
    with pytest.raises(InputError, match="only one class"):
        PairedSampler(moments(FULL).query("label == 1"), 4)


@pytest.mark.parametrize("count", [5, 84, 200])
def test_uniform_draws_every_crop_before_any_comes_again(faces_csv, count):
    faces = load_faces(faces_csv)  # 84 of them
    drawn = list(uniform_sampler(faces, count, torch.Generator().manual_seed(1)))
    times = np.bincount(drawn, minlength=len(faces))
    assert len(drawn) == count and times.max() - times.min() <= 1
    assert drawn == list(uniform_sampler(faces, count, torch.Generator().manual_seed(1)))
    assert drawn != list(uniform_sampler(faces, count, torch.Generator().manual_seed(2)))
