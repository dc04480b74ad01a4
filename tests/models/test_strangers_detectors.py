"""What a stranger's detector.json may ask for: ranges are held, and shapes are looked at before they take memory."""

import json
import os
import subprocess
import sys
import tracemalloc

import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig, load_detector, save
from torchfakes_utils.models.preprocessing import Preprocessing

from cases import CASES, runs

LIVES = ("a run with a temperature of next to nothing",)
DESCRIBED = {name: one for name, one in CASES.items()
             if one.row == runs.RUN and name.startswith("a run ") and name not in LIVES}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, one in DESCRIBED.items() if not one.hungry])
def test_what_is_out_of_range_is_refused_in_a_line_that_names_the_file(name, tmp_path):
    run = DESCRIBED[name].make(tmp_path)
    with pytest.raises(InputError) as caught:
        load_detector(run)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 600
    assert ".json: " in text or "model.safetensors: " in text


# Prints by how many MiB memory grew, and what was said, of loading each.
_LOAD = """
import json, resource, sys
from torchfakes_utils.models.detector import load_detector
load_detector(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = []
for run in sys.argv[2:]:
    try:
        load_detector(run)
        said.append("")
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps([(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, said]))
"""


@pytest.mark.slow
def test_what_takes_memory_is_refused_before_it_does(tmp_path):
    pytest.importorskip("timm")
    runs_ = []
    for number, one in enumerate(one for one in DESCRIBED.values() if one.hungry):
        (tmp_path / str(number)).mkdir()
        runs_.append(one.make(tmp_path / str(number)))
    (tmp_path / "good").mkdir()
    good = runs.run(tmp_path / "good")
    endless = tmp_path / "endless"
    endless.mkdir()
    (endless / "detector.json").symlink_to("/dev/zero")
    command = [sys.executable, "-c", _LOAD, *map(str, (good, *runs_, endless))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=os.environ)
    grown, said = json.loads(done.stdout)
    assert len(said) >= 6 and all(text.startswith("InputError: ") and "\n" not in text for text in said), said
    assert grown < 400  # MiB, most of it what timm itself is; eva_giant alone would be 4,000


@pytest.mark.parametrize("where", [("config", "preprocessing", "mean"), ("config", "preprocessing", "crop_scale"),
                                   ("decision", "temperature"), ("decision", "threshold"), ("format",)])  # fmt: skip
def test_numbers_beyond_all_numbers(tmp_path, where):
    run = runs.run(tmp_path, runs.of(*where, value=10**400))
    with pytest.raises(InputError, match=r"detector\.json: not a detector's description \(1000") as caught:
        load_detector(run)
    assert len(str(caught.value)) < 600


def test_a_file_takes_no_more_memory_than_it_is_long(tmp_path):
    """Asked for at once, the most that a file may hold is more than a machine with a limit gives."""
    run = runs.run(tmp_path)
    tracemalloc.start()
    try:
        load_detector(run)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_weights_of_another_type_are_refused(tmp_path):
    run = runs.run(tmp_path, weights=lambda numbers: {name: value.half() for name, value in numbers.items()})
    with pytest.raises(InputError, match="not the weights of Meso4"):
        load_detector(run)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    run = CASES["a run whose weights are NaN"].make(tmp_path)
    with pytest.raises(InputError, match=r"model\.safetensors: some weights are not finite"):
        load_detector(run)


@pytest.mark.slow
def test_a_transformer_is_loaded_with_what_it_does_not_save(tmp_path):
    timm = pytest.importorskip("timm")
    name = next(name for name in ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224") if timm.is_model(name))
    detector = Detector(DetectorConfig(f"timm:{name}", None, preprocessing=Preprocessing(size=64))).eval()
    state = torch.random.get_rng_state()
    loaded = load_detector(save(detector, tmp_path))
    assert torch.equal(torch.random.get_rng_state(), state)
    crops = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    assert torch.equal(loaded.probability(crops), detector.probability(crops))
    assert all(value.device.type == "cpu" for value in (*loaded.parameters(), *loaded.buffers()))


@pytest.mark.parametrize(
    ("value", "low", "words"),
    [
        (92.2, 92.4, "(face 92.2; 92.4 px or more wanted)"),
        (92.0, 93.0, "(face 92; 93 px or more wanted)"),
        (92.399, 92.4, "(face 92.399; 92.400 px or more wanted)"),
        (92.399999999, 92.4, "(face 92.399999999; 92.4 px or more wanted)"),
        (31.0, 70.0, "(face 31; 70 px or more wanted)"),
    ],
)
def test_what_lies_outside_is_rounded_apart_from_the_end(value, low, words):
    assert Decision(ranges={"face": (low, None)}).outside({"face": value}) == f"too small {words}"
