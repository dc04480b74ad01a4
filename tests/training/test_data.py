import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.augmentation import augment
from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.quality import brightness_and_contrast
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import TrainingData, load_crops, size_note
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.run import train

from helpers.crops import edited, make_faces
from helpers.runs import TINY


def data_of(path, **more):
    faces, preprocessing = load_crops(path, config := TrainingConfig(**TINY | more))
    return TrainingData(faces, preprocessing, config, World(1, 0, torch.device("cpu")))


def test_blur_is_filtered_from_training_only_and_not_down_to_nothing(tmp_path, capsys, monkeypatch):
    path = make_faces(tmp_path, {"train": 2, "val": 1}, frames=1, sharpness=10.0)
    with pytest.raises(
        InputError, match=r"^training has 0 real and 0 fake crops, .* blurrier than 30 \(--min-sharpness\)$"
    ):
        train(path, tmp_path / "run", TrainingConfig(**TINY | {"min_sharpness": 30.0}), progress=False)
    assert len(data_of(path, min_sharpness=5.0).train_faces) == len(data_of(path).train_faces) == 6
    table = pd.read_csv(path, dtype={"clip_id": str})
    table.loc[table["clip_id"].str.startswith("000"), "sharpness"] = 50.0
    table.to_csv(path, index=False)
    data = data_of(path, min_sharpness=30.0)
    assert len(data.train_faces) == 3 and len(data.val_faces) == 3


def with_originals(faces_csv, tmp_path, originals):
    """The table in which the fakes of some real clips name these as their originals, and all others their own."""
    return edited(faces_csv, tmp_path, lambda t: t.assign(original_id=t["clip_id"].str[:3].replace(originals)))


def test_fakes_whose_originals_are_held_out_are_not_trained_on(tmp_path, caplog):
    """Training would know the faces, and the frames, that it is measured on."""
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2, "test": 1}, frames=2)
    table = with_originals(path, tmp_path, {"000": "006", "002": "010"})  # of validation, and of test
    data = data_of(table)
    fakes = data.train_faces[data.train_faces["label"] == 1]
    assert set(fakes["clip_id"]) == {"004_005"} and len(data.val_faces) == 6
    (said,) = caplog.messages
    assert said == (
        "4 of 6 fake clips in training are left out, for their originals are in validation or test (original_id, such "
        "as 006 of 000_001)"
    )
    (tmp_path / "all").mkdir()
    none = with_originals(path, tmp_path / "all", dict.fromkeys(("000", "002", "004"), "006"))
    with pytest.raises(
        InputError, match=r"^training has 6 real and 0 fake crops, .* whose originals are in validation"
    ):
        data_of(none)


@pytest.mark.parametrize(
    ("originals", "words"),
    [
        ({"000": "nobody"}, "2 of 6 fake clips in training name an original that the table does not hold"),
        ({"006": "000"}, "2 of 4 fake clips in validation have their originals in training, which knows them"),
        ({"000": ""}, None),
        ({"000": "002"}, None),
    ],
    ids=["nowhere", "known", "not known", "another's"],
)
def test_originals_that_lie_elsewhere_are_counted(tmp_path, caplog, originals, words):
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2}, frames=1)
    assert len(data_of(with_originals(path, tmp_path, originals)).train_faces) == 9
    assert [words in line for line in caplog.messages] == ([True] if words else [])


# What two crops share where augmentation changes them alike.
SHARED = {"augmentation": "modern", "sampling": "paired"}


def drawn_of(data, epoch=1, start=0):
    """Of an epoch: rows drawn, and what augmentation does to each, as tuples of numbers."""
    rows, changes = [], []
    for batch in data.batches(epoch, start):
        columns = [values.reshape(len(values), -1) for _, values in sorted(batch.drawn.items())]
        rows += batch.rows.tolist()
        changes += [tuple(row) for row in torch.cat([column.double() for column in columns], 1).tolist()]
    return rows, changes


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("many"), {"train": 4, "val": 1}, frames=3, size=80)


