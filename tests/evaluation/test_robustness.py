"""Robustness: the changes themselves, a detector whose weakness is known, and a run that is taken up again."""

import json

import cv2
import msgspec
import numpy as np
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import robustness as module
from torchfakes_utils.evaluation.config import RobustnessConfig
from torchfakes_utils.evaluation.robustness import PERTURBATIONS, changer, robustness
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def crops(portraits):
    return [cv2.resize(portrait, (65, 65), interpolation=cv2.INTER_AREA) for portrait in portraits] * 2


def distance(first, second):
    return float(
        np.mean([np.abs(one.astype(int) - two.astype(int)).mean() for one, two in zip(first, second, strict=True)])
    )


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_five_strengths_each_harsher_than_the_one_before(crops, name):
    strengths = PERTURBATIONS[name].strengths
    assert len(strengths) == 5
    before = [crop.copy() for crop in crops]
    found = [changer(name, strength)(crops, 3) for strength in strengths]
    assert all((one == two).all() for one, two in zip(crops, before, strict=True)), "the originals stay as they are"
    for changed in found:
        assert [crop.shape for crop in changed] == [(65, 65, 3)] * 4 and {crop.dtype for crop in changed} == {
            np.dtype(np.uint8)
        }
    away = [distance(crops, changed) for changed in found]
    assert away[0] > 0 and away == sorted(away)


def test_jpeg_is_libjpeg_s(crops):
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(crops[0]).save(buffer, "JPEG", quality=30)
    assert distance([np.asarray(Image.open(buffer))], changer("jpeg", 30)(crops[:1], 0)) < 1.0


def test_h264_is_a_film_that_is_encoded_and_read_again(crops, monkeypatch):
    written, original = [], module.write_video

    def noted(path, frames, crf, preset):
        written.append((len(frames), crf))
        return original(path, frames, crf=crf, preset=preset)

    monkeypatch.setattr(module, "write_video", noted)
    changed = changer("h264", 37)(crops, 0)
    assert written == [(4, 37)] and len(changed) == 4
    assert variance_of_laplacian(changed[0]) < variance_of_laplacian(crops[0])


def test_what_is_random_depends_on_seed_and_clip_alone(crops):
    for name in ("noise", "shift"):
        strength = PERTURBATIONS[name].strengths[2]
        first = changer(name, strength)(crops, 5)
        assert distance(first, changer(name, strength)(crops, 5)) == 0
        assert distance(first, changer(name, strength)(crops, 6)) > 0
        assert distance(first, changer(name, strength, seed=1)(crops, 5)) > 0


class Bright(torch.nn.Module):
    """Takes bright crops for fakes."""

    preprocessing = Preprocessing(size=16)

    def __init__(self, offset=0.0):
        super().__init__()
        self.decision, self.sha256, self.offset = Decision(ranges={"brightness": (40.0, None)}), "a" * 64, offset
        self.slope = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return self.slope * (images.mean(dim=(1, 2, 3)) + self.offset)


def test_a_detector_by_brightness_minds_darkness_and_not_the_codec(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv", "test")
    config = RobustnessConfig(("jpeg", "brightness"), frames=2, replicates=50)
    found = robustness(Bright(), faces, config)
    assert found.clips == 6 and found.frames == 2 and list(found.perturbations) == ["jpeg", "brightness"]
    jpeg, dark = (found.perturbations[name].strengths for name in ("jpeg", "brightness"))
    assert [row.strength for row in jpeg] == [90, 70, 50, 30, 10]
    # All alike darker: the order stays, the answers do not, and in the end it is noticed.
    assert all(row.auc == pytest.approx(found.plain.auc, abs=0.3) for row in dark)
    assert dark[-1].fnr == 1 and dark[-1].fpr == 0 and dark[-1].coverage == 0
    assert jpeg[0].coverage == found.plain.coverage == 1
    assert found.plain.auc_change == 0
    json.dumps(msgspec.to_builtins(found), allow_nan=False)


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again(tiny_faces, tmp_path, monkeypatch):
    faces, kept = load_faces(tiny_faces / "faces.csv", "test"), tmp_path / "robustness.json"
    config, calls, original = RobustnessConfig(("jpeg",), frames=1, replicates=20), [], module.score

    def counted(detector, faces, scoring, change=None):
        calls.append(change)
        if len(calls) == 4 and stop:
            raise KeyboardInterrupt
        return original(detector, faces, scoring, change)

    monkeypatch.setattr(module, "score", counted)
    stop = True
    with pytest.raises(KeyboardInterrupt):
        robustness(Bright(), faces, config, kept=kept)
    assert len(json.loads(kept.read_text())["rows"]) == 2, "two strengths were done"
    stop, calls[:] = False, []
    first = robustness(Bright(), faces, config, kept=kept)
    assert len(calls) == 4, "the plain crops, and three strengths"
    calls.clear()
    assert robustness(Bright(), faces, config, kept=kept) == first and len(calls) == 1
    calls.clear()
    other = Bright(1.0)
    other.sha256 = "b" * 64
    robustness(other, faces, config, kept=kept)
    assert len(calls) == 6, "another detector is measured from the start"


def test_a_damaged_memory_is_begun_anew(tiny_faces, tmp_path, caplog):
    kept = tmp_path / "robustness.json"
    kept.write_text("{half a")
    faces = load_faces(tiny_faces / "faces.csv", "test")
    robustness(Bright(), faces, RobustnessConfig(("blur",), frames=1, replicates=20), kept=kept)
    assert "from the start" in caplog.text and json.loads(kept.read_text())["rows"]


def test_an_unknown_perturbation_is_refused_with_the_choices(tiny_faces):
    with pytest.raises(InputError, match="jpeg, h264, rescale, blur, noise, brightness, shift"):
        robustness(Bright(), load_faces(tiny_faces / "faces.csv", "test"), RobustnessConfig(("fog",)))
