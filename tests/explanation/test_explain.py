"""What `explain` leaves: pictures, tables by region and mask, layers, sanity checks; and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.explain import EXPLANATION_COLUMNS, choose, explain
from torchfakes_utils.explanation.heat_maps import METHODS
from torchfakes_utils.explanation.mask_agreement import AGREEMENT_COLUMNS, MEASURES
from torchfakes_utils.explanation.regions import REGION_COLUMNS, REGIONS
from torchfakes_utils.io.tables import FACE_COLUMNS, read_table, write_table
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated

SIZE = 64


def small(folder, seed=0):
    torch.manual_seed(seed)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=SIZE, crop_size=SIZE)))
    # A bias in the middle of its logits, so that it says "fake" of some and "real" of others.
    return save(detector, folder / "best").parent


@pytest.fixture(scope="module")
def explained(tiny_ffpp, tiny_faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run, control = small(folder / "run"), small(folder / "control", seed=5)
    config = ExplanationConfig(limit=4, controls=2, random_labels=control, data=tiny_ffpp)
    return run, explain(run, tiny_faces / "faces.csv", None, config)


def faces_of(groups):
    rows = [
        dict.fromkeys(FACE_COLUMNS, "")
        | {"clip_id": f"{number:03d}", "path": f"{method}-{number}-{frame}.png", "label": int(method != "youtube")}
        | {"method": method, "compression": "c23", "split": "test", "frame": frame, "probability": 1, "sharpness": 50}
        for method, clips in groups.items()
        for number in range(clips)
        for frame in (0, 5, 10)
    ]
    return pd.DataFrame(rows)


def test_choice_takes_the_methods_in_turn_and_one_crop_a_clip():
    faces = faces_of({"youtube": 5, "Deepfakes": 5, "FaceSwap": 1})
    chosen = choose(faces.sample(frac=1, random_state=0), limit=7)
    assert chosen["method"].value_counts().to_dict() == {"youtube": 3, "Deepfakes": 3, "FaceSwap": 1}
    assert set(chosen["frame"]) == {5}
    assert not chosen.duplicated(["method", "clip_id"]).any()
    pd.testing.assert_frame_equal(chosen, choose(faces, limit=7))


@pytest.mark.slow
def test_pictures_and_maps(explained, tiny_faces):
    run, out = explained
    assert out == run / "explanations"
    rows = read_table(out / "explanations.csv", EXPLANATION_COLUMNS)
    assert len(rows) == 4
    stored = np.load(out / "maps.npz")
    assert stored["maps"].shape == (4, SIZE, SIZE) and stored["path"].tolist() == rows["path"].tolist()
    with Image.open(out / rows["overlay"][0]) as picture, Image.open(tiny_faces / rows["path"][0]) as crop:
        assert picture.size == (2 * SIZE, SIZE)
        assert (np.asarray(picture)[:, :SIZE] == np.asarray(crop)).all()


@pytest.mark.slow
def test_attention_by_region_beside_networks_that_know_nothing(explained):
    _, out = explained
    table = pd.read_csv(out / "regions.csv")
    assert list(table) == [*REGION_COLUMNS, "network"]
    assert set(table["network"]) == {"trained", "random weights", "random labels"}
    for _, own in table.groupby(["network", "kind"]):
        assert own["region"].tolist() == list(REGIONS)
        lit = own["crops"].iloc[0] > 0
        if lit:  # shares of heat sum to one: ratios weighted by area do too
            assert (own["ratio"] * own["area"]).sum() == pytest.approx(1, abs=0.02)


def test_agreement_with_the_masks(explained):
    _, out = explained
    table = pd.read_csv(out / "masks.csv")
    assert list(table) == AGREEMENT_COLUMNS
    assert set(table["map"]) == {"trained", "random weights", "random labels", "centre prior", "random map"}
    assert set(table["method"]) == {"Deepfakes", "FaceSwap", "all"} and set(table["measure"]) == set(MEASURES)
    whole = table[(table["method"] == "all") & (table["map"] == "centre prior")]
    assert (whole["clips"] == 4).all() and (whole["crops"] == 16).all()
    assert ((whole["low"] <= whole["value"]) & (whole["value"] <= whole["high"])).all()


def test_layers_checks_and_the_summary(explained):
    _, out = explained
    found = json.loads((out / "explanation.json").read_text())
    assert found["crops"] == 24 and found["layer"] == "block3" and found["mask_problems"] == {}
    assert {(row["layer"], row["method"]) for row in found["layers"]} == {
        (layer, method) for layer in ("block1", "block2", "block3", "block4") for method in METHODS
    }
    checks = found["sanity"]
    assert checks["cascading_randomisation"][0]["changed"] == "nothing" and len(checks["cascading_randomisation"]) == 6
    assert checks["random_labels"][0]["changed"] == "random labels"
    assert [row["map"] for row in checks["road"]] == ["trained", "centre prior", "random map"]
    assert len(checks["stability"]) == 3


def test_without_masks_the_rest_is_measured_and_the_lack_is_said(tiny_faces, tmp_path, caplog):
    run = small(tmp_path / "run")
    out = explain(run, tiny_faces / "faces.csv", None, ExplanationConfig(limit=2, controls=0, checks=False))
    found = json.loads((out / "explanation.json").read_text())
    assert found["masks"] == [] and found["sanity"] is None and len(found["regions"]) == 14
    assert "give it with --data" in caplog.text
    with pytest.raises(InputError, match="no such folder; --data"):
        explain(run, tiny_faces / "faces.csv", None, ExplanationConfig(data=tmp_path / "gone"))
    nowhere = ExplanationConfig(limit=2, controls=0, checks=False, data=tmp_path)
    explain(run, tiny_faces / "faces.csv", None, nowhere)
    assert "4 fakes without a mask: the mask video is not there" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [({"split": "holiday"}, "holiday"), ({"limit": 0}, "limit 0"), ({"layer": "conv9"}, "choose one of"),
     ({"method": "magic"}, "choose one of")],
)  # fmt: skip
def test_explain_refuses_what_it_cannot_do(tiny_faces, tmp_path, change, message):
    run = small(tmp_path / "run")
    with pytest.raises(InputError, match=message):
        explain(run, tiny_faces / "faces.csv", None, ExplanationConfig(**change))
    assert not (run / "explanations").exists()


def test_whatever_a_method_is_called_pictures_lie_where_they_belong(tiny_faces, tmp_path):
    run, theirs = small(tmp_path / "run"), tmp_path / "run/explanations.csv"
    theirs.write_text("mine")
    table = pd.read_csv(tiny_faces / "faces.csv", dtype=str)
    table["path"] = [str(tiny_faces / path) for path in table["path"]]
    # The second and the third would be called alike.
    for old, method, compression in (("Deepfakes", "/../../../explanations", "c23"), ("FaceSwap", "a_b", "c"),
                                     ("youtube", "a", "b_c")):  # fmt: skip
        table.loc[table["method"] == old, "compression"] = compression
        table["method"] = table["method"].replace(old, method)
    table.loc[table["method"].str.contains("/"), "clip_id"] += "é" * 125
    write_table(table, tmp_path / "faces.csv", FACE_COLUMNS)
    out = explain(run, tmp_path / "faces.csv", None, ExplanationConfig(limit=6, controls=0, checks=False))
    overlays = read_table(out / "explanations.csv", EXPLANATION_COLUMNS)["overlay"]
    assert overlays.is_unique and {out / name for name in overlays} == set((out / "overlays").iterdir())
    assert theirs.read_text() == "mine"


@pytest.mark.parametrize("name", ["regions.csv", "overlays/holiday.png", "explanation.json", "notes.txt"])
def test_a_folder_of_somebody_else_is_not_written_to(tiny_faces, tmp_path, name):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    config = ExplanationConfig(limit=2, controls=0, checks=False)
    with pytest.raises(InputError, match="holds other things than explanations"):
        explain(small(tmp_path / "run"), tiny_faces / "faces.csv", tmp_path / "out", config)
    assert path.read_text() == "mine" and [one for one in (tmp_path / "out").rglob("*") if one.is_file()] == [path]


def test_landmarks_that_are_none_are_said_in_a_line(tiny_faces, tmp_path):
    table = pd.read_csv(tiny_faces / "faces.csv", dtype=str)
    table["path"] = [str(tiny_faces / path) for path in table["path"]]
    write_table(table.assign(landmarks="1 2 3"), tmp_path / "faces.csv", FACE_COLUMNS)
    with pytest.raises(InputError, match="ten numbers are needed") as caught:
        explain(small(tmp_path / "run"), tmp_path / "faces.csv", None, ExplanationConfig(checks=False, controls=0))
    assert "\n" not in str(caught.value)