@pytest.mark.parametrize("batch_size", [2, 3, 5, 8])
def test_both_crops_of_a_pair_are_changed_alike_and_no_others(many, batch_size):
    """In batches of odd size, too, which cut pairs in two; and where an epoch is taken up in its middle."""
    data = data_of(many, **SHARED, batch_size=batch_size, crops_per_epoch=60)
    rows, changes = drawn_of(data, epoch=2)
    faces = data.train_faces.iloc[rows]
    assert len(rows) == data.batches_per_epoch * batch_size > 50
    for place, change in enumerate(changes[: len(changes) // 2 * 2]):
        alike = [other for other, its in enumerate(changes) if its == change]
        first = place // 2 * 2
        assert alike == [first, first + 1]
        assert faces["target_id"].iloc[first] == faces["target_id"].iloc[first + 1]
    late_rows, late = drawn_of(data, epoch=2, start=3)
    assert (late_rows, late) == (rows[3 * batch_size :], changes[3 * batch_size :])


def test_pairs_that_are_none_and_runs_that_do_not_share_draw_for_every_crop(many, tmp_path):
    alone = edited(many, tmp_path, lambda t: t.assign(original_id=""))
    drawn = {
        "off": data_of(many, **SHARED, shared_draws=False), "no original": data_of(alone, **SHARED),
        "balanced": data_of(many, **SHARED | {"sampling": "balanced"}),
    }  # fmt: skip
    for name, data in drawn.items():
        changes = drawn_of(data)[1]
        assert len({*changes}) == len(changes), name
    # What is drawn for the first of a pair is what it would get by itself.
    assert drawn_of(data_of(many, **SHARED))[1][::2] == drawn_of(drawn["off"])[1][::2]


def test_several_processes_draw_what_one_draws(many):
    """Their shares of a batch may cut a pair in two."""
    config = TrainingConfig(**TINY | SHARED | {"batch_size": 6, "crops_per_epoch": 24})
    faces, preprocessing = load_crops(many, config)
    alone = TrainingData(faces, preprocessing, config, World(1, 0, torch.device("cpu")))
    data = TrainingData(faces, preprocessing, config, World(1, 0, torch.device("cpu")))
    whole, parts = list(alone.batches(1)), []
    for rank in range(2):
        data._world = World(2, rank, torch.device("cpu"))
        parts.append(list(data.batches(1)))
    for together, *shares in zip(whole, *parts, strict=True):
        assert np.array_equal(together.rows, np.concatenate([share.rows for share in shares]))
        for name, values in together.drawn.items():
            assert torch.equal(values, torch.cat([share.drawn[name] for share in shares])), name


def test_a_pair_of_equal_crops_stays_equal(tmp_path):
    """All that augmentation does, it does to both: a fake that is its original stays it, to the last bit."""
    path = make_faces(tmp_path, {"train": 4, "val": 1}, frames=3, size=80)
    table = pd.read_csv(path, dtype={"clip_id": str, "target_id": str})
    originals = table[table["label"] == 0].set_index(["target_id", "frame"])["path"]
    for row in table[table["label"] == 1].itertuples():
        (path.parent / row.path).write_bytes((path.parent / originals[row.target_id, row.frame]).read_bytes())
    data = data_of(path, **SHARED, batch_size=8, crops_per_epoch=48)
    unchanged = 0
    for batch in data.batches(1):
        images = augment(batch.images, batch.drawn)
        assert (images[::2].int() - images[1::2].int()).abs().float().mean() < 0.01
        unchanged += int((images == batch.images).flatten(1).all(1).sum())
    assert unchanged < 4


def test_light_is_measured_on_crops_as_they_were_cut(tmp_path):
    """Not on what the network's size leaves of them: shrinking takes contrast, and answers are refused by it."""
    path = make_faces(tmp_path, {"train": 2, "val": 1}, frames=2, size=160)
    files = load_faces(path, "train")["file"]
    expected = brightness_and_contrast([read_crop(file).numpy() for file in files])
    small = data_of(path, architecture="Meso4", image_size=64)
    seen = small.qualities()
    assert seen["contrast"].tolist() == expected[1].tolist() and seen["brightness"].tolist() == expected[0].tolist()
    shrunk = brightness_and_contrast(small._store.read(range(12))[0].numpy())[1]
    assert shrunk.mean() < 0.8 * seen["contrast"].mean()  # noise: far more than of a face
    pd.testing.assert_frame_equal(seen, data_of(path, image_size=160).qualities())
    new, files = small.deciding_qualities(), small.deciding_faces["file"]
    expected = brightness_and_contrast([read_crop(file).numpy() for file in files])
    assert new.columns.tolist() == seen.columns.tolist() and new.index.tolist() == list(range(len(files)))
    assert new["contrast"].tolist() == expected[1].tolist() and new["brightness"].tolist() == expected[0].tolist()


@pytest.mark.parametrize(("stored", "network", "wanted"), [(256, 256, None), (300, 256, None), (300, 120, 120)])
def test_a_table_without_a_record_is_asked_how_large_its_crops_are(tmp_path, stored, network, wanted):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=1, size=stored)
    _, preprocessing = load_crops(path, TrainingConfig(**TINY | {"image_size": wanted}))
    assert (preprocessing.size, preprocessing.crop_size) == (network, stored)


def test_small_crops_are_not_enlarged_unasked(tmp_path):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=1, size=90)
    assert load_crops(path, TrainingConfig(**TINY | {"image_size": None}))[1].size == 90
    with pytest.raises(InputError, match="crops are 90 px, and enlarging them to 96 px adds nothing"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 96}))


