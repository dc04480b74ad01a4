"""Robustness: the changes themselves, a detector whose weakness is known, and a run that is taken up again."""

import json

import cv2
import msgspec
import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import robustness as module
from torchfakes_utils.evaluation.config import RobustnessConfig
from torchfakes_utils.evaluation.films import Films
from torchfakes_utils.evaluation.recompression import as_jpeg
from torchfakes_utils.evaluation.robustness import PERTURBATIONS, changer, robustness, strengths_of
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering


@pytest.fixture(scope="module")
def crops(portraits):
    return [cv2.resize(portrait, (65, 65), interpolation=cv2.INTER_AREA) for portrait in portraits] * 2


def distance(first, second):
    return float(
        np.mean([np.abs(one.astype(int) - two.astype(int)).mean() for one, two in zip(first, second, strict=True)])
    )


@pytest.mark.parametrize("name", [name for name, one in PERTURBATIONS.items() if one.apply])
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
    assert distance([np.asarray(Image.open(buffer))], as_jpeg(crops[:1], 30)) < 1.0


def grid_of(picture):
    """Where a JPEG's blocks begin: the rows and columns, of 8, across which neighbours differ most."""
    grey = picture.astype(float).mean(axis=2)
    steps = [np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
    return tuple(int(np.argmax([step[start::8].mean() for start in range(8)]) + 1) % 8 for step in steps)


def test_a_jpeg_s_grid_begins_where_each_clip_draws_it(crops):
    x = np.arange(128)
    smooth = np.repeat((x[:, None] + x)[..., None], 3, axis=2).astype(np.uint8)
    assert grid_of(as_jpeg([smooth], 10)[0]) == (0, 0), "at the corner of what is encoded"
    grids = {clip: [grid_of(picture) for picture in changer("jpeg", 10)([smooth] * 2, clip)] for clip in range(12)}
    assert all(first == second for first, second in grids.values()), "all crops of a clip alike"
    assert len({first for first, _ in grids.values()}) > 6


def test_h264_is_nothing_for_crops(crops):
    with pytest.raises(ValueError, match="h264"):
        changer("h264", 37)


def test_what_is_random_depends_on_seed_and_clip_alone(crops):
    for name in ("noise", "shift"):
        strength = PERTURBATIONS[name].strengths[2]
        first = changer(name, strength)(crops, 5)
        assert distance(first, changer(name, strength)(crops, 5)) == 0
        assert distance(first, changer(name, strength)(crops, 6)) > 0
        assert distance(first, changer(name, strength, seed=1)(crops, 5)) > 0


class Bright(Answering, torch.nn.Module):
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


def films_of(faces, root):
    clips = pd.read_csv(root / "clips.csv", dtype=str)
    return Films({tuple(row[name] for name in CLIP_KEY): root / row["path"] for _, row in clips.iterrows()})


def test_without_films_h264_is_not_measured_and_the_rest_is(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv", "test")
    found = robustness(Bright(), faces, RobustnessConfig(("h264", "jpeg"), frames=1, replicates=20))
    assert list(found.perturbations) == ["jpeg"] and not found.perturbations["jpeg"].in_films
    assert list(found.not_measured) == ["h264"] and "--films" in found.not_measured["h264"]


def test_films_are_compressed_and_taken_up_again(tiny_faces, tiny_ffpp, tmp_path, monkeypatch, caplog):
    faces, kept = load_faces(tiny_faces / "faces.csv", "test"), tmp_path / "robustness.json"
    films, config = films_of(faces, tiny_ffpp), RobustnessConfig(("h264", "jpeg", "blur"), frames=2, replicates=20)
    gone = next(clip for clip in films.paths if clip[2] == "004_005")
    films.paths[gone] = tmp_path / "gone.mp4"
    calls, original = [], module.recompress
    monkeypatch.setattr(module, "recompress", lambda *given: calls.append(given) or original(*given))
    first = robustness(Bright(), faces, config, kept=kept, films=films)
    assert len(calls) == 2 * 5, "once a clip and codec, for all strengths"
    for name in ("h264", "jpeg"):
        curve = first.perturbations[name]
        assert curve.in_films and curve.left_out == {"/".join(gone): "the film is gone"}
        assert [row.strength for row in curve.strengths] == list(PERTURBATIONS[name].strengths)
    assert "/".join(gone) in caplog.text and not first.perturbations["blur"].left_out
    calls.clear()
    assert robustness(Bright(), faces, config, kept=kept, films=films) == first and not calls
    films.paths[gone] = tiny_ffpp / "original_sequences/youtube/c23/videos/000.mp4"
    again = robustness(Bright(), faces, config, kept=kept, films=films)
    assert len(calls) == 2 * 6, "with other films it is measured anew"
    assert "has changed" in again.perturbations["h264"].left_out["/".join(gone)]


@pytest.mark.parametrize(
    ("count", "expected"), [(5, (0.5, 1, 1.5, 2, 3)), (3, (0.5, 1.5, 3)), (2, (0.5, 3)), (1, (3,))]
)
def test_fewer_strengths_are_spread_and_end_with_the_harshest(count, expected, tiny_faces):
    assert strengths_of("blur", count) == expected
    config = RobustnessConfig(("blur",), strengths=count, frames=1, replicates=20)
    found = robustness(Bright(), load_faces(tiny_faces / "faces.csv", "test"), config)
    assert tuple(row.strength for row in found.perturbations["blur"].strengths) == expected
    with pytest.raises(InputError, match="strengths"):
        RobustnessConfig(strengths=6)


def test_where_no_film_can_be_used_a_jpeg_is_one_of_crops(tiny_faces, tmp_path):
    faces = load_faces(tiny_faces / "faces.csv", "test")
    found = robustness(Bright(), faces, RobustnessConfig(("h264", "jpeg"), frames=1, replicates=20),
                       films=Films({("youtube", "c23", "004"): tmp_path}))  # fmt: skip
    assert "6 clips are left out" in found.not_measured["h264"] and not found.perturbations["jpeg"].in_films
