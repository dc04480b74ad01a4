"""Clips as `predict` sees them: both ways on the same clips, which are taken, and films that cannot be used."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import OwnBoxesConfig, Scoring
from torchfakes_utils.evaluation.films import NO_FILMS, by_clip_of, find_films
from torchfakes_utils.evaluation.own_boxes import _taken, own_boxes
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.faces.detection import Detections
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import read_frames, write_video
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering, answering
from helpers.detectors import opinionated


class Red(Answering, torch.nn.Module):
    """Takes red crops for fakes."""

    preprocessing = Preprocessing(size=16)

    def __init__(self):
        super().__init__()
        self.decision, self.sha256 = Decision(), "c" * 64
        self.slope = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return self.slope * images[:, 0].mean(dim=(1, 2))


NEAR, BESIDE = (60, 40, 130, 120), (0, 130, 60, 190)


class Everywhere:
    """Finds faces in the same places of every frame, whatever it shows."""

    def __init__(self, *boxes):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def detect(self, frames, finer=1.0):
        count = len(self.boxes)
        sure = np.full(count, 0.999, np.float32)
        return [Detections(self.boxes, sure, np.zeros((count, 5, 2), np.float32)) for _ in frames]


@pytest.fixture
def data(tiny_ffpp, tiny_faces, tmp_path):
    """A copy of the data set that may be spoilt, and its test crops with their scores."""
    root = shutil.copytree(tiny_ffpp, tmp_path / "data")
    faces = load_faces(tiny_faces / "faces.csv", "test")
    return root, (faces, score(Red(), faces))


def measured(data, *boxes, films=None, clips=120):
    root, scored = data
    films = find_films(root / "faces" / "faces.csv") if films is None else films
    found = boxes or (NEAR,)
    return own_boxes(Red(), scored, films, OwnBoxesConfig(clips), Scoring(), 50, lambda *given: Everywhere(*found))


def test_the_same_clips_are_scored_in_both_ways(data):
    found = measured(data)
    _, (_, scores) = data
    assert found.reason is None and found.of == found.taken == found.clips == 6
    assert found.crops == 6 * 8, "all frames of a film of eight, of which the table has four"
    assert not found.no_face and not found.left_out and found.crowded == 0 and 0.2 < found.overlap < 1
    auc = found.metrics["auc"]
    assert auc.difference == pytest.approx(auc.first - auc.second)
    clips = scores.groupby(["label", "method", "clip_id"])["probability_fake"].mean()
    above = [(fake > real) + (fake == real) / 2 for fake in clips[1] for real in clips[0]]
    assert auc.second == pytest.approx(np.mean(above)), "as in the table"


@pytest.mark.slow
def test_the_crops_are_those_of_predict(data):
    root, (faces, _) = data
    films = find_films(root / "faces.csv")
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64)))
    detector.decision = answering()
    scores = score(detector, faces)
    found = own_boxes(detector, (faces, scores), films, scoring=Scoring(device="cpu"), replicates=50)
    assert found.clips + len(found.no_face) == 6 and found.overlap > 0.8
    predictor = Predictor(detector, "cpu")
    rows = faces.drop_duplicates(CLIP_KEY)
    predicted = [predictor.predict(films.path(clip)) for clip in rows[CLIP_KEY].itertuples(index=False, name=None)]
    assert found.crops == sum(len(one.faces[0].frames) for one in predicted)
    brier = np.mean([(one.faces[0].probability_fake - label) ** 2
                     for one, label in zip(predicted, rows["label"], strict=True)])  # fmt: skip
    assert found.metrics["brier"].first == pytest.approx(brier, abs=1e-5)


def test_another_box_gives_other_scores(data):
    near, other = measured(data), measured(data, (60, 60, 120, 130))
    assert other.metrics["loss"].first != near.metrics["loss"].first
    assert other.metrics["loss"].second == near.metrics["loss"].second


def test_of_several_people_the_one_nearest_the_table_s_box_counts(data):
    alone, crowd = measured(data), measured(data, BESIDE, NEAR)
    assert crowd.crowded == 6 and crowd.metrics["loss"] == alone.metrics["loss"] and crowd.overlap == alone.overlap


def test_somebody_elsewhere_is_not_the_table_s_face(data):
    found = measured(data, BESIDE)
    assert "no face is found" in found.reason and len(found.no_face) == 6 and not found.metrics and found.taken == 6


def test_of_many_clips_some_are_taken_evenly_and_always_the_same(data):
    found = measured(data, clips=3)
    assert (found.taken, found.of, found.clips) == (3, 6, 3) and found.metrics == measured(data, clips=3).metrics
    rows = [("youtube", 0, 30), ("Deepfakes", 1, 40), ("FaceSwap", 1, 2), ("NeuralTextures", 1, 40)]
    table = pd.concat([
        pd.DataFrame({"clip_id": [f"{at:03}" for at in range(count)], "method": method, "label": label, "frame": 0})
        for method, label, count in rows
    ]).assign(compression="c23")  # fmt: skip
    clips = by_clip_of(table)
    for most, wanted in ((40, (20, 9, 2, 9)), (41, (20, 9, 2, 10)), (100, (30, 34, 2, 34)), (999, (30, 40, 2, 40))):
        taken = pd.Series([clip[0] for clip, _ in _taken(clips, most)]).value_counts()
        assert [taken[method] for method, *_ in rows] == list(wanted), most
    one = [name for (method, _, name), _ in _taken(clips, 6) if method == "youtube"]
    assert one == ["005", "015", "025"], "from all over the list"
    with pytest.raises(InputError, match="above 0"):
        OwnBoxesConfig(0)


def test_clips_without_a_film_or_with_a_damaged_one_are_named_and_left_out(data, caplog):
    root, _ = data
    videos = root / "manipulated_sequences"
    (videos / "Deepfakes/c23/videos/004_005.mp4").unlink()
    short = videos / "Deepfakes/c23/videos/005_004.mp4"
    write_video(short, read_frames(short)[1][:3])
    other = videos / "FaceSwap/c23/videos/004_005.mp4"
    write_video(other, read_frames(other)[1][:, :, ::-1])
    damaged = root / "original_sequences/youtube/c23/videos/004.mp4"
    damaged.write_bytes(b"no film at all" * 100)
    found = measured(data)
    assert list(found.left_out) == [
        "Deepfakes/c23/004_005", "Deepfakes/c23/005_004", "FaceSwap/c23/004_005", "youtube/c23/004"
    ]  # fmt: skip
    assert [reason.split(":")[0].split(" that ")[0] for reason in found.left_out.values()] == [
        "the film is gone", "the film has changed", "the film has changed", "not a video"
    ]  # fmt: skip
    assert found.taken == 6 and found.clips == 2 and found.metrics["auc"].first is not None
    assert "own boxes: 4 clips are left out, such as Deepfakes/c23/004_005: the film is gone" in caplog.messages


def test_without_films_or_places_it_says_why(data):
    root, (faces, scores) = data
    assert "--films" in measured(data, films=NO_FILMS).reason
    nowhere = faces.assign(x1=np.nan)
    assert "where in the frames" in measured((root, (nowhere, scores))).reason
    one_class = faces["label"] == 1
    found = measured((root, (faces[one_class], scores[scores["label"] == 1])))
    assert found.clips == 4 and found.metrics["auc"].first is None and not found.intervals


def test_a_folder_of_frames_is_searched_like_a_film(data):
    root, _ = data
    film = root / "original_sequences/youtube/c23/videos/004.mp4"
    folder = film.with_suffix("")
    folder.mkdir()
    for at, frame in enumerate(read_frames(film)[1]):
        Image.fromarray(frame).save(folder / f"{at}.png")
    table = (root / "clips.csv").read_text()
    (root / "clips.csv").write_text(table.replace("youtube/c23/videos/004.mp4", "youtube/c23/videos/004"))
    found = measured(data)
    assert not found.left_out and found.clips == 6
    assert found.metrics["loss"].first == pytest.approx(measured(data).metrics["loss"].first)


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
