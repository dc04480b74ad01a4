"""One face is followed through a clip, and gaps are filled only with that face."""

import itertools
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.faces.detection import Detections
from torchfakes_utils.faces.thumbnails import thumbnail
from torchfakes_utils.faces.tracking import (
    DETECTED,
    INTERPOLATED,
    Track,
    face_near,
    follow,
    track_everyone,
    track_face,
)

from helpers.scenes import boxed, film


def at(*centres: tuple[float, float], edge: float = 40, probability: float = 0.99) -> Detections:
    """Detections of faces of one size, centred at some places."""
    boxes = np.array([(x - edge / 2, y - edge / 2, x + edge / 2, y + edge / 2) for x, y in centres], np.float32)
    count = len(centres)
    return Detections(
        boxes.reshape(count, 4), np.full(count, probability, np.float32), np.zeros((count, 5, 2), np.float32)
    )


# --- following


def test_follows_one_person_where_the_largest_face_would_jump() -> None:
    """Two people; the one on the right is smaller on the whole, but larger in one frame, and at times listed first."""
    left = [at((50 + step, 60), edge=44) for step in range(6)]
    right = [at((150, 60), edge=80 if step == 3 else 36) for step in range(6)]
    both = [
        Detections(*(np.concatenate(parts) for parts in zip(*map(vars_of, order), strict=True)))
        for step, pair in enumerate(zip(left, right, strict=True))
        for order in [pair if step % 2 else pair[::-1]]
    ]
    assert follow(both) == [1, 0, 1, 0, 1, 0]


def vars_of(found: Detections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return found.boxes, found.probabilities, found.landmarks


def test_takes_up_a_face_that_was_lost() -> None:
    assert follow([at((50, 50)), at(), at(), at((60, 50)), at((62, 50), (200, 50))]) == [0, None, None, 0, 0]
    assert follow([at((50, 50)), at((50, 50)), at((200, 50))]) == [0, 0, None]  # somebody else


def test_unsure_and_brief_faces_lose() -> None:
    clip = [at((50, 50)), at((50, 50)), at((50, 50))]
    sudden = at((50, 50), (150, 50), edge=42)
    assert follow([*clip, sudden]) == [0, 0, 0, 0]
    assert follow([at((50, 50), probability=0.9), at((300, 50), probability=0.95)]) == [None, 0]


def test_nobody_to_follow() -> None:
    assert follow([]) == []
    assert follow([at(), at()]) == [None, None]


@given(st.lists(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), max_size=4), max_size=8))
def test_what_is_followed_is_there_and_does_not_jump(places: list[list[tuple[float, float]]]) -> None:
    clip = [at(*centres) for centres in places]
    chosen = follow(clip)
    assert len(chosen) == len(clip)
    assert any(face is not None for face in chosen) == any(places)
    path = [found.boxes[face] for found, face in zip(clip, chosen, strict=True) if face is not None]
    for before, after in itertools.pairwise(path):
        assert np.linalg.norm(before[:2] - after[:2]) <= 40


# --- gaps


NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def tracked(frames: list[np.ndarray], detections: list[Detections], indices: list[int] | None = None) -> Track:
    indices = np.arange(len(frames)) if indices is None else np.asarray(indices)
    return track_face(indices, detections, [thumbnail(frame) for frame in frames], frames[0].shape[:2])


def test_gap_is_filled_where_the_face_is(portraits: list[np.ndarray]) -> None:
    shifts = [10, 20, 40, 50]
    found = tracked(film(portraits[0], shifts), [boxed(10), NOBODY, NOBODY, boxed(50)], indices=[0, 10, 30, 40])
    assert found.frames.tolist() == [0, 10, 30, 40]
    assert found.found.tolist() == [DETECTED, INTERPOLATED, INTERPOLATED, DETECTED]
    # In proportion to the frames' numbers, not to their places in the list.
    assert found.boxes[:, 0].tolist() == [80, 90, 110, 120]
    assert np.allclose(found.landmarks[1] - found.landmarks[0], [10, 0])


def test_no_crop_of_the_wall(portraits: list[np.ndarray]) -> None:
    """Somebody walks out of the picture and comes back: there is a gap, but no face in it."""
    frames = film(portraits[0], [10, 10, 10])
    frames[1][:] = 120
    assert tracked(frames, [boxed(10), NOBODY, boxed(10)]).frames.tolist() == [0, 2]
    shaded = np.clip(
        120 + np.linspace(-6, 6, frames[0].shape[0])[:, None, None] + np.zeros_like(frames[0], float), 0, 255
    )
    assert tracked([frames[0], shaded.astype(np.uint8), frames[2]], [boxed(10), NOBODY, boxed(10)]).frames.tolist() == [
        0,
        2,
    ]
    noise = np.random.default_rng(0).integers(0, 256, frames[0].shape).astype(np.uint8)
    assert tracked([frames[0], noise, frames[2]], [boxed(10), NOBODY, boxed(10)]).frames.tolist() == [0, 2]


def test_no_crop_half_outside_the_picture(portraits: list[np.ndarray]) -> None:
    frames = film(portraits[0], [10, 10, 10])
    leaving = boxed(0, (-30, 40, 30, 120))
    assert tracked(frames, [leaving, NOBODY, leaving]).frames.tolist() == [0, 2]


