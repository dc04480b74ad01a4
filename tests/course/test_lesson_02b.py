"""Lesson 02b: what learners may write, who is followed, cuts, costs, and what a crop gives away."""

import functools
import json
import math
import operator

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
import skimage

from torchfakes_utils.course import lesson_02, lesson_02b
from torchfakes_utils.course import lesson_02_cascade as cascade
from torchfakes_utils.course import lesson_02b_films as films
from torchfakes_utils.course.practice import State
from torchfakes_utils.course.widgets import png
from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.export import mtcnn_numpy
from torchfakes_utils.faces.detection import Detections, square_crop
from torchfakes_utils.io.video import read_frames

from helpers.exercises import assert_line, assert_teaches

matplotlib.use("Agg")


def biggest_of(boxes):
    return int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax())


def as_beginners_do(film, least, begin=biggest_of, enough=operator.ge, there=lambda k: k is not None, drifts=False):
    last, chosen = None, []
    for boxes in film:
        best = None
        if len(boxes) and last is None:
            best = begin(boxes)
        elif len(boxes):
            overlaps = [lesson_02.iou(box, last) for box in boxes]
            nearest = boxes[int(np.argmax(overlaps))]
            best = int(np.argmax(overlaps)) if enough(max(overlaps), least) else None
            last = nearest if drifts else last
        if there(best):
            last = boxes[best]
        chosen.append(best)
    return chosen


def test_follow():
    def by_hand(film, least=0.3):
        last, chosen = None, []
        for boxes in film:
            if len(boxes) == 0:
                chosen.append(None)
            elif last is None:
                chosen.append(int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax()))
            else:
                best = max(range(len(boxes)), key=lambda k: lesson_02.iou(boxes[k], last))
                chosen.append(best if lesson_02.iou(boxes[best], last) >= least else None)
            last = last if chosen[-1] is None else boxes[chosen[-1]]
        return chosen

    def generated(film, least=0.3):
        yield from by_hand(film, least)

    def biggest(film, least=0.3):
        return [int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax()) if len(boxes) else None for boxes in film]

    def falls_back(film, least=0.3):
        return [big if own is None else own for own, big in zip(by_hand(film, least), biggest(film), strict=True)]

    def from_the_first(film, least=0.3):
        first = next(boxes[biggest([boxes])[0]] for boxes in film if len(boxes))
        chosen = []
        for boxes in film:
            overlaps = [lesson_02.iou(box, first) for box in boxes]
            chosen.append(int(np.argmax(overlaps)) if len(boxes) and max(overlaps) >= least else None)
        return chosen

    assert_teaches(
        lesson_02b.FOLLOW,
        right=[by_hand, generated],
        wrong={
            "compare with the first box": from_the_first,
            "remember nothing": biggest,
            "for follow_one([[[0, 0, 4, 4], [10, 0, 16, 6]], [[11, 0, 17, 6]], [[0, 0, 4, 4]]]), yours has 2 parts":
                lambda film, least=0.3: [0] * (len(film) - 1),
            "It is 0.3 only where nobody says so": lambda film, least=0.3: by_hand(film, 0.3),
            "not with a number of your own": lambda film, least=0.3: by_hand(film, 0.5),
            "You begin with the first box": lambda film, least=0.3: as_beginners_do(film, least, begin=lambda boxes: 0),
            "is enough: >= and not >": lambda film, least=0.3: as_beginners_do(film, least, enough=operator.gt),
            "0 is a box, too: ask": lambda film, least=0.3: as_beginners_do(film, least, there=bool),
            "and you answer None": lambda film, least=0.3: [
                k or None for k in as_beginners_do(film, least, there=bool)
            ],
            "the last box stays where it was": lambda film, least=0.3: as_beginners_do(film, least, drifts=True),
        },
    )  # fmt: skip
    film = lesson_02b.FOLLOW.inputs()[2][0]
    assert lesson_02b.follow_one(film)[3:7] == [0, None, None, 0]
    assert falls_back(film) != by_hand(film)


def square_in_numpy(box, scale=1.3):
    middle, edge = (box[:2] + box[2:]) / 2, round(scale * (box[2:] - box[:2]).max())
    corner = (middle - edge / 2).round()
    return np.concatenate([corner, corner + edge])


