import dataclasses
import json
import re
from pathlib import Path

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.training import patience
from torchfakes_utils.training import run as running
from torchfakes_utils.training.config import FREE_FIELDS, TrainingConfig
from torchfakes_utils.training.recipes import RECIPES, from_recipe, lines
from torchfakes_utils.training.run import train

from helpers.crops import make_faces
from helpers.hub import lead_to
from helpers.hub_server import Fault, serving
from helpers.runs import TINY

ROOT = Path(__file__).parents[2]
FIELDS = {field.name for field in dataclasses.fields(TrainingConfig)}


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_is_a_field_with_a_reason(name):
    recipe = RECIPES[name]
    assert recipe.choices.keys() <= FIELDS - {"recipe", "seed", *FREE_FIELDS}
    for field, choice in recipe.choices.items():
        assert 10 < len(choice.why) < 120 and "\n" not in choice.why, field
    # What decides how good a detector gets is said by each of them, and not left to defaults that may change.
    assert recipe.choices.keys() >= {
        "architecture", "pretrained", "image_size", "epochs", "batch_size", "learning_rate", "schedule", "sampling",
        "augmentation", "min_sharpness",
    }  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_what_was_measured_is_said_and_where(name):
    recipe = RECIPES[name]
    assert len(recipe.not_measured) > 10
    for one in recipe.measured:
        assert re.search(r"\d\.\d\d", one.result), one
        if one.page.endswith(".md"):  # every figure of ours stands there
            text = (ROOT / one.page).read_text(encoding="utf-8")
            assert all(figure in text for figure in re.findall(r"\d\.\d+", one.result)), one
        else:
            assert one.page.startswith("arXiv")


@pytest.mark.parametrize(
    ("architecture", "pretrained"), [("Meso4", "default"), ("timm:vit_tiny_patch16_224", "default"),
                                     ("EfficientNet-Lite0", "imagenet")],
)  # fmt: skip
def test_weights_that_another_architecture_has_not_give_way(architecture, pretrained, caplog):
    assert from_recipe("cpu", architecture=architecture).pretrained == pretrained
    assert (f"which {architecture} has not" in caplog.text) == (pretrained == "default")
    assert from_recipe("cpu", architecture=architecture, pretrained=None).pretrained is None
    assert from_recipe("best", architecture="GenD-CLIP-L14").pretrained == "timm"
    assert from_recipe("course", architecture=architecture).pretrained is None


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_makes_a_configuration(name):
    config = from_recipe(name)
    assert config.recipe == name
    for field, choice in RECIPES[name].choices.items():
        assert getattr(config, field) == choice.value, field
    usual = TrainingConfig()
    left = FIELDS - {"recipe", *RECIPES[name].choices}
    assert all(getattr(config, field) == getattr(usual, field) for field in left)


@pytest.mark.parametrize("name", RECIPES)
def test_its_network_can_begin_from_its_weights_at_its_size(name):
    choices = {field: choice.value for field, choice in RECIPES[name].choices.items()}
    try:
        kind = architecture(choices["architecture"])
    except InputError as error:
        pytest.skip(str(error))  # a network that is still to come
    assert choices["pretrained"] in (None, *kind.pretrained)
    assert choices["image_size"] >= kind.min_size and choices["image_size"] % kind.patch() == 0


def test_what_is_given_beside_it_goes_before_it():
    config = from_recipe("cpu", epochs=3, pretrained=None, image_size=None)
    assert (config.epochs, config.pretrained, config.image_size) == (3, None, None)
    assert config.architecture == "EfficientNet-Lite0" and config.recipe == "cpu"
    assert from_recipe(epochs=3) == TrainingConfig(epochs=3)


@pytest.mark.parametrize(
    ("changes", "warmup", "words"),
    [
        ({"epochs": 1}, 0.5, "the warm-up of recipe best is shortened from 1 epochs to 0.5: the run has 1"),
        ({"epochs": 2}, 1.0, None),
        ({"schedule": "one-cycle"}, 0.0, "the warm-up of recipe best is left out: the schedule is one-cycle"),
        ({"epochs": 1, "warmup_epochs": 0.2}, 0.2, None),
        ({}, 1.0, None),
    ],
)
def test_a_recipes_warm_up_gives_way_to_what_is_asked_for(changes, warmup, words, caplog):
    assert from_recipe("best", **changes).warmup_epochs == warmup
    assert caplog.messages == ([words] if words else [])


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"epochs": 1, "warmup_epochs": 1.0}, {"schedule": "cosines"}])
def test_what_is_asked_for_and_cannot_work_is_refused_by_its_name(changes):
    with pytest.raises(InputError, match=f"cannot use {[*changes][-1].replace('_', ' ')} "):
        from_recipe("best", **changes)


