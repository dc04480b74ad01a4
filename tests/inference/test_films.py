"""A film in, a verdict out; and one line of whatever is no film, too short, too slow, or shows nobody."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchfakes_utils.cli.main import main
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.films import FilmPrediction, FilmPredictor, WindowVerdict, judged
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.video import write_video
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL, Decision
from torchfakes_utils.temporal.config import View
from torchfakes_utils.temporal.detector import VideoDetector, VideoDetectorConfig, load_video, save_video

from helpers.films import drawn

BAND = Band((0.8, 0.9), 0.3)
DECISION = Decision(photo=BAND, film=BAND)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A detector of whole frames that was never trained, with a decision."""
    torch.manual_seed(0)
    detector = VideoDetector(VideoDetectorConfig("diff3d", View(0.8, 12.5, 32, faces=False), 0)).eval()
    torch.nn.init.normal_(detector.network.classifier.weight)
    detector.decision = DECISION
    return save_video(detector, tmp_path_factory.mktemp("run") / "best").parent


@pytest.fixture(scope="module")
def predictor(run) -> FilmPredictor:
    """Ready."""
    return FilmPredictor.from_run(run, "cpu")


def a_film(path: Path, seconds: float = 2.0, fps: float = 25.0) -> Path:
    times = np.arange(max(1, round(seconds * fps))) / fps
    return write_video(path, drawn(5 * np.sin(6 * times), 4 * np.cos(6 * times)), fps=fps, crf=10)


@pytest.mark.parametrize("fps", [12.5, 25, 29.97, 60])
def test_a_film_of_any_rate_is_judged_window_by_window(predictor, tmp_path, fps):
    found = predictor.predict(a_film(tmp_path / "film.mp4", 3.0, fps))
    assert found.kind == "video" and found.verdict in (FAKE, REAL, CANNOT_TELL) and found.probability_fake is not None
    assert [one.start for one in found.windows] == sorted(one.start for one in found.windows)
    assert len(found.windows) >= 5 and all(one.end - one.start == pytest.approx(0.8) for one in found.windows)
    assert found.probability_fake == pytest.approx(np.mean([one.probability_fake for one in found.windows]))
    assert json.loads(json.dumps(found.to_json()))["windows"][0]["face"] is None


def test_the_same_film_at_another_rate_gets_nearly_the_same_scores(predictor, tmp_path):
    one, other = (predictor.predict(a_film(tmp_path / f"{fps}.mp4", 3.0, fps)) for fps in (25.0, 50.0))
    assert one.probability_fake == pytest.approx(other.probability_fake, abs=0.05)


def hostile(folder: Path) -> dict[str, str]:
    """Files by name, and what is said of each."""
    a_film(folder / "short.mp4", 0.5)
    a_film(folder / "one.mp4", 0.01)
    a_film(folder / "slow.mp4", 4.0, 5.0)
    Image.new("RGB", (64, 64)).save(folder / "photo.jpg")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    cut = a_film(folder / "cut.mp4", 3.0)
    cut.write_bytes(cut.read_bytes()[:700])
    (folder / "words.txt").write_text("no film")
    return {
        "short.mp4": "this detector looks at 0.8 s at a time", "one.mp4": "a film of one frame",
        "slow.mp4": "5 frames a second", "photo.jpg": "a photo or an animation", "empty.mp4": "empty",
        "noise.mp4": "not a video", "cut.mp4": "", "words.txt": "", "absent.mp4": "no such file",
    }  # fmt: skip


def test_whatever_is_no_film_gets_one_line_and_the_rest_goes_on(predictor, tmp_path):
    said = hostile(tmp_path)
    good = a_film(tmp_path / "good.mp4")
    found = list(predictor.predict_many([*(tmp_path / name for name in said), good]))
    for (name, words), one in zip(said.items(), found[:-1], strict=True):
        assert one.verdict == CANNOT_TELL and one.probability_fake is None and one.windows == []
        assert words in one.reason and one.reason and "\n" not in one.reason, name
    assert found[-1].probability_fake is not None
    folder = list(predictor.predict_many([tmp_path]))
    assert len(folder) == len(said), "those that are there, and the good one"


