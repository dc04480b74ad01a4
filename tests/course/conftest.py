"""The whole lab of lesson 08 on crops of noise, for the tests of the lab and of the lesson."""

import pytest

from torchfakes_utils.course import lab

from helpers.crops import make_faces
from helpers.lab import TINY


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"), {"train": 4, "val": 2, "test": 2}, size=32)


@pytest.fixture(scope="module")
def built(faces_csv, tmp_path_factory):
    """The whole lab on crops of noise, whose fakes are redder: one seed, seconds."""
    out = tmp_path_factory.mktemp("runs") / "lab"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "TRAINING", lab.TRAINING | TINY)
        lab.build(faces_csv, out, seeds=(0,), workers=1, progress=False)
        yield out


@pytest.fixture(scope="module")
def patients(faces_csv, built):
    return {name: lab.Patient(name, 0, faces_csv, built) for name in lab.CANDIDATES}