def test_no_such_recipe():
    with pytest.raises(InputError, match="no recipe 'gpu'; there are course, cpu, best: `torchfakes recipes` shows"):
        from_recipe("gpu")


def test_people_see_each_setting_as_they_would_type_it():
    shown = lines("cpu")
    assert shown[0].startswith("cpu: ") and shown[-1].startswith("  Not measured: ")
    assert any(line.startswith("  Measured on Mini-FF++") for line in shown)
    options = dict(line.split(maxsplit=2)[:2] for line in shown[1:] if line.startswith("  --"))
    assert options["--architecture"] == "EfficientNet-Lite0" and options["--learning-rate"] == "0.0003"
    assert all(len(line) <= 120 for line in shown)


def test_the_name_is_kept_with_the_run(faces_csv, tmp_path):
    settings = {name: value for name, value in TINY.items() if name != "pretrained"}
    config = from_recipe("course", **settings | {"epochs": 1})
    train(faces_csv, tmp_path / "run", config, progress=False)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["recipe"] == "course"
    kept = json.loads((tmp_path / "run" / "best" / "detector.json").read_text())
    assert kept["extra"]["run"]["recipe"] == "course"
    with pytest.raises(InputError, match="holds a run with recipe 'course' .now None."):
        train(faces_csv, tmp_path / "run", TrainingConfig(**settings), progress=False)


@pytest.mark.parametrize("most_hours", [4.0, None])
def test_the_best_one_without_a_network_ends_before_anything_is_timed(tmp_path, monkeypatch, capfd, most_hours):
    """In one line of ours: the Hub's client alone would try for a minute, and say so."""
    path = make_faces(tmp_path / "faces", {"train": 1, "val": 1}, frames=1, size=98)
    with serving() as closed:
        pass  # nobody listens at its port any more
    lead_to(closed.url, tmp_path, monkeypatch)
    monkeypatch.setattr(patience, "estimate", lambda *given: pytest.fail("the weights come first"))
    monkeypatch.setattr(running, "Trainer", lambda *given: pytest.fail("the weights come first"))
    config = from_recipe("best", image_size=98, device="cpu")
    with pytest.raises(InputError) as told:
        train(path, tmp_path / "run", config, most_hours=most_hours)
    line = str(told.value)
    assert "GenD-PE-L weights cannot be had (timm/vit_pe_core_large_patch14_336.fb: the Hub cannot be reached" in line
    assert "--weights" in line and "\n" not in line and "etry" not in line
    assert not (tmp_path / "run").exists() and capfd.readouterr() == ("", "")


def test_weights_that_break_off_are_no_start_either(faces_csv, tmp_path, monkeypatch):
    """The Hub has answered, and then they do not come: nothing is trained on top of random ones."""
    config = TrainingConfig(**TINY | {"architecture": "timm:test_resnet", "pretrained": "timm", "tune": "head"})
    with serving() as server:
        lead_to(server.url, tmp_path, monkeypatch)
        server.add("timm/test_resnet.r160_in1k", {"model.safetensors": b"cut off"})
        server.faults.append(Fault("GET /storage", keep=0.5))
        with pytest.raises(InputError, match="timm:test_resnet weights cannot be had"):
            train(faces_csv, tmp_path / "run", config, progress=False)
        assert server.seen("GET /storage")
        result = train(faces_csv, tmp_path / "all", dataclasses.replace(config, tune="all", epochs=1), progress=False)
    assert "going on from random weights" in result.note


@pytest.mark.slow
def test_the_recipe_for_a_cpu_trains(faces_csv, tmp_path):
    """From ImageNet, which is installed with us; nothing is fetched."""
    config = from_recipe("cpu", epochs=1, crops_per_epoch=4, batch_size=4, image_size=64, device="cpu")
    result = train(faces_csv, tmp_path / "run", config, progress=False)
    detector = json.loads((result.run / "best" / "detector.json").read_text())
    assert result.note is None and detector["config"]["pretrained"] == "imagenet"
