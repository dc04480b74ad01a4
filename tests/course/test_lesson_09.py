"""Lesson 09: what strangers upload, what is drawn of it, and exercises that tell right from wrong."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from torchfakes_utils.course import colab, lesson_09
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.inference.verdict import frame_interval
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.preprocessing import Preprocessing


class Coin:
    """A detector that says the same to everybody."""

    preprocessing = Preprocessing(size=64, crop_size=64)
    decision = Decision(threshold=0.4, ranges={"brightness": (40.0, 220.0)})

    def to(self, device):
        return self

    def eval(self):
        return self

    def probability(self, images):
        import torch

        return torch.full((len(images),), 0.6)


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
    assert [answer.verdict for answer in answers] == ["fake"] * 7 + ["cannot tell"] * 6
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


def test_pictures_show_the_verdict_the_score_and_the_threshold(predictor, clips, portraits):
    examined = [
        predictor.examine(clips[0], 4),
        lesson_09.examine_photo(predictor, lesson_09.changed(portraits[0], light=0.1)),
    ]
    figure = lesson_09.verdicts_figure(examined, ["a", "b"], 0.4, "title")
    assert len(figure.axes) == 4 and [ax.get_xlabel() for ax in figure.axes[2:]] == ["fake", "cannot tell"]
    assert len(figure.axes[0].patches) == 1
    assert figure.axes[2].lines[0].get_xdata()[0] == 0.4
    curves = lesson_09.curves_figure(examined[:1], ["a"], 0.4, "title")
    times = curves.axes[0].lines[1].get_xdata()
    assert list(times) == [frame.time for frame in examined[0].prediction.faces[0].frames]
    assert "cannot tell" in lesson_09.changed_figure(predictor, portraits[0], 0.1, 0, 1).axes[1].get_xlabel()
    plt.close("all")


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
    table = lesson_09.by_clip_and_frame(pd.DataFrame(rows), 0.5, frame_interval)
    assert table["kind"].tolist() == ["fake", "real"]  # the third clip has one usable frame, and so no interval
    assert table["score"].tolist() == pytest.approx([0.9, 0.6])
    assert table["right"].tolist() == [True, False]
    assert table["clear"].tolist() == [True, False]
    assert table["half_width"][0] == 0


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


def right_verdict(fake, usable, threshold):
    means = [row[good].mean() for row, good in zip(fake, usable, strict=True) if good.any()]
    return "cannot tell" if not means else "fake" if max(means) >= threshold else "real"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda fake, usable, threshold: None, "Not attempted"),
        (right_verdict, "Right:"),
        (lambda fake, usable, threshold: "fake" if fake.mean() >= threshold else "real", "average over people"),
        (lambda fake, usable, threshold: "fake" if fake.max() >= threshold else "real", "One frame in four"),
        (lambda fake, usable, threshold: "fake" if fake.mean(1).max() >= threshold else "real", "third answer"),
        (lambda fake, usable, threshold: right_verdict(fake, usable, 0.5), "a 0.5 in your code"),
        (
            lambda fake, usable, threshold: right_verdict(fake, np.ones_like(usable) & usable.any(), threshold),
            "still count",
        ),
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
