"""People in films and photos, by the real face detector: who is judged, who is named, when they are seen."""

import numpy as np
import pytest
import torch

from torchfakes_utils.cli.predict import line
from torchfakes_utils.faces.search import MOST_PEOPLE, Found
from torchfakes_utils.faces.tracking import DETECTED, Track
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.inference.verdict import Answers, judge, seen
from torchfakes_utils.io.media import Media
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from cases import CASES
from cases.people import Seen, scene
from cases.photos import saved
from helpers.decisions import answering
from helpers.detectors import opinionated


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))
    detector.decision = answering(ranges={"face": (70.0, None)})
    return Predictor(detector, "cpu")


def predicted(predictor, folder, name):
    prediction = predictor.predict(CASES[name].make(folder))
    assert CASES[name].answered("\n".join([line(prediction), *prediction.notes])), line(prediction)
    return prediction


@pytest.mark.slow
def test_four_people_four_verdicts_and_when_they_are_seen(predictor, tmp_path):
    """A film cut together from three others, with a two-second insert of a fourth person."""
    prediction = predicted(predictor, tmp_path, "an insert of a fourth person")
    assert all(face.probability_fake is not None for face in prediction.faces)
    shots = {(0, 4): 0, (4, 7): 1, (7, 9): 2, (9, 10): 1, (10, 14): 3}
    times = {}
    for face in prediction.faces:
        within = [next(shot for shot in shots if shot[0] <= start <= end <= shot[1]) for start, end in face.seen]
        (who,) = {shots[shot] for shot in within}
        times[who] = within
        assert [frame.time for frame in face.frames] == sorted(frame.time for frame in face.frames)
    assert times == {0: [(0, 4)], 1: [(4, 7), (9, 10)], 2: [(7, 9)], 3: [(10, 14)]}
    print(line(prediction))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "a real and a fake person", "a cut before one wall", "a jump cut", "a fake for a fifth of the time",
        "half a second", "a title first", "a dissolve", "a photographer's flash", "two seconds in ten minutes",
        "a picture in the picture", "two frames of somebody else", "a call that begins small", "a phone that is turned",
        "a film without its beginning", "somebody far behind", "near and far in 4K", "near and too far",
        "five at five distances",
    ],
)  # fmt: skip
def test_everybody_is_judged_or_named(predictor, tmp_path, name):
    prediction = predicted(predictor, tmp_path, name)
    for face in prediction.faces:
        assert (face.probability_fake is None) == (face.verdict == CANNOT_TELL) and face.reason
        assert (face.seen == []) == (prediction.kind == "photo")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.row == "cut-off faces"])
def test_a_face_that_is_cut_off_gets_no_verdict(predictor, tmp_path, name):
    predicted(predictor, tmp_path, name)


@pytest.mark.slow
def test_of_a_crowd_the_most_prominent_are_judged(predictor, tmp_path):
    size = 0.13
    places = [(x, y) for y in np.linspace(0.1, 0.9, 6) for x in np.linspace(0.06, 0.94, 10)]
    crowd = tuple(Seen(number % 4, x, y, size) for number, (x, y) in enumerate(places))
    prediction = predictor.predict(saved(scene((*crowd, Seen(5, 0.5, 0.5, 0.3)), 3200, 1800), tmp_path / "crowd.png"))
    assert len(prediction.faces) == MOST_PEOPLE
    left, top, right, bottom = prediction.faces[0].frames[0].box
    assert left < 1600 < right and top < 900 < bottom, "the largest first"
    (note,) = prediction.notes
    number, _, rest = note.partition(" more faces were not judged: the 32 most prominent ones were")
    assert 10 <= int(number) <= 29 and rest == ""


def appearances(*scores):
    """One person, judged in one shot after the other, with these scores."""
    counts = [len(some) for some in scores]
    shots = np.repeat(np.arange(len(scores)), counts)
    indices = np.arange(len(shots))
    tracks = [
        Track.of(
            places,
            [[10, 10, 60, 60]] * len(places),
            np.zeros((len(places), 5, 2)),
            [1] * len(places),
            [DETECTED] * len(places),
        )
        for places in (indices[shots == shot] for shot in range(len(scores)))
    ]
    picture = np.random.default_rng(0).integers(60, 190, (100, 100, 3)).astype(np.uint8)
    media = Media("film", "video", indices, indices / 2, [picture] * len(indices), len(indices) / 2, shots=shots)
    found = Found(media, [tracks], [picture[10:60, 10:60]] * len(indices), (100, 100))
    probabilities = np.concatenate(scores)
    return judge(found, Answers(probabilities, np.full(len(probabilities), np.nan)), answering(), 1.0)


def test_a_person_s_verdict_never_averages_a_fake_shot_and_a_real_one():
    """They look alike, but a forger has changed one of the shots: it is not lost in the mean of both."""
    prediction = appearances([0.1, 0.2, 0.1, 0.15], [0.9, 0.8])
    assert [face.verdict for face in prediction.faces] == [REAL, FAKE] and prediction.verdict == FAKE
    assert [face.seen for face in prediction.faces] == [[(0, 1.5)], [(2, 2.5)]]


@pytest.mark.parametrize("scores", [([0.1, 0.2], [0.3, 0.2]), ([0.1, 0.6, 0.3], [0.55, 0.5]), ([0.1, 0.2], [0.9])])
def test_appearances_that_differ_by_chance_stay_one_person(scores):
    (face,) = appearances(*scores).faces
    assert face.probability_fake == pytest.approx(np.concatenate(scores).mean()) and len(face.seen) == 2
    assert seen(face).count(" and ") == 1
