import json

import pytest
import torch

from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training import precision
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.run import train
from torchfakes_utils.training.trainer import Trainer

from helpers.processes import torchrun
from helpers.runs import TINY, assert_same_run, equal

ALONE = World(1, 0, torch.device("cpu"))
AUTO = TINY | {"mixed_precision": "auto"}


def meso(dropout=0.5):
    return Detector(DetectorConfig("Meso4", None, dropout, Preprocessing(size=80)))


class Clock:
    """Stands in for the timing of passes: says how long they take, and remembers what was asked."""

    def __init__(self, **a_crop):
        self.a_crop, self.passes = {precision.DTYPES[name]: took for name, took in a_crop.items()}, []

    def __call__(self, detector, crops, dtype):
        self.passes.append((crops, dtype))
        took = self.a_crop[dtype]
        if took == float("inf"):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return took * crops

    @property
    def seconds(self):
        return sum(crops * self.a_crop[dtype] for crops, dtype in self.passes)


@pytest.fixture
def clock(monkeypatch):
    """A machine that promises bfloat16, on which passes take what the test says."""
    monkeypatch.setattr(precision, "_FOUND", {})
    monkeypatch.setattr(precision, "candidate", lambda device: "bfloat16")

    def use(**a_crop):
        made = Clock(**a_crop)
        monkeypatch.setattr(precision, "seconds_of_pass", made)
        precision._FOUND.clear()
        return made

    return use


_ASKED_FOR = {"float32": "off", "bfloat16": "bf16", "float16": "fp16"}


