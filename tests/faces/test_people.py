"""Who is who across cuts: the same take again is the same person, another person in the same place is not."""

import numpy as np

from torchfakes_utils.faces.people import people
from torchfakes_utils.faces.thumbnails import thumbnail
from torchfakes_utils.faces.tracking import DETECTED, Track


def track(frames, box, probability=1.0):
    count = len(frames)
    return Track.of(frames, [box] * count, np.zeros((count, 5, 2)), [probability] * count, [DETECTED] * count)


def test_who_comes_back_looking_the_same_is_one_person(portraits):
    first, second = portraits[:2]
    height, width = first.shape[:2]
    box = (width * 0.3, height * 0.2, width * 0.7, height * 0.7)
    pictures = [first, first, second, second, np.roll(first, 2, axis=1), first]
    tracks = [track([0, 10], box), track([20, 30], box), track([40, 50], box)]
    shots = np.array([0, 0, 1, 1, 2, 2])
    found = people(tracks, np.arange(6) * 10, [thumbnail(one) for one in pictures], height, shots)
    assert [[one.frames.tolist() for one in person] for person in found] == [[[0, 10], [40, 50]], [[20, 30]]]


def test_two_of_one_shot_are_two_however_alike(portraits):
    height, width = portraits[0].shape[:2]
    twins = np.hstack([portraits[0], portraits[0]])
    left = np.array([width * 0.3, height * 0.2, width * 0.7, height * 0.7])
    tracks = [track([0], left), track([0], left + np.array([width, 0, width, 0]))]
    assert len(people(tracks, np.array([0]), [thumbnail(twins)], height, np.array([0]))) == 2
    assert people([], np.array([0]), [thumbnail(twins)], height, np.array([0])) == []
