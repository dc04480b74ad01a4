"""Photos that are changed a little: which face is judged, which verdicts turn, and what is kept of them."""

import json
import math
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.evaluation.config import Scoring, StabilityConfig
from torchfakes_utils.evaluation.films import NO_FILMS, find_films
from torchfakes_utils.evaluation.stability import CHANGES, PhotoJudge, stability
from torchfakes_utils.faces.detection import Detections
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import answering


class Answering(torch.nn.Module):
    """Answers by what `rule` says of normalised crops (B, 3, S, S)."""

    preprocessing, likeness, sha256 = Preprocessing(size=16, crop_size=16), None, "c" * 64

    def __init__(self, rule, decision=None):
        super().__init__()
        self.rule, self.decision = rule, answering() if decision is None else decision

    def answers(self, images):
        return torch.stack([self.rule(images), torch.zeros(len(images))], 1)


def always(images):
    return torch.full((len(images),), 4.0)


def redder(images):
    return 9 * (images[:, 0] - images[:, 2]).mean(dim=(1, 2))


class Still:
    """A face detector whose last network sees no face: boxes stay as they are."""

    def offsets(self, views):
        return np.full((len(views), 4), 9.0)


class Middle(Still):
    """Finds a face in the middle of whatever it is shown; after `calls` pictures, none any more."""

    def __init__(self, calls=math.inf):
        self.calls, self.left = calls, calls

    def detect(self, frames, finer=1.0):
        found = []
        for frame in frames:
            height, width = frame.shape[:2]
            self.left -= finer == 1.0
            count = int(self.left >= 0)
            box = np.array([[0.36 * width, 0.2 * height, 0.66 * width, 0.58 * height]], np.float32)
            found.append(Detections(box[:count], np.full(count, 0.99, np.float32), np.zeros((count, 5, 2), np.float32)))
        return found


def placed(boxes, sure=0.99):
    """A finder that finds faces at some places."""

    class Placed(Still):
        def detect(self, frames, finer=1.0):
            points = np.zeros((len(boxes), 5, 2), np.float32)
            return [Detections(np.array(boxes, np.float32), np.full(len(boxes), sure, np.float32), points)
                    for _ in frames]  # fmt: skip

    return lambda device: Placed()


@pytest.fixture
def data(tiny_ffpp, tiny_faces):
    return load_faces(tiny_faces / "faces.csv", "test"), find_films(tiny_ffpp / "faces.csv")


def measured(data, detector=None, finder=Middle, **options):
    faces, films = data
    return stability(Answering(always) if detector is None else detector, faces, films, scoring=Scoring(device="cpu"),
                     face_detector=lambda device: finder(), **options)  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_lies_where_it_is_said_to(name):
    rows, columns = np.mgrid[:160, :120]
    spot = 255 * np.exp(-((rows - 90) ** 2 + (columns - 40) ** 2) / 50)
    picture = np.repeat(spot.astype(np.uint8)[:, :, None], 3, axis=2)
    changed = CHANGES[name].apply(picture)[:, :, 0].astype(float)
    assert changed.dtype != np.uint8 and CHANGES[name].apply(picture).flags.c_contiguous
    rows, columns = np.mgrid[: changed.shape[0], : changed.shape[1]] + 0.5
    centre = [(values * changed).sum() / changed.sum() for values in (columns, rows)]
    (there,) = CHANGES[name].moved(np.array([[40.5, 90.5]]), np.array([120, 160]))
    assert there == pytest.approx(centre, abs=0.2)
    assert changed.shape != (160, 120) or not np.array_equal(changed, picture[:, :, 0])


def test_a_detector_that_says_the_same_is_steady(data):
    found = measured(data)
    assert found.reason is None and (found.photos, found.people, found.answered, found.no_face) == (6, 1, 6, 0)
    assert set(found.changes) == set(CHANGES) and all(one.photos == 6 for one in found.changes.values())
    assert found.overall.photos == 6 * len(CHANGES)
    for one in (found.overall, *found.changes.values()):
        assert (one.turned, one.turned_any, one.difference, one.lost) == (0, 0, 0, 0)
        assert one.turned_interval == pytest.approx((0, 0.975)), "one pair of people shows next to nothing"