def square_floored(box, scale=1.3):
    edge = int(scale * max(box[2] - box[0], box[3] - box[1]))
    left, top = ((box[:2] + box[2:] - edge) // 2).astype(int)
    return left, top, left + edge, top + edge


def ends_by_themselves(box, scale=1.3, whole=round):
    middle, edge = (box[:2] + box[2:]) / 2, scale * (box[2:] - box[:2]).max()
    return [whole(end) for end in np.concatenate([middle - edge / 2, middle + edge / 2])]


def test_square():
    def the_packages(box, scale=1.3):
        return square_crop(np.zeros((400, 400, 3), np.uint8), box, scale, 2)[1]

    def stretched(box, scale=1.3):
        middle, sides = (box[:2] + box[2:]) / 2, scale * (box[2:] - box[:2])
        return np.concatenate([middle - sides / 2, middle + sides / 2]).round()

    def both_sides(box, scale=1.3):
        return square_in_numpy(box, 1 + 2 * (scale - 1))

    def at_the_corner(box, scale=1.3):
        edge = round(scale * max(box[2] - box[0], box[3] - box[1]))
        return [round(box[0]), round(box[1]), round(box[0]) + edge, round(box[1]) + edge]

    assert_teaches(
        lesson_02b.SQUARE,
        right=[square_in_numpy, the_packages, square_floored],
        wrong={
            "no square": stretched,
            "begins in the box's corner": at_the_corner,
            "for square([100, 60, 180, 160], 1.3), yours is of shape (2,)": lambda box, scale=1.3: square_in_numpy(
                box, scale
            )[:2],
            "each end is rounded by itself": ends_by_themselves,
            "nothing is cut off at 0": lambda box, scale=1.3: np.clip(square_in_numpy(box, scale), 0, None),
            "do not push it back": lambda box, scale=1.3: (
                np.tile(np.clip(square_in_numpy(box, scale)[:2], 0, None), 2)
                + np.repeat([0, square_in_numpy(box, scale)[2] - square_in_numpy(box, scale)[0]], 2)
            ),
        },
        seeds=range(30),
    )
    for whole in (math.floor, math.ceil, int):
        for seed in range(30):
            mistake = functools.partial(ends_by_themselves, whole=whole)
            assert_line(lesson_02b.SQUARE, mistake, seed, State.WRONG, "each end is rounded by itself")
    for seed in range(5):
        for box, scale in lesson_02b.SQUARE.inputs(seed):
            assert lesson_02b.square(box, scale) == the_packages(box, scale)
    assert "is expected" in lesson_02b.within_a_pixel((0, 0, 9, 9), both_sides(np.array([0.0, 0, 9, 9])))


# --- films


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[:300, 50:400].copy()


def test_example_is_the_clip_with_the_trait_or_the_first(tmp_path):
    clips = pd.DataFrame({"target_id": ["005", "007"]})
    assert films.example(tmp_path, clips, "leaves") == "005"
    people = [{"id": "005", "leaves": False}, {"id": "007", "leaves": True}]
    (tmp_path / "mini.json").write_text(json.dumps({"people": people}))
    assert films.example(tmp_path, clips, "leaves") == "007"


def test_frames_show_their_faces_and_how_many_there_are(photo):
    points = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    boxes = np.array([[10, 20, 40, 60]], np.float32)
    one, none = Detections(boxes, np.ones(1), points), Detections(boxes[:0], np.ones(0), points[:0])
    figure = films.frames_figure(np.stack([photo] * 2), [one, none], [0, 1, 9], "frames", landmarks=True)
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["frame 0: 1 found", "frame 1: 0 found"]
    assert [sum(len(lines.get_segments()) for lines in ax.collections) for ax in figure.axes] == [2, 0]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), points[0])


def test_choices_leave_gaps_where_none_is_chosen():
    figure = films.choices_figure({"one": [1.0, None, 3.0], "two": [None, None, None]}, "choices")
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots[0].get_ydata(), [1, np.nan, 3])
    assert [len(ax.patches) for ax in figure.axes] == [1, 3] and figure.axes[1].get_title() == "two"


def test_landmarks_lie_on_the_same_place_of_the_face_in_facenet_pytorchs_crop():
    frame = np.zeros((200, 200, 3), np.uint8)
    points = np.array([[90, 80], [110, 82], [100, 95], [92, 108], [109, 110]], float)
    for x, y in points.astype(int):
        frame[y - 1 : y + 2, x - 1 : x + 2] = 255
    crop, moved = films.with_margin(frame, np.array([80.0, 60, 120, 125]), points, margin=40)
    assert crop.shape == (160, 160, 3)
    for x, y in moved:
        assert crop[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].mean() > 60
    assert films.shape_of(moved) / films.shape_of(points) == pytest.approx(65 / 40, rel=0.05)


