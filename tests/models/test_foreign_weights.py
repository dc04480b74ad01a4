"""Other people's checkpoints: what fits is found in them, what does not is said, and none of them runs code."""

import argparse
import re
import resource

import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, fit, read_weights
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector

from cases import CASES
from cases.weights import LOADS, SIZE, SPRUNG, TRAPS, WEIGHTS, head, in_training, prefixed, state, two_classes

CONFIG = DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=SIZE, crop_size=SIZE))
LOADED = {name: one for name, one in CASES.items() if one.row == WEIGHTS and one.answer == LOADS}
OWN = state(0)
HEAD = set(head(OWN))


@pytest.fixture
def crops():
    return torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", LOADED)
def test_wrapped_weights_give_the_logits_of_the_plain_ones(name, tmp_path, crops):
    built, _ = build_detector(CONFIG, LOADED[name].make(tmp_path))
    plain, _ = build_detector(CONFIG)
    plain.backbone.load_state_dict(state())
    with torch.no_grad():
        ours, theirs = (one.eval()(one.preprocessing.apply(crops)) for one in (plain, built))
    assert torch.allclose(ours, theirs, atol=1e-2 if "16 bits" in name else 1e-5)


def test_two_classes_become_their_difference_and_it_is_said(tmp_path):
    path = CASES["weights two classes"].make(tmp_path)
    built, note = build_detector(CONFIG, path)
    weight, bias = head(state())
    assert torch.allclose(built.backbone.state_dict()[weight], state()[weight])
    assert torch.allclose(built.backbone.state_dict()[bias], state()[bias])
    assert note.startswith(f"{path}: its classifier has two outputs") and "\n" not in note


def test_other_classifiers_begin_at_zero_and_it_is_said(tmp_path):
    built, note = build_detector(CONFIG, CASES["weights a thousand classes"].make(tmp_path))
    assert "its classifier has 1000 outputs" in note and "at zero" in note
    assert built.backbone.state_dict()[head(state())[0]].shape == (1, 16)
    bare = {name: value for name, value in state().items() if name not in HEAD}
    assert fit(bare, OWN, HEAD).notes == ["it has no classifier of this name: ours begins at zero"]


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": prefixed(state(1)), "state_dict_ema": prefixed(state())},
        prefixed(state(1), "online_model.") | prefixed(state(), "ema_model.") | {"step": torch.tensor(3)},
        {"model": {"net": {"ema": prefixed(state(), "module.model.")}}},
        prefixed(state(), "module.") | {"n_averaged": torch.tensor(5)},
        {name.replace("block1.", "block1._orig_mod."): value for name, value in state().items()},
        {"optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}, "weights": [1], "teacher": state()},
    ],
    ids=["ema beside", "ema in one", "deep", "averaged", "compiled part", "teacher"],
)
def test_where_weights_lie(content):
    fitted = fit(content, OWN, HEAD)
    assert list(fitted.state) == list(OWN)
    assert all(torch.equal(fitted.state[name], value) for name, value in state().items())


def test_which_of_two_is_taken_is_said():
    (note,) = fit({"state_dict": prefixed(state(1)), "model_ema": state()}, OWN, HEAD).notes
    assert note == "the weights are those of model_ema/*, not of state_dict/module.*"
    assert fit(in_training(state()), OWN, HEAD).notes == []


def test_a_larger_network_s_weights_are_taken_with_a_word():
    larger = state() | {f"blocks.{n}.weight": torch.ones(2, 2) for n in range(40)}
    (note,) = fit(larger, OWN, HEAD).notes
    assert note.startswith("40 of its tensors have no place in this network (one is blocks.0.weight)")
    assert fit(state() | {"logits.weight": torch.ones(9, 2)}, OWN, HEAD).notes == []  # another task's classifier


def test_a_file_that_holds_itself_has_an_end():
    content = {"a": {}}
    content["a"]["b"] = content
    with pytest.raises(UnusableWeightsError, match="no tensors by name"):
        fit(content, OWN, HEAD)