def test_how_crops_were_cut_is_stored_with_the_detector(tmp_path):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=1)
    (tmp_path / "extraction.json").write_text(json.dumps({"format": 2, "crop_scale": 1.5, "size": 96}))
    _, preprocessing = load_crops(path, TrainingConfig(**TINY))
    assert (preprocessing.size, preprocessing.crop_scale, preprocessing.crop_size) == (80, 1.5, 96)
    with pytest.raises(InputError, match="crops are 96 px, and enlarging them to 160 px adds nothing"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 160}))


def test_crops_that_are_smaller_than_is_said_of_them_are_not_enlarged(tmp_path):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=2, size=96)
    (tmp_path / "extraction.json").write_text(json.dumps({"format": 2, "size": 224}))
    with pytest.raises(InputError, match=r"extraction.json beside it says 224 px, and .* is 96 × 96; .* delete"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 224}))
    broken = sorted(tmp_path.rglob("*.png"))[0]
    broken.write_bytes(b"no picture")  # is named when it is read, like any other
    with pytest.raises(InputError, match="is 96 × 96"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 224}))
    (tmp_path / "extraction.json").unlink()
    with pytest.raises(InputError, match="crops are 96 px, and enlarging them to 224 px adds nothing"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 224}))


def stored_at(tmp_path, size):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=1, size=size)
    (tmp_path / "extraction.json").write_text(json.dumps({"format": 2, "size": size}))
    return path


@pytest.mark.parametrize(
    ("architecture", "stored", "size", "note"),
    [
        ("InceptionResnetV1", 160, 160, "160 px"),
        ("EfficientNet-Lite0", 256, 224, "224 px"),
        ("timm:test_vit", 200, 160, "160 px"),  # patches of 16
        (
            "timm:efficientnet_b4",
            160,
            160,
            "160 px instead of its own 320, for the crops are stored at 160 px (extract",
        ),
        (
            "timm:test_vit",
            100,
            96,
            "96 px instead of its own 160, for the crops are stored at 100 px and its patches 16",
        ),
        (
            "timm:vit_small_patch14_dinov2.lvd142m",
            160,
            154,
            "154 px instead of its own 518, for the crops are stored at",
        ),
    ],
)
def test_networks_take_their_own_size_or_what_the_crops_fill_and_say_so(tmp_path, architecture, stored, size, note):
    """DINOv2 at 160 px would see 154 of them: its patches have 14."""
    path = stored_at(tmp_path, stored)
    _, preprocessing = load_crops(path, config := TrainingConfig(architecture=architecture, min_sharpness=0))
    assert (preprocessing.size, preprocessing.crop_size) == (size, stored)
    assert size_note(config, preprocessing).startswith(note) and "\n" not in size_note(config, preprocessing)