def test_long_gaps_and_ends_stay_open(portraits: list[np.ndarray]) -> None:
    frames = film(portraits[0], [10] * 7)
    assert len(tracked(frames, [boxed(10), *[NOBODY] * 3, *[boxed(10)] * 3])) == 7
    assert len(tracked(frames, [boxed(10), *[NOBODY] * 5, boxed(10)])) == 2
    assert tracked(frames, [NOBODY, boxed(10), boxed(10), *[NOBODY] * 4]).frames.tolist() == [1, 2]


def test_weak_faces_continue_a_track_but_do_not_make_one() -> None:
    weak, sure = at((50, 50), probability=0.75), at((50, 50), probability=0.95)
    assert follow([sure, weak, sure]) == [0, 0, 0]
    assert follow([weak, weak, weak]) == [None, None, None]
    assert follow([weak, weak], min_probability=0.7) == [0, 0]
    both = Detections(*(np.concatenate(parts) for parts in zip(vars_of(weak), vars_of(at((300, 50))), strict=True)))
    assert follow([both, both]) == [1, 1]


def test_track_survives_json_exactly(portraits: list[np.ndarray]) -> None:
    found = tracked(film(portraits[0], [10, 13, 17]), [boxed(10.1), NOBODY, boxed(17.3, probability=0.987654)])
    again = Track.of(**json.loads(json.dumps(found.to_json())))
    for name, value in vars(found).items():
        assert np.array_equal(value, getattr(again, name)), name
        assert value.dtype == getattr(again, name).dtype
    empty = tracked(film(portraits[0], [10]), [NOBODY])
    assert len(Track.of(**json.loads(json.dumps(empty.to_json())))) == 0


def test_face_near_a_track(portraits: list[np.ndarray]) -> None:
    track = tracked(film(portraits[0], [10, 20]), [boxed(10), boxed(20)], indices=[5, 15])
    stranger, here = boxed(200), boxed(24)
    both = Detections(*(np.concatenate(parts) for parts in zip(vars_of(stranger), vars_of(here), strict=True)))
    for frame in (20, 0):
        near = face_near(track, frame, both)
        assert near.frames.tolist() == [frame]
        assert near.found.tolist() == [DETECTED]
        assert np.array_equal(near.boxes, here.boxes)
    assert face_near(track, 10, stranger) is None
    assert face_near(track, 10, NOBODY) is None


def one_face_a_frame(*presence):
    """Detections of people who stand 100 px apart, each present in the frames given as 1."""
    found = []
    for present in zip(*presence, strict=True):
        boxes = [[100 * who, 0, 100 * who + 50, 50] for who, here in enumerate(present) if here]
        count = len(boxes)
        found.append(Detections(np.array(boxes, np.float32).reshape(-1, 4), np.ones(count), np.zeros((count, 5, 2))))
    return found


def test_everyone_is_followed_and_nobody_twice():
    detections = one_face_a_frame([1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 1, 1], [0, 0, 0, 1, 0, 0])
    detections[3].probabilities[1] = 0.95
    black = [np.zeros((50, 300), np.uint8)] * 6  # nothing there looks like a face, so no gap is filled
    tracks = track_everyone(np.arange(10, 16), detections, black, (50, 300))
    assert [track.frames.tolist() for track in tracks] == [[10, 11, 12, 13, 14, 15], [11, 12, 14, 15]]
    assert [set(track.boxes[:, 0]) for track in tracks] == [{0}, {100}]  # what is found once is nobody


def test_nobody_is_followed_across_a_cut():
    """Two people in the same place, one after the other; a gap at the cut stays open."""
    detections = one_face_a_frame([1, 1, 0, 1, 1, 1])
    same = [np.random.default_rng(0).integers(0, 255, (50, 300)).astype(np.uint8)] * 6
    shots = np.array([0, 0, 0, 1, 1, 1])
    tracks = track_everyone(np.arange(6), detections, same, (50, 300), shots)
    assert [track.frames.tolist() for track in tracks] == [[3, 4, 5], [0, 1]]
    assert [len(track) for track in track_everyone(np.arange(6), detections, same, (50, 300))] == [6]
    assert follow(detections, shots=shots) == [None, None, None, 0, 0, 0]


def test_nobody_is_followed_where_a_part_of_the_picture_is_cut():
    """Two people beside each other; who is on the right gives way to another."""
    detections = one_face_a_frame([1] * 6, [1] * 6)
    same = [np.random.default_rng(0).integers(0, 255, (50, 300)).astype(np.uint8)] * 6
    right = [2, *[sum(1 << at for at in range(10, 32))] * 18]
    tracks = track_everyone(np.arange(6), detections, same, (50, 300), None, np.array([right]))
    assert sorted(track.frames.tolist() for track in tracks) == [[0, 1, 2], [0, 1, 2, 3, 4, 5], [3, 4, 5]]


def test_nobody_to_track():
    nothing = one_face_a_frame([0, 0, 0])
    assert track_everyone(np.arange(3), nothing, [np.zeros((9, 9), np.uint8)] * 3, (9, 9)) == []
    assert track_everyone(np.arange(0), [], [], (9, 9)) == []
