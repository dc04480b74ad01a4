"""A home for the course, steps that only say that they were done, and the whole lab of lesson 08 on crops of noise."""

from dataclasses import replace

import pytest

from torchfakes_utils.course import lab, teams
from torchfakes_utils.course.patients import Patient
from torchfakes_utils.course.steps import STEPS

from helpers.crops import make_faces
from helpers.lab import TINY


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    return tmp_path


@pytest.fixture
def change_step(monkeypatch):
    """Put other attributes into a step for the length of a test."""
    return lambda name, **changes: monkeypatch.setitem(STEPS, name, replace(STEPS[name], **changes))


@pytest.fixture
def built_steps(home, change_step):
    """The names of the steps that were done; in the pipeline's place, each just leaves an empty result."""
    names = []

    def builder(step):
        def make(order):
            names.append(step.name)
            target = step.makes(order.where)
            if step.name in ("mini", "run", "export", "control", "capstone"):
                (target / "best").mkdir(parents=True, exist_ok=True)
                (target / "best" / "detector.json").touch()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()

        return make

    for name, step in list(STEPS.items()):
        change_step(name, build=builder(step))
    return names


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"), {"train": 4, "val": 2, "test": 2}, size=32)


@pytest.fixture(scope="module")
def built(faces_csv, tmp_path_factory):
    """The whole lab on crops of noise, whose fakes are redder: one seed, seconds."""
    out = tmp_path_factory.mktemp("runs") / "lab"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teams, "TRAINING", teams.TRAINING | TINY)
        lab.build(faces_csv, out, seeds=(0,), workers=1, progress=False)
        yield out


@pytest.fixture(scope="module")
def patients(faces_csv, built):
    return {name: Patient(name, 0, faces_csv, built) for name in teams.CANDIDATES}