def test_what_the_hardware_promises(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    for supported, name in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda it=supported: it, raising=False)
        assert precision.candidate(cpu) == name
        assert TrainingConfig(mixed_precision=precision.promised(cpu)).mixed_precision == _ASKED_FOR[name]
    for supported, name in ((True, "bfloat16"), (False, "float16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, it=supported: it)
        assert precision.candidate(cuda) == name
        assert precision.promised(cuda) == _ASKED_FOR[name]


@pytest.mark.parametrize(
    ("float32", "bfloat16", "name"),
    [
        (0.12, 0.064, "bfloat16"),  # InceptionResnetV1 on two cores
        (0.042, 0.054, "float32"),  # EfficientNet-Lite0 there
        (0.05, 0.049, "float32"),  # not worth its digits
        (float("inf"), 0.1, "bfloat16"),  # the larger type has no room
        (float("inf"), float("inf"), "bfloat16"),  # nor has the other: the first step will say what does fit
    ],
)
def test_the_faster_type_is_taken(clock, float32, bfloat16, name):
    clock(float32=float32, bfloat16=bfloat16)
    found = precision.choose(meso(), TrainingConfig(architecture="Meso4"), 100, ALONE)
    assert found.name == name and found.seconds["float32"] == pytest.approx(16 * float32)
    assert f"{name} (timed: " in str(found) and "\n" not in str(found)


def test_what_is_asked_for_is_not_timed(clock, monkeypatch):
    made = clock(float32=0.1, bfloat16=0.05)
    for asked, name in (("off", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")):
        found = precision.choose(meso(), TrainingConfig(mixed_precision=asked), 100, ALONE)
        assert (found.name, str(found)) == (name, name)
    monkeypatch.setattr(precision, "candidate", lambda device: "float32")  # a processor that promises nothing
    assert precision.choose(meso(), TrainingConfig(), 100, ALONE).name == "float32"
    assert made.passes == []


@pytest.mark.parametrize(
    ("a_crop", "steps", "full"),
    [(0.0001, 10, True), (0.12, 140, True), (0.12, 20, False), (2.5, 1000, False), (30.0, 100, False)],
)
def test_timing_is_short_beside_the_run(clock, a_crop, steps, full):
    """Two seconds or a twentieth of the run, on the real batch where that can be afforded, on two crops at least."""
    made = clock(float32=a_crop, bfloat16=a_crop / 2)
    found = precision.choose(meso(), TrainingConfig(architecture="Meso4"), steps, ALONE)
    run, sizes = steps * 16 * a_crop, {crops for crops, _ in made.passes}
    assert found.name == "bfloat16" and found.seconds["bfloat16"] == pytest.approx(8 * a_crop)
    assert (16 in sizes) == full and sizes <= {2, 4, 8, 16}
    # With the passes before, from which it is known what can be afforded.
    assert made.seconds <= max(3.0, 0.1 * run, 2 * a_crop * 6)


def test_both_types_take_turns(clock):
    made = clock(float32=0.1, bfloat16=0.08)
    precision.choose(meso(), TrainingConfig(architecture="Meso4"), 1000, ALONE)
    counted = [dtype for crops, dtype in made.passes if crops == 16]
    assert len(counted) >= 4 and counted == [None, torch.bfloat16] * (len(counted) // 2)


def test_runs_of_one_process_compute_alike(clock):
    """What was timed once is not timed again, whichever weights a network begins with."""
    made = clock(float32=0.1, bfloat16=0.05)
    config = TrainingConfig(architecture="Meso4")
    first = precision.choose(meso(), config, 100, ALONE)
    count = len(made.passes)
    other = meso()
    other.config = DetectorConfig("Meso4", "from a file", 0.5, Preprocessing(size=80))
    assert precision.choose(other, config, 7, ALONE) is first and len(made.passes) == count
    precision.choose(meso(), TrainingConfig(architecture="Meso4", batch_size=4), 100, ALONE)
    assert len(made.passes) > count


def test_processes_decide_by_the_slowest_of_them(clock, monkeypatch):
    """Here float32 is slower, there bfloat16 is, and by more: both say float32."""
    made, theirs = clock(float32=0.1, bfloat16=0.05), {None: 0.02, torch.bfloat16: 0.3}

    def gather(world, took):
        crops, dtype = made.passes[-1]
        return [took, crops * theirs[dtype]]

    monkeypatch.setattr(precision, "gather", gather)
    found = precision.choose(meso(), TrainingConfig(architecture="Meso4"), 100, World(2, 0, torch.device("cpu")))
    assert found.name == "float32" and found.seconds["bfloat16"] == pytest.approx(8 * 0.3)


@pytest.mark.parametrize("tune", ["all", "head"])
def test_timing_leaves_network_and_generators_as_they_were(monkeypatch, tune):
    """Really timed; batch norms have met nobody, dropout has drawn nothing, no gradient is left."""
    monkeypatch.setattr(precision, "_FOUND", {})
    monkeypatch.setattr(precision, "candidate", lambda device: "bfloat16")
    torch.manual_seed(3)
    detector = meso().eval()
    detector.tune(tune)
    before, generator = {name: value.clone() for name, value in detector.state_dict().items()}, torch.get_rng_state()
    found = precision.choose(detector, TrainingConfig(architecture="Meso4", tune=tune, batch_size=4), 10, ALONE)
    assert all(0 < took < 60 for took in found.seconds.values())
    assert equal(before, detector.state_dict()) and torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in detector.parameters()) and not detector.training


def test_a_pass_is_really_timed_in_its_type():
    detector, seen, times = meso(), [], iter([1.0, 3.5])
    detector.backbone.block4.register_forward_hook(lambda _, __, out: seen.append(out.dtype))
    with precision.rehearsal(detector):
        assert precision.seconds_of_pass(detector, 2, torch.bfloat16, lambda: next(times)) == 2.5
        assert all(parameter.grad is not None for parameter in detector.parameters())
    assert seen == [torch.bfloat16]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("float32", "name", "asked"), [(0.001, "float32", "off"), (1.0, "bfloat16", "bf16")])
def test_a_run_that_decides_is_the_run_that_was_told(faces_csv, tmp_path, clock, float32, name, asked):
    """Bit for bit: timing costs nothing but time. Passes are made, and only their seconds are made up."""
    really = precision.seconds_of_pass
    made = clock(float32=float32, bfloat16=0.01)

    def pass_and_say(detector, crops, dtype):
        really(detector, crops, dtype)
        return made(detector, crops, dtype)

    precision.seconds_of_pass = pass_and_say  # the fixture takes it back
    train(faces_csv, tmp_path / "auto", TrainingConfig(**AUTO), progress=False)
    assert made.passes
    train(faces_csv, tmp_path / "told", TrainingConfig(**TINY | {"mixed_precision": asked}), progress=False)
    assert_same_run(tmp_path / "auto", tmp_path / "told")
    for run in ("auto", "told"):
        assert json.loads((tmp_path / run / "config.json").read_text())["computed_in"] == name
    saved = json.loads((tmp_path / "auto" / "best" / "detector.json").read_text())
    assert saved["extra"]["run"]["computed_in"] == name


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_goes_on_keeps_what_was_decided(faces_csv, tmp_path, clock, monkeypatch, capsys):
    config = TrainingConfig(**AUTO | {"checkpoint_minutes": 0.0})
    clock(float32=1.0, bfloat16=0.5)
    train(faces_csv, tmp_path / "alone", config, progress=False)
    validate = Trainer.validate
    monkeypatch.setattr(Trainer, "validate", lambda trainer: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train(faces_csv, tmp_path / "stopped", config, progress=False)
    monkeypatch.setattr(Trainer, "validate", validate)
    made = clock(float32=0.5, bfloat16=1.0)  # the machine has something else to do now
    train(faces_csv, tmp_path / "stopped", config)
    assert made.passes == [] and "bfloat16 on cpu" in capsys.readouterr().out
    assert_same_run(tmp_path / "alone", tmp_path / "stopped")


_PROGRAM = """
import sys, torch
from torchfakes_utils.training import precision
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train
torch.set_num_threads(1)
precision.candidate = lambda device: "bfloat16"
train(sys.argv[1], sys.argv[2], TrainingConfig(**eval(sys.argv[3])), progress=True)
"""


@pytest.mark.slow
def test_two_processes_time_together(faces_csv, tmp_path):
    """Their batch norms wait for each other: a pass more in one of them would wait for ever."""
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    done = torchrun(2, [str(program)], faces_csv, tmp_path / "two", AUTO | {"processes": 2, "epochs": 1})
    assert done.returncode == 0, done.stderr
    assert "(timed: " in done.stdout