def test_shape_of_a_face_by_hand():
    points = np.array([[0, 0], [40, 0], [20, 20], [5, 50], [35, 50]], float)
    assert films.shape_of(points) == pytest.approx(40 / 50)
    assert films.shape_of(points * [2, 1]) == pytest.approx(80 / 50)
    assert films.shape_of(points * 3) == pytest.approx(40 / 50)


def test_a_stretch_is_measured_in_the_picture(photo):
    points = np.array([[100, 90], [148, 90], [120, 110], [110, 140], [138, 140]], float)
    figure = films.stretch_figure({"one": (photo, points), "two": (photo, points * 1.5)}, "title")
    said = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert said == [["one", "48 px", "50 px"], ["two", "72 px", "75 px"]]


def test_p_nets_map_has_so_many_places(photo):
    from facenet_pytorch import MTCNN

    networks = cascade.face_networks(MTCNN(device="cpu"))
    maps = mtcnn_numpy.level_maps(cascade.planes(photo[:300, :300]), networks.pnet, 60)
    assert films.windows(300, 60) == sum(each.probability.size for each in maps) > 1000
    assert films.windows(30, 40) == 0  # no level at all


def test_costs_are_told_per_frame_and_for_all():
    figure = films.cost_figure([20, 40], [0.5, 0.1], frames=36_000)
    assert [text.get_text().strip() for text in figure.axes[0].texts] == [
        "0.50 s per frame, 5.0 h",
        "0.10 s per frame, 1.0 h",
    ]


@pytest.fixture(scope="module")
def one_set(tiny_ffpp):
    return films.one_set(tiny_ffpp, faceforensics.index(tiny_ffpp), frames=2, lines=240)


def test_one_set_is_a_film_and_its_fakes_at_the_same_frames(one_set, tiny_ffpp):
    assert [film.shape for film in one_set] == [(2, 240, 240, 3)] * 3
    real = read_frames(tiny_ffpp / "original_sequences/youtube/c23/videos/000.mp4", [2, 6])[1]
    small = [cv2.resize(frame, real[0].shape[1::-1], interpolation=cv2.INTER_AREA) for frame in one_set[0]]
    assert np.abs(np.stack(small).astype(int) - real).mean() < 2
    assert 0 < np.abs(one_set[0].astype(int) - one_set[1]).mean() < 40


@pytest.mark.slow
def test_each_speed_up_finds_the_same_faces(one_set):
    ladder = films.speed_ups(one_set, turns=1)
    assert ladder.index.tolist()[0] == "the usual loop"
    assert len(ladder) == 5
    assert ladder["lost"].tolist() == [0] * 5
    assert ladder["overlap"].iloc[0] == 1
    assert (ladder["overlap"] > 0.7).all() and (ladder["seconds"] > 0).all()
    figure = films.speed_figure(ladder, "title")
    assert len(figure.axes[0].patches) == 5
    times = ladder["seconds"].iloc[0] / ladder["seconds"].iloc[1]
    assert figure.axes[0].texts[1].get_text().endswith(f"{times:.1f} times as fast")


def test_a_film_in_which_the_loop_finds_nobody_has_no_biggest_box():
    assert films._biggest(None) is None


def test_a_ruler_tells_wider_crops_by_the_distance_of_the_eyes():
    eyes = np.random.default_rng(0).normal(50, 4, 200)
    assert films.ruler(eyes, 1.3)[2] == pytest.approx(0.5, abs=1e-3)  # but for rounding
    areas = [films.ruler(eyes, scale)[2] for scale in (1.3, 1.35, 1.5, 2.6)]
    assert areas == sorted(areas) and areas[-1] == 1
    distances, labels, _ = films.ruler(eyes, 2.6)
    np.testing.assert_allclose(distances[labels == 1], eyes / 2)
    np.testing.assert_array_equal(distances[labels == 0], eyes)


def test_the_widget_shows_another_picture_for_another_cut():
    eyes = np.random.default_rng(0).normal(50, 4, 200)
    narrow, wide = films.ruler_figure(eyes, 1.4), films.ruler_figure(eyes, 1.6)
    title = narrow.axes[0].title.get_text() or narrow.axes[0].get_title(loc="left")
    assert title.endswith(f"1.40 wide: a ruler's AUC is {films.ruler(eyes, 1.4)[2]:.2f}")
    assert png(narrow) != png(wide)