WRONG = {
    "weights with NaN": "not finite",
    "weights with infinity": "not finite",
    "weights of another shape": r"has the shape 8 × 3 × 7 × 7, not 8 × 3 × 3 × 3",
    "weights with a layer missing": r"block1\.0\.0\.weight of \d+ tensors absent",
    "weights of nothing": "no tensors by name",
    "weights a list": "no tensors by name",
    "weights numbers for names": "no tensors by name",
}


@pytest.mark.parametrize("name", WRONG)
def test_why_others_are_refused(name, tmp_path):
    path = CASES[name].make(tmp_path)
    with pytest.raises(InputError, match=WRONG[name]) as caught:
        build_detector(CONFIG, path)
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).endswith("; give weights of Meso4")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_found_in_any_form(bad):
    weight, _ = head(OWN)
    broken = two_classes(state())
    broken[weight] = broken[weight].clone().half()
    broken[weight][1, 3] = bad
    with pytest.raises(UnusableWeightsError, match="not finite"):
        fit({"net": prefixed(broken)}, OWN, HEAD)
    with pytest.raises(UnusableWeightsError, match="not finite"):  # beyond what 32 bits can hold
        fit(state() | {"block1.1.weight": torch.full((8,), 1e300, dtype=torch.float64)}, OWN, HEAD)


@pytest.mark.parametrize("kind", [torch.int32, torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("layer", ["body", "head", "two outputs"])
def test_whole_numbers_are_no_weights(kind, layer):
    """Of quantised ones nobody knows the scale; counters are whole numbers everywhere."""
    content = two_classes(state()) if layer == "two outputs" else state()
    name = head(OWN)[0] if layer != "body" else "block1.0.0.weight"
    content[name] = content[name].to(kind)
    told = rf"{re.escape(name)} is of the type {str(kind)[6:]}, and weights are fractions"
    with pytest.raises(UnusableWeightsError, match=told):
        fit(content, OWN, HEAD)
    for fractions in (torch.float16, torch.bfloat16, torch.float64):
        content[name] = content[name].to(fractions)
        assert fit(content, OWN, HEAD).state[name].dtype == torch.float32


@pytest.mark.parametrize("name", [name for name, one in CASES.items() if one.row == TRAPS and not one.hungry])
def test_traps_do_not_spring(name, tmp_path):
    path = CASES[name].make(tmp_path)
    with pytest.raises(InputError, match="give weights of Meso4") as caught:
        build_detector(CONFIG, path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / SPRUNG).exists()


def test_what_would_run_code_is_named(tmp_path):
    with pytest.raises(
        UnusableWeightsError, match=r"holds posix\.mkdir.*could run code; save the network's state_dict"
    ):
        read_weights(CASES["a trap in a checkpoint"].make(tmp_path))


@pytest.mark.slow
def test_an_archive_that_unpacks_to_more_is_never_unpacked(tmp_path):
    path = CASES["an archive of half a gigabyte"].make(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnusableWeightsError, match="packed"):
        read_weights(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_variances_below_zero_are_refused():
    """Every answer of such a network is NaN."""
    name = next(name for name in OWN if name.endswith("running_var"))
    with pytest.raises(UnusableWeightsError, match=r"running_var holds variances below zero"):
        fit(state() | {name: -OWN[name] - 1}, OWN, HEAD)


@pytest.mark.parametrize(("content", "why"), [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "pointer that Git LFS keeps"),
    (b"<!DOCTYPE html><title>404</title>", "not a file of weights, but a web page"),
    (b"\n<html>", "a web page"),
    (b"\x89HDF\r\n\x1a\n", "not a file of weights"),
])  # fmt: skip
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_what_often_lies_in_the_place_of_weights_is_named(tmp_path, content, why, ending):
    path = tmp_path / f"w.{ending}"
    path.write_bytes(content)
    with pytest.raises(UnusableWeightsError, match=why):
        read_weights(path)


def test_what_beside_weights_is_not_read_is_named(tmp_path):
    torch.save({"state_dict": state(), "args": argparse.Namespace(lr=1)}, tmp_path / "w.pth")
    with pytest.raises(UnusableWeightsError, match=r"it holds argparse\.Namespace, and to read that"):
        read_weights(tmp_path / "w.pth")