def test_a_size_that_is_asked_for_needs_no_reason(tmp_path):
    path = stored_at(tmp_path, 160)
    _, preprocessing = load_crops(path, config := TrainingConfig(architecture="EfficientNet-Lite0", image_size=128))
    assert size_note(config, preprocessing) == "128 px"
    vit = {"architecture": "timm:vit_small_patch14_dinov2.lvd142m"}
    with pytest.raises(InputError, match="image size 160: timm:vit_.* cuts it into patches of 14 px; take 154 or 168"):
        load_crops(path, TrainingConfig(image_size=160, **vit))
    with pytest.raises(InputError, match=r"160 px, and enlarging .* \(--image-size 154\), .* \(extract --size 224\)"):
        load_crops(path, TrainingConfig(image_size=224, **vit))


@pytest.mark.parametrize(("architecture", "least"), [("Meso4", 32), ("timm:vit_small_patch14_dinov2.lvd142m", 42)])
@pytest.mark.parametrize("asked", [None, 64, 20])
def test_no_size_is_named_that_the_network_does_not_take(tmp_path, architecture, least, asked):
    path = stored_at(tmp_path, 20)
    with pytest.raises(InputError, match=rf"20 px, and {architecture} needs at least {least} px; ") as caught:
        load_crops(path, TrainingConfig(architecture=architecture, image_size=asked))
    assert "--image-size" not in str(caught.value)


def test_the_line_at_the_start_says_network_weights_and_size(tmp_path, capsys):
    """A vision transformer with positions for 160 px, on crops of 100: 96 are filled."""
    path = stored_at(tmp_path, 100)
    config = TrainingConfig(**TINY | {"architecture": "timm:test_vit", "image_size": None, "epochs": 1})
    result = train(path, tmp_path / "run", config)
    line = next(line for line in capsys.readouterr().out.splitlines() if "parameters" in line)
    assert line.startswith("timm:test_vit from random weights, ") and "; 96 px instead of its own 160, " in line
    assert line.endswith("; float32 on cpu")
    assert load_detector(result.run).preprocessing.size == 96


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(faces_csv, tmp_path, split, label):
    one_class = edited(faces_csv, tmp_path, lambda t: t[(t["split"] != split) | (t["label"] == label)])
    with pytest.raises(InputError, match=f"split '{split}' has .* and both are needed"):
        train(one_class, tmp_path / "run", TrainingConfig(**TINY), progress=False)
    assert not (tmp_path / "run").exists()


def test_crops_that_were_bad_before_are_named_and_left_out(tmp_path, caplog):
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2}, frames=2)
    table = pd.read_csv(path)
    for name in table["path"].iloc[[0, 5]]:
        (path.parent / name).write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        data = data_of(path)
    assert "2 crops are left out" in caplog.text and table["path"].iloc[0] in caplog.text
    assert not data.train_faces["path"].isin(table["path"].iloc[[0, 5]]).any()


def test_a_crop_that_goes_bad_in_the_middle_of_an_epoch(tmp_path, caplog, monkeypatch):
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2}, frames=2)
    config = TrainingConfig(**TINY | {"cache": "off", "batch_size": 8, "crops_per_epoch": 16})
    real = TrainingData.batches

    def batches(self, *words):
        for batch in real(self, *words):
            bad = self.train_faces["file"].iloc[0]
            Path(bad).write_bytes(b"no picture")
            yield batch

    monkeypatch.setattr(TrainingData, "batches", batches)
    with caplog.at_level(logging.WARNING):
        result = train(path, tmp_path / "run", config, progress=False)
    history = result.history
    assert history["skipped"].sum() > 0 and "left out of a batch" in caplog.text and "cannot be read" in caplog.text
    assert (history["train_real"] + history["train_fake"] + history["skipped"] == 16).all()
