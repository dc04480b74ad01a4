"""Faces found in the films themselves: both ways on the same clips, and films that are gone, changed or show nobody."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.films import NO_FILMS, find_films
from torchfakes_utils.evaluation.own_boxes import own_boxes, settings_of
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.faces.detection import Detections
from torchfakes_utils.io.video import read_frames, write_video
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering


class Red(Answering, torch.nn.Module):
    """Takes red crops for fakes."""

    preprocessing = Preprocessing(size=16)

    def __init__(self):
        super().__init__()
        self.decision, self.sha256 = Decision(), "c" * 64
        self.slope = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return self.slope * images[:, 0].mean(dim=(1, 2))


class Everywhere:
    """Finds a face in the same place of every frame, whatever it shows; in the first `blind` calls it finds none."""

    def __init__(self, box=(60, 40, 130, 120), blind=0):
        self.box, self.blind = np.array([box], np.float32), blind

    def detect(self, frames, finer=1.0):
        self.blind -= finer == 1.0
        count = int(self.blind < 0)
        points = np.zeros((count, 5, 2), np.float32)
        return [Detections(self.box[:count], np.full(count, 0.99, np.float32), points) for _ in frames]


@pytest.fixture
def data(tiny_ffpp, tiny_faces, tmp_path):
    """A copy of the data set that may be spoilt, and its test crops with their scores."""
    root = shutil.copytree(tiny_ffpp, tmp_path / "data")
    faces = load_faces(tiny_faces / "faces.csv", "test")
    return root, (faces, score(Red(), faces)), settings_of(tiny_faces)


def measured(data, finder=Everywhere, films=None):
    root, scored, settings = data
    films = find_films(root / "faces" / "faces.csv") if films is None else films
    return own_boxes(Red(), scored, films, Scoring(), 50, settings, lambda *given: finder())


def test_the_same_clips_are_scored_in_both_ways(data):
    found = measured(data)
    _, (faces, scores), _ = data
    assert found.reason is None and found.clips == 6 and found.searched == 4 and found.crops == len(faces)
    assert not found.no_face and not found.left_out and found.no_face_crops == 0 and 0.2 < found.overlap < 1
    auc = found.metrics["auc"]
    assert auc.difference == pytest.approx(auc.first - auc.second)
    clips = scores.groupby(["label", "method", "clip_id"])["probability_fake"].mean()
    above = [(fake > real) + (fake == real) / 2 for fake in clips[1] for real in clips[0]]
    assert auc.second == pytest.approx(np.mean(above)), "as in the table"


@pytest.mark.slow
def test_extraction_s_own_detector_finds_nearly_the_same_place(data):
    root, scored, settings = data
    found = own_boxes(Red(), scored, find_films(root / "faces.csv"), Scoring(device="cpu"), 50, settings)
    assert found.searched + len(found.no_face) == 4 and found.overlap > 0.8


def test_another_box_gives_other_scores(data):
    near, far = measured(data), measured(data, lambda: Everywhere((0, 130, 60, 190)))
    assert far.overlap < near.overlap
    assert far.metrics["loss"].first != near.metrics["loss"].first
    assert far.metrics["loss"].second == near.metrics["loss"].second


def test_clips_without_a_face_or_a_film_are_named_and_left_out(data):
    root, _, _ = data
    videos = root / "manipulated_sequences"
    (videos / "Deepfakes/c23/videos/004_005.mp4").unlink()
    short = videos / "Deepfakes/c23/videos/005_004.mp4"
    write_video(short, read_frames(short)[1][:3])
    other = videos / "FaceSwap/c23/videos/004_005.mp4"
    write_video(other, read_frames(other)[1][:, :, ::-1])
    found = measured(data)
    assert list(found.left_out) == ["Deepfakes/c23/004_005", "Deepfakes/c23/005_004", "FaceSwap/c23/004_005"]
    assert [reason.split(":")[0] for reason in found.left_out.values()] == [
        "the film is gone", "the film has changed", "the film has changed"
    ]  # fmt: skip
    assert found.searched == 1 and found.clips == 3
    blind = measured(data, lambda: Everywhere(blind=1))
    assert blind.reason and blind.no_face == ("FaceSwap/c23/005_004",) and not blind.metrics


def test_without_films_or_borrowed_boxes_it_says_why(data):
    root, (faces, scores), settings = data
    assert "--films" in measured(data, films=NO_FILMS).reason
    own = (faces.assign(found="detected"), scores)
    assert "both ways are one" in measured((root, own, settings)).reason
    nobody_knows = (faces.drop(columns="found"), scores)
    assert measured((root, nobody_knows, settings)).searched == 4


def test_films_are_found_beside_the_table_above_it_or_where_they_are_named(tiny_ffpp, tiny_faces, tmp_path):
    assert find_films(tiny_faces / "faces.csv").reason, "its films lie elsewhere"
    assert find_films(tiny_ffpp / "faces.csv").paths == find_films(tiny_ffpp / "faces" / "faces.csv").paths
    assert find_films(tmp_path / "faces.csv").reason and not find_films(tmp_path / "a" / "faces.csv", tiny_ffpp).reason
    path = find_films(tmp_path / "faces.csv", tiny_ffpp).path(("youtube", "c23", "004"))
    assert path == tiny_ffpp / "original_sequences/youtube/c23/videos/004.mp4"
    with pytest.raises(InputError, match=r"holds no clips\.csv") as caught:
        find_films(tiny_ffpp / "faces.csv", tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="does not name"):
        find_films(tiny_ffpp / "faces.csv").path(("youtube", "c23", "nobody"))


def test_settings_are_those_of_the_extraction(tiny_faces, tmp_path):
    found = settings_of(tiny_faces)
    assert (found.size, found.frames) == (64, 4) and settings_of(tmp_path).size == 160
    assert pd.notna(found.min_face)
