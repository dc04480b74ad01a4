"""Lesson 09: what strangers upload, what is drawn of it, and exercises that tell right from wrong."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from torchfakes_utils.course import colab, lesson_09
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.inference.verdict import frame_interval
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering, answering

BAND = Band((0.4, 0.7), 0.3)


class Coin(Answering):
    """A detector that says the same to everybody, and to a mirror image the same again."""

    preprocessing = Preprocessing(size=64, crop_size=64)
    decision = answering(0.4, ranges={"brightness": (40.0, 220.0)}, photo=BAND)

    def to(self, device):
        return self

    def eval(self):
        return self

    def __call__(self, images):
        return torch.full((len(images),), math.log(0.6 / 0.4))


@pytest.fixture(scope="module")
def predictor():
    return Predictor(Coin(), "cpu")


@pytest.fixture(scope="module")
def clips(tiny_ffpp):
    return [tiny_ffpp / f"original_sequences/youtube/c23/videos/00{number}.mp4" for number in (0, 1)]


@pytest.mark.slow
def test_of_thirteen_uploads_seven_can_be_judged(predictor, clips, tmp_path):
    files = lesson_09.uploads(tmp_path, *clips)
    assert len(files) == 13 and all(file.is_file() for file in files)
    answers = list(predictor.predict_many(files, 3))
    assert [answer.probability_fake is not None for answer in answers] == [True] * 7 + [False] * 6
    assert [answer.verdict for answer in answers[:7]] == ["fake"] * 4 + ["cannot tell"] + ["fake"] * 2, "two are more"
    assert [answer.kind for answer in answers[:7]] == ["photo"] * 5 + ["animation", "video"]
    assert len(answers[4].faces) == 2
    assert "too dark" in answers[8].reason


def test_photos_change_as_asked(portraits):
    photo = portraits[0]
    assert np.array_equal(lesson_09.changed(photo), photo)
    assert lesson_09.changed(photo, light=0.5).mean() == pytest.approx(photo.mean() / 2, abs=1)
    assert lesson_09.changed(photo, blur=3).std() < photo.std()
    far = lesson_09.changed(photo, size=0.5)
    assert far.shape == photo.shape and (far[:40] == 110).all()


def test_pictures_show_the_verdict_the_score_and_the_limits(predictor, clips, portraits):
    examined = [
        predictor.examine(clips[0], 4),
        lesson_09.examine_photo(predictor, portraits[0]),
        lesson_09.examine_photo(predictor, lesson_09.changed(portraits[0], light=0.1)),
    ]
    figure = lesson_09.verdicts_figure(examined, ["a", "b", "c"], "title")
    scores = figure.axes[3:]
    assert [ax.get_xlabel() for ax in scores] == ["fake", "fake", "cannot tell"]
    assert len(figure.axes[0].patches) == 1
    ends = [sorted(patch.get_extents().transformed(ax.transData.inverted()).x0 for patch in ax.patches)
            for ax in scores]  # fmt: skip
    assert ends[1] == pytest.approx([-0.03, 0.4]) and ends[2] == [], "what is refused has no limits"
    assert scores[2].lines[-1].get_markerfacecolor() == "white" != scores[1].lines[-1].get_markerfacecolor()
    curves = lesson_09.curves_figure(examined[:1], ["a"], "title")
    times = curves.axes[0].lines[0].get_xdata()
    assert list(times) == [frame.time for frame in examined[0].prediction.faces[0].frames]
    assert [text.get_text() for text in curves.axes[0].texts] == ["called real", "called fake"]
    assert "cannot tell" in lesson_09.changed_figure(predictor, portraits[0], 0.1, 0, 1).axes[1].get_xlabel()
    plt.close("all")


class Left(Coin):
    """Says fake of what is brighter on the left."""

    def __call__(self, images):
        half = images.shape[3] // 2
        return (images[..., :half].mean((1, 2, 3)) - images[..., half:].mean((1, 2, 3))) * 40

    def answers(self, images):
        logits = (self(images) + self(images.flip(3))) / 2
        return torch.stack([logits, torch.zeros_like(logits)], 1)


def test_a_photo_is_judged_at_every_size_by_one_look_and_by_both(portraits):
    table = lesson_09.at_sizes(Predictor(Left(), "cpu"), portraits[0], [0.8, 1.25])
    assert table["size"].tolist() == [0.8, 1.25]
    assert (table["one_look"] - 0.5).to_numpy() == pytest.approx((0.5 - table["mirrored"]).to_numpy(), abs=1e-4)
    assert (table["one_look"] - 0.5).abs().min() > 0.01, "or else nothing is shown"
    assert table["both"].tolist() == pytest.approx([0.5, 0.5], abs=1e-4)
    assert table["verdict"].tolist() == ["fake", "fake"]
    (ax,) = lesson_09.sizes_figure(table, BAND, 0.35, "t").axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["photo", "its mirror image", "both"]
    assert [text.get_text() for text in ax.texts] == ["one threshold", "called fake", "called real"]
    assert [patch.get_y() for patch in ax.patches] == pytest.approx([0.002, 0.4])


def test_a_group_photo_needs_a_higher_score_than_one_face(predictor, clips, portraits):
    photo = lesson_09.group_photo([clips[0], clips[1], clips[0]], 0, columns=2)
    height, width = photo.shape[:2]
    assert (photo[height // 2 :, width // 2 :] == 110).all() and photo[: height // 2].std() > 0
    assert np.array_equal(photo[: height // 2, : width // 2], photo[height // 2 :, : width // 2])
    prediction = lesson_09.examine_photo(predictor, np.hstack([portraits[0], portraits[0]])).prediction
    assert len(prediction.faces) == 2
    found = lesson_09.group_answers(prediction, predictor.detector.decision)
    assert found == {"one threshold": True, "the limit of one face": True, "the limit of 2 faces": False}


def test_whoever_asks_at_once_is_answered_and_sorted_by_waiting():
    seconds = lesson_09.at_once(lambda: None, 5)
    assert len(seconds) == 5 and (np.diff(seconds) >= 0).all()
    figure = lesson_09.waiting_figure([1.0, 2.0, 4.0], "title")
    assert len(figure.axes[0].patches) == 3


def test_clips_are_compared_with_their_frames():
    rows = [{"method": "x", "compression": "c23", "clip_id": f"{clip}", "label": label, "probability_fake": score,
             "cannot_tell": "" if frame else "too dark"}
            for clip, (label, scores) in enumerate([(1, [0.9] * 5), (0, [0.1, 0.9, 0.1, 0.9, 0.5]), (1, [0.0, 0.1])])
            for frame, score in enumerate(scores)]  # fmt: skip
    table = lesson_09.by_clip_and_frame(pd.DataFrame(rows), Band((0.5,), 0.2), frame_interval)
    assert table["kind"].tolist() == ["fake", "real"]  # the third clip has one usable frame, and so no interval
    assert table["score"].tolist() == pytest.approx([0.9, 0.6])
    assert table["verdict"].tolist() == ["right", "wrong"]
    assert table["clear"].tolist() == [True, False]
    assert table["half_width"][0] == 0
    silent = lesson_09.by_clip_and_frame(pd.DataFrame(rows), Band((0.95,), 0.2), frame_interval)
    assert silent["verdict"].tolist() == ["none", "none"] and silent["clear"].all()


def quarter_wrong(pixels, orientation):
    return np.rot90(pixels, {1: 0, 3: 2, 6: 1, 8: -1}[orientation])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda pixels, orientation: None, "Not attempted"),
        (lambda pixels, orientation: np.rot90(pixels, {1: 0, 3: 2, 6: -1, 8: 1}[orientation]), "Right."),
        (quarter_wrong, "the other way"),
        (lambda pixels, orientation: pixels, "as it is stored"),
        (lambda pixels, orientation: pixels[::-1] if orientation == 3 else np.rot90(pixels, 0), "mirror image"),
        (lambda pixels, orientation: pixels / {}, "stopped with"),
    ],
)
def test_turning_photos(answer, said, capsys):
    lesson_09.check_upright(answer)
    assert said in capsys.readouterr().out


def right_verdict(fake, usable, real_to, fake_from):
    said = of_whom_can_be_judged(fake, usable, real_to, fake_from)
    return said if said == "fake" or usable.any(1).all() else "cannot tell"


def of_whom_can_be_judged(fake, usable, real_to, fake_from):
    means = [row[good].mean() for row, good in zip(fake, usable, strict=True) if good.any()]
    return "cannot tell" if not means else by_limits(max(means), real_to, fake_from)


def by_limits(score, real_to, fake_from):
    return "fake" if score >= fake_from else "real" if score <= real_to else "cannot tell"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda fake, usable, *limits: None, "Not attempted"),
        (right_verdict, "Right:"),
        (lambda fake, usable, *limits: by_limits(fake.mean(), *limits), "average over people"),
        (lambda fake, usable, *limits: by_limits(fake.max(), *limits), "One frame in four"),
        (lambda fake, usable, *limits: by_limits(fake.mean(1).max(), *limits), "third answer"),
        (lambda fake, usable, *limits: right_verdict(fake, usable, limits[0], 0.5), "a 0.5 in your code"),
        (lambda fake, usable, *limits: right_verdict(fake, usable, limits[1] - 1e-9, limits[1]), "between the limits"),
        (
            lambda fake, usable, *limits: right_verdict(fake, np.ones_like(usable) & usable.any(), *limits),
            "still count",
        ),
        (of_whom_can_be_judged, "Real needs everybody"),
    ],
)
def test_verdicts_on_films(answer, said, capsys):
    lesson_09.check_verdict(answer)
    assert said in capsys.readouterr().out


def test_what_a_lesson_needs_beside_the_course_is_named(monkeypatch):
    colab.extra("app")  # make setup installs it
    monkeypatch.setattr(colab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"gradio; run: pip install 'torchfakes\[app\]'"):
        colab.extra("app")
    asked = []
    monkeypatch.setattr(colab, "on_colab", lambda: True)
    monkeypatch.setattr(colab.subprocess, "run", lambda command, check: asked.append(command[-1]))
    colab.extra("export")
    assert asked == [f"torchfakes[export] @ git+{colab.REPOSITORY}"]