def test_a_folder_of_photos_without_a_face_gets_a_line_each(predictor, tmp_path):
    for number in range(3):
        Image.new("RGB", (80, 80)).save(tmp_path / f"{number}.png")
    found = list(predictor.predict_many([tmp_path]))
    assert [one.verdict for one in found] == [CANNOT_TELL] * 3
    assert all("this detector looks at films" in one.reason for one in found)


@pytest.mark.slow
def test_a_detector_of_faces_says_where_none_is(tmp_path):
    torch.manual_seed(0)
    detector = VideoDetector(VideoDetectorConfig("gru", View(0.8, 12.5, 112), 8)).eval()
    detector.decision = DECISION
    found = FilmPredictor(detector, "cpu").predict(a_film(tmp_path / "film.mp4"))
    assert found.verdict == CANNOT_TELL and "no face could be followed through 0.8 s" in found.reason


def test_a_detector_of_crops_and_one_of_films_do_not_take_each_others_place(run):
    with pytest.raises(InputError, match="a detector of films"):
        Predictor.from_run(run, "cpu")
    assert load_video(run).decision.film == BAND


def verdict(windows: list[WindowVerdict]) -> FilmPrediction:
    return judged(FilmPrediction("film.mp4", CANNOT_TELL, None, "", kind="video", windows=windows), DECISION)


def windows_of(face: int | None, *scores: float) -> list[WindowVerdict]:
    return [WindowVerdict(face, 0.8 * place, 0.8 * place + 0.8, score) for place, score in enumerate(scores)]


def test_a_film_is_fake_where_one_person_is_and_real_where_all_are():
    assert verdict(windows_of(None, 0.9, 0.8, 0.9, 0.9)).verdict == FAKE
    assert verdict(windows_of(None, 0.1, 0.1, 0.3, 0.1)).verdict == REAL
    assert verdict(windows_of(None, 0.6, 0.5, 0.6, 0.6)).verdict == CANNOT_TELL
    both = verdict(windows_of(0, *[0.1] * 4) + windows_of(1, *[0.95] * 4))
    assert both.verdict == FAKE and both.reason.startswith("face 2 of 2: ") and both.limits == (0.3, 0.9)
    assert verdict(windows_of(0, *[0.1] * 4) + windows_of(1, *[0.85] * 4)).verdict == CANNOT_TELL, "each is a chance"
    assert verdict(windows_of(0, *[0.1] * 4) + windows_of(1, *[0.2] * 4)).verdict == REAL


def test_windows_unlike_those_of_training_do_not_count_and_one_such_person_keeps_a_film_from_being_real():
    strange = [dataclasses.replace(one, cannot_tell="unlike the faces of its training") for one in windows_of(1, 0.9)]
    assert verdict(windows_of(0, *[0.1] * 4) + strange).verdict == CANNOT_TELL
    alone = verdict(strange)
    assert alone.probability_fake is None and "unlike" in alone.reason


def test_the_reason_says_when_it_is_highest():
    found = verdict(windows_of(None, 0.1, 0.1, 0.7, 0.1))
    assert "highest from 1.6 to 2.4 s (0.70)" in found.reason and "on average over 4 windows" in found.reason


@pytest.mark.slow
def test_the_command_takes_such_a_run(run, tmp_path, capsys):
    film = a_film(tmp_path / "film.mp4")  # which it cannot tell: a network by chance says 0.5
    assert main(["predict", str(run), str(film), str(tmp_path / "absent.mp4"), "--json", "--device", "cpu"]) == 2
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == 2 and answers[0]["windows"] and answers[1]["verdict"] == CANNOT_TELL
    assert main(["predict", str(run), str(film), "--heat-maps", str(tmp_path / "maps")]) == 2
    told = capsys.readouterr().err
    assert "one of films" in told and "Traceback" not in told
