"""Lesson 11's exercises teach: an outline from five points, a mask that fades inside, the blend; and its figures."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import lesson_11, lesson_11_figures, lesson_11_matrix
from torchfakes_utils.course.unseen import BLENDED, FORGERIES, NONE, UNSEEN_COLUMNS
from torchfakes_utils.faces.outline import outlines

from helpers.exercises import assert_teaches

matplotlib.use("Agg")

FACE = "55.0 60.0 105.0 60.0 80.0 89.0 59.5 116.5 100.5 116.5"


def ones(points):
    return np.column_stack([points, np.ones(len(points))])


def by_pinv(outline, five, landmarks):
    return ones(outline) @ np.linalg.pinv(ones(five)) @ landmarks


def by_torch(outline, five, landmarks):
    columns = (torch.from_numpy(ones(points)) for points in (five, outline))
    known, wanted = columns
    return wanted @ torch.linalg.lstsq(known, torch.from_numpy(np.asarray(landmarks))).solution


def by_normal_equations(outline, five, landmarks):
    known = ones(five)
    return (ones(outline) @ np.linalg.solve(known.T @ known, known.T @ landmarks)).tolist()


def test_the_outline_teaches():
    assert_teaches(
        lesson_11.OUTLINE,
        right=[by_pinv, by_torch, by_normal_equations],
        wrong={
            "third number": lambda outline, five, landmarks: outline @ np.linalg.pinv(five) @ landmarks,
            "wrong way round": lambda outline, five, landmarks: by_pinv(outline, landmarks, five),
            "changed places": lambda outline, five, landmarks: by_pinv(outline, five, landmarks)[:, ::-1],
            "of shape (5, 2)": lambda outline, five, landmarks: by_pinv(five, five, landmarks),
        },
    )


def test_the_rough_outline_is_the_packages_with_fewer_corners():
    laid = lesson_11.lay_outline(lesson_11.ROUGH, lesson_11.FIVE, lesson_11.FIVE)
    fine = outlines(lesson_11.FIVE)
    assert np.allclose(laid, lesson_11.ROUGH)
    assert all(np.linalg.norm(fine - corner, axis=1).min() < 0.02 for corner in laid)


def looped(source, target, mask, ratio):
    made = np.zeros(source.shape, np.uint8)
    for y, x, channel in np.ndindex(*source.shape):
        covered = ratio * mask[y, x]
        value = covered * int(source[y, x, channel]) + (1 - covered) * int(target[y, x, channel])
        made[y, x, channel] = round(value)
    return made


def lerped(source, target, mask, ratio):
    one, other = (torch.from_numpy(picture).double() for picture in (source, target))
    return torch.lerp(other, one, torch.from_numpy(ratio * mask)[..., None]).round().to(torch.uint8)


def test_the_blend_teaches():
    assert_teaches(
        lesson_11.BLEND,
        right=[looped, lerped],
        wrong={
            "changed places": lambda source, target, mask, ratio: looped(target, source, mask, ratio),
            "ratio is missing": lambda source, target, mask, ratio: looped(source, target, mask, 1),
            "1 − ratio · mask": lambda source, target, mask, ratio: np.rint(
                ratio * mask[..., None] * source + (1 - mask[..., None]) * target
            ).astype(np.uint8),
        },
    )


def test_the_mask_teaches():
    def in_place(mask, first, second):
        once = lesson_11.blur(mask, first)
        once[once < 1 - 1e-6] = 0
        return lesson_11.blur(once, second)

    def rounded(mask, first, second):
        once = lesson_11.blur(mask, first)
        return torch.from_numpy(lesson_11.blur(once * (once > 0.999999), second))

    assert_teaches(
        lesson_11.SOFTEN,
        right=[in_place, rounded],
        wrong={
            "take nothing away": lambda mask, first, second: lesson_11.blur(lesson_11.blur(mask, first), second),
            "becomes 0, not 1": lambda mask, first, second: lesson_11.blur(
                np.where(lesson_11.blur(mask, first) > 1e-6, 1.0, 0.0), second
            ),
            "blur once more": lambda mask, first, second: np.where(
                lesson_11.blur(mask, first) < 1 - 1e-6, 0, lesson_11.blur(mask, first)
            ),
        },
    )


# --- figures


@pytest.fixture
def around():
    return lesson_11_figures.around(pd.DataFrame({"landmarks": [FACE]}))[0]


def test_what_a_slider_says_is_what_is_drawn(around):
    face = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    made = lesson_11_figures.blends_of(face, around, 3)
    again = lesson_11_figures.blends_of(face, around, 3)
    assert torch.equal(made.fakes, again.fakes)
    for name, weak, strong in (("ratio", 0.25, 1.0), ("softness", 0.002, 0.05), ("bend", 0.0, 0.06)):
        one, other = (lesson_11_figures.blends_of(face, around, 3, **{name: value}) for value in (weak, strong))
        assert torch.equal(one.source, other.source) and not torch.equal(one.fakes, other.fakes), name
        assert torch.equal(one.mask, other.mask) == (name == "ratio")
    full = lesson_11_figures.blends_of(face, around, 3, ratio=1.0)
    inside = (full.mask == 1).expand(-1, 3, -1, -1)
    assert torch.equal(full.fakes[inside], full.source[inside])
    figure = lesson_11_figures.blend_figure(face, around, 3, ratio=1.0)
    assert [ax.get_title() for ax in figure.axes] == ["source", "target", "mask", "fake"]


def test_an_outline_lights_the_face(around):
    light = lesson_11_figures.inside(around[1])
    assert light.shape == (160, 160) and 0.25 < light.mean() < 0.6 and light[80, 80] == 1 and light[2, 2] == 0
    dimmed = lesson_11_figures.with_outline(np.full((160, 160, 3), 200, np.uint8), around[1] * 160)
    assert dimmed[80, 80, 0] == 200 and dimmed[2, 2, 0] == 70


def runs():
    rows = []
    for way, left_out in ((FORGERIES, "A"), (FORGERIES, "B"), (BLENDED, NONE)):
        for person in range(6):
            for method, label in (("youtube", 0), ("A", 1), ("B", 1)):
                good = way == FORGERIES and method not in ("youtube", left_out)
                score = 0.9 if good else 0.1 + 0.05 * person
                named = {"clip_id": f"{method}-{person}", "method": method, "compression": "c23"}
                named |= {"target_id": f"p{person}", "source_id": ""}
                rows.append({"way": way, "left_out": left_out, **named, "label": label, "probability_fake": score})
    return pd.DataFrame(rows)[UNSEEN_COLUMNS]


def test_the_matrix_says_what_was_not_met():
    cells = lesson_11_matrix.cells(runs())
    assert len(cells) == 6 and cells.loc[cells["unseen"], "auc"].tolist() == [0.5, 0.5, 0.5, 0.5]
    assert cells.loc[~cells["unseen"], "auc"].tolist() == [1.0, 1.0]
    assert ((cells["low"] <= cells["auc"]) & (cells["auc"] <= cells["high"])).all()
    figure = lesson_11_figures.left_out_matrix(cells, ["A", "B"], "title")
    (ax,) = figure.axes
    assert len(ax.patches) == 4, "a frame round each family that was not met"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["all but\nA", "all but\nB", "self-blended\nalone"]


def test_what_changed_is_grey_where_nothing_did():
    real = np.full((40, 40, 3), 100, np.uint8)
    figure = lesson_11_figures.what_changed(real, {"A": real, "B": real + 10}, "title")
    drawn = [np.asarray(ax.images[0].get_array()) for ax in figure.axes]
    assert len(drawn) == 6 and (drawn[4] == 128).all() and (drawn[5] == 168).all()
