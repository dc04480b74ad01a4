import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import OF_BEFORE, Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig, load_detector, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.stored import store_decision

from helpers.decisions import answering

DECISION = Decision(0.4, 1.5, {"face": (50.0, None)}, ("a note",))
SMALL = DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80))


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    return Detector(SMALL).eval()


@pytest.fixture(scope="module")
def saved_once(detector, tmp_path_factory):
    detector.decision = DECISION
    return save(detector, tmp_path_factory.mktemp("run") / "best", {"epoch": 3})


@pytest.fixture
def saved(saved_once, tmp_path):
    return Path(shutil.copytree(saved_once, tmp_path / "best"))


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_forward_and_probability(detector):
    crops = torch.randint(0, 256, (3, 3, 96, 96), dtype=torch.uint8)
    logits = detector(detector.preprocessing.apply(crops))
    assert logits.shape == (3,)
    probability = detector.probability(crops)
    assert torch.allclose(probability, logits.sigmoid()) and not probability.requires_grad
    assert torch.allclose(probability[1:2], detector.probability(crops[1:2]), atol=1e-6)


def test_probability_does_not_depend_on_the_mode_and_leaves_it(detector):
    crops = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    expected = detector.probability(crops)
    detector.train()
    try:
        assert torch.equal(detector.probability(crops), expected) and detector.training
    finally:
        detector.eval()


def test_what_is_saved_is_loaded(detector, saved):
    state = torch.get_rng_state()
    loaded = load_detector(saved)
    assert torch.equal(torch.get_rng_state(), state)  # reading a file is not a throw of dice
    assert loaded.config == SMALL and loaded.extra == {"epoch": 3} and not loaded.training
    assert loaded.decision == DECISION
    crops = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    assert torch.equal(loaded.probability(crops), detector.probability(crops))
    assert load_detector(saved.parent).config == SMALL  # a run folder holds its detector in best/
    description = json.loads((saved / "detector.json").read_text())
    assert description["sha256"] == hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert sorted(path.name for path in saved.iterdir()) == ["detector.json", "model.safetensors"]
    assert all(parameter.requires_grad for parameter in loaded.parameters())  # it can be trained further


@pytest.mark.slow
def test_weights_in_channels_last_are_saved_alike(detector, saved, tmp_path):
    config = (saved / "detector.json").read_text()
    copy = load_detector(saved).to(memory_format=torch.channels_last)
    assert (save(copy, tmp_path / "again", copy.extra) / "detector.json").read_text() == config


def test_tampered_weights(saved):
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged or changed") as error:
        load_detector(saved)
    assert str(path) in one_line(error)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged or changed"):
        load_detector(saved)


def test_weights_of_something_else_with_a_right_hash(saved):
    content = b"not safetensors"
    (saved / "model.safetensors").write_bytes(content)
    rewrite(saved, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(InputError, match="not the weights of InceptionResnetV1"):
        load_detector(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "detector.json"])
def test_a_file_is_gone(saved, name):
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"no detector here \\({name}: No such file"):
        load_detector(saved)


def rewrite(folder, **changes):
    path = folder / "detector.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocessing_version": 99}, "made for another preprocessing"),
        ({"format": 99}, "made for another preprocessing"),
        ({"config": {"architecture": "Xception"}}, "not a detector's description"),
        ({"config": {"unheard_of": 1, "preprocessing": {}}}, "not a detector's description"),
        ({"config": {"architecture": "Xception", "preprocessing": {}}}, "no architecture 'Xception'"),
        ({"sha256": None}, "not a detector's description"),
    ],
)
def test_a_description_of_something_else(saved, changes, message):
    rewrite(saved, **changes)
    with pytest.raises(InputError, match=message) as error:
        load_detector(saved)
    one_line(error)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_description_that_is_none(saved, content):
    (saved / "detector.json").write_text(content)
    with pytest.raises(InputError, match="not a detector's description"):
        load_detector(saved)


def test_a_folder_that_cannot_be_written(detector, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        save(detector, tmp_path / "file" / "best")


def test_sizes_that_the_network_cannot_take():
    Detector(replace(SMALL, preprocessing=Preprocessing(size=75))).eval()(torch.zeros(1, 3, 75, 75))
    with pytest.raises(InputError, match="at least 75 px"):
        Detector(replace(SMALL, preprocessing=Preprocessing(size=74)))


def test_probability_is_calibrated_and_logits_are_not(saved):
    loaded = load_detector(saved)
    crops = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = loaded(loaded.preprocessing.apply(crops))
    assert torch.allclose(loaded.probability(crops), (logits / 1.5).sigmoid())


def test_a_decision_can_be_stored_later_and_leaves_the_weights(saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "run"))
    before = (folder / "model.safetensors").read_bytes()
    store_decision(folder, Decision(0.7))
    assert load_detector(folder).decision == Decision(0.7) and load_detector(folder).extra == {"epoch": 3}
    assert (folder / "model.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="no detector here"):
        store_decision(tmp_path / "nowhere", Decision())


@pytest.mark.parametrize("gone", [("photo",), ("film",), ("photo", "film")])
def test_of_a_decision_without_either_band_no_verdict_is_given(saved, gone):
    store_decision(saved, answering(0.4))
    whole = json.loads((saved / "detector.json").read_text())["decision"]
    rewrite(saved, decision={name: value for name, value in whole.items() if name not in gone})
    decision = load_detector(saved).decision
    assert decision.silence == OF_BEFORE and decision.cautions == (f"caution: {OF_BEFORE}",)
    assert decision.photo == decision.film == Band()


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", [{"threshold": 3}, {"temperature": "hot"}, [0.5], {"fog": 1}, {"film": {"false_alarms": []}}]
)
def test_a_decision_that_makes_no_sense_is_refused_in_a_line(saved, tmp_path, wrong):
    folder = Path(shutil.copytree(saved, tmp_path / "run"))
    description = json.loads((folder / "detector.json").read_text())
    (folder / "detector.json").write_text(json.dumps(description | {"decision": wrong}))
    with pytest.raises(InputError, match="its decision cannot be read") as caught:
        load_detector(folder)
    assert "\n" not in str(caught.value)