def test_a_detector_that_asks_on_which_side_the_light_is_turns_with_the_mirror(data):
    def left_is_brighter(images):
        left, right = images.mean(dim=(1, 2)).chunk(2, dim=1)
        return 1e3 * (left.mean(dim=1) - right.mean(dim=1))

    class Upright(Middle):
        """The middle in both directions, so that a mirrored face is cut out in the same way."""

        def detect(self, frames, finer=1.0):
            boxes = [np.array([[0.3, 0.2, 0.7, 0.58]], np.float32) * [*frame.shape[1::-1], *frame.shape[1::-1]]
                     for frame in frames]  # fmt: skip
            return [replace(one, boxes=box) for one, box in zip(super().detect(frames, finer), boxes, strict=True)]

    found = measured(data, Answering(left_is_brighter), Upright)
    assert found.changes["mirrored"].turned == found.changes["mirrored"].turned_any == 1
    assert found.changes["mirrored"].difference > 0.9 and found.changes["mirrored"].turned_interval[0] > 0
    assert found.changes["jpeg_90"].turned == 0
    assert found.overall.turned == pytest.approx(np.mean([one.turned for one in found.changes.values()]))


def test_a_face_that_is_lost_is_no_turn_to_the_other_side(data):
    faces, films = data
    one = faces[(faces["clip_id"] == "004") & (faces["method"] == "youtube")]
    found = measured((one, films), finder=lambda: Middle(calls=1))
    assert (found.photos, found.overall.lost, found.overall.photos) == (1, len(CHANGES), len(CHANGES))
    assert found.overall.turned == 0 and found.overall.turned_any == 1 and found.overall.difference is None
    blind = measured((one, films), finder=lambda: Middle(calls=0))
    assert "no face is found" in blind.reason and blind.no_face == 1 and blind.overall is None


def test_no_answer_cannot_turn_and_is_counted(data):
    found = measured(data, Answering(always, answering(1.0)))
    assert found.answered == 6
    silent = measured(data, Answering(always, replace(answering(), ranges={"face": (1e4, None)})))
    assert silent.answered == 0 and silent.overall.turned == silent.overall.turned_any == 0


def test_judged_is_the_face_of_the_table():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :100, 0], picture[:, 100:, 2] = 255, 255  # red, then blue
    boxes = [[30, 30, 70, 70], [130, 30, 170, 70]]
    judge = PhotoJudge(Answering(redder), "cpu", placed(boxes))
    assert judge(picture, np.array([20, 20, 80, 80])).verdict == FAKE
    assert judge(picture, np.array([120, 20, 180, 80])).verdict == REAL
    assert judge(picture, np.array([75, 20, 125, 80])).probability_fake is None, "neither lies there"
    unsure = PhotoJudge(Answering(redder), "cpu", placed(boxes, sure=0.8))
    assert unsure(picture, np.array([20, 20, 80, 80])).verdict == CANNOT_TELL


def test_what_is_done_is_not_done_again(data, tmp_path):
    kept = tmp_path / "stability.json"
    first = measured(data, kept=kept)
    assert len(json.loads(kept.read_text())["rows"]) == 6
    assert measured(data, finder=lambda: Middle(calls=0), kept=kept) == first
    again = measured(data, finder=lambda: Middle(calls=0), kept=kept, config=StabilityConfig(frames=2))
    assert again.overall is None and again.no_face == 12, "another configuration begins anew"


def test_what_was_kept_of_other_boxes_or_films_counts_no_more(data, tmp_path):
    (faces, films), kept = data, tmp_path / "stability.json"
    measured(data, kept=kept)
    moved = faces.assign(x1=faces["x1"] + 0.01)
    assert measured((moved, films), finder=lambda: Middle(calls=0), kept=kept).no_face == 6, "other boxes"
    clip, film = next(iter(films.paths.items()))
    copy = shutil.copy2(film, tmp_path / "copy.mp4")
    films.paths[clip] = copy
    measured(data, kept=kept)
    assert measured(data, finder=lambda: Middle(calls=0), kept=kept).no_face == 0
    os.utime(copy, ns=(0, 10**9))  # of as many bytes as before
    assert measured(data, finder=lambda: Middle(calls=0), kept=kept).no_face == 6, "another film"


def test_films_that_are_gone_are_named(data, tmp_path):
    faces, films = data
    assert measured((faces, NO_FILMS)) == stability(Answering(always), faces, NO_FILMS)
    assert "--films" in measured((faces, NO_FILMS)).reason
    key = ("youtube", "c23", "004")
    found = measured((faces, replace(films, paths=films.paths | {key: tmp_path / "gone.mp4"})))
    assert found.left_out == {"youtube/c23/004": "the film is gone"} and found.photos == 5
