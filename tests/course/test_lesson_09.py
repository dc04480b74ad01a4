"""Lesson 09: what strangers upload, what is drawn of it, and exercises that tell right from wrong."""

import io
import math
import urllib.request
from itertools import combinations
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image, ImageOps

from torchfakes_utils.course import colab, lesson_09, lesson_09_app, lesson_09_figures
from torchfakes_utils.course.lesson_09_exercises import noted, upright, without_note, wrongly_accused
from torchfakes_utils.course.practice import State
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.inference.verdict import frame_interval
from torchfakes_utils.io.tables import FACE_COLUMNS, read_table
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering, answering
from helpers.detectors import opinionated
from helpers.exercises import assert_line, assert_teaches

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
    figure = lesson_09_figures.verdicts_figure(examined, ["a", "b", "c"], "title")
    scores = figure.axes[3:]
    assert [ax.get_xlabel() for ax in scores] == ["P(fake) 0.60: fake"] * 2 + ["P(fake) hollow: cannot tell"]
    assert [tick.get_text() for tick in scores[1].get_xticklabels()] == ["0", "0.30", "0.40", "1"]
    assert len(figure.axes[0].patches) == 1
    ends = [sorted(patch.get_extents().transformed(ax.transData.inverted()).x0 for patch in ax.patches)
            for ax in scores]  # fmt: skip
    assert ends[1] == pytest.approx([-0.03, 0.4]) and ends[2] == [], "what is refused has no limits"
    assert scores[2].lines[-1].get_markerfacecolor() == "white" != scores[1].lines[-1].get_markerfacecolor()
    curves = lesson_09_figures.curves_figure(examined[:1], ["a"], "title")
    times = curves.axes[0].lines[0].get_xdata()
    assert list(times) == [frame.time for frame in examined[0].prediction.faces[0].frames]
    assert [text.get_text() for text in curves.axes[0].texts] == ["called real up to 0.40", "called fake from 0.40"]
    picture, score = lesson_09_figures.changed_figure(predictor, portraits[0], 0.1, 0, 1).axes
    assert "cannot tell" in score.get_xlabel() and "too dark" in picture.get_title()
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
    (ax,) = lesson_09_figures.sizes_figure(table, BAND, 0.35, "t").axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["the photo", "its mirror image", "both looks"]
    assert [text.get_text() for text in ax.texts] == [
        "one threshold, 0.35", "two limits: fake from 0.40 on", "two limits: real up to 0.30",
    ]  # fmt: skip
    assert [patch.get_y() for patch in ax.patches] == pytest.approx([0.002, 0.4])


def test_a_group_photo_needs_a_higher_score_than_one_face(predictor, clips, portraits):
    photo = lesson_09.group_photo([clips[0], clips[1], clips[0]], 0, columns=2)
    height, width = photo.shape[:2]
    assert (photo[height // 2 :, width // 2 :] == 110).all() and photo[: height // 2].std() > 0
    assert np.array_equal(photo[: height // 2, : width // 2], photo[height // 2 :, : width // 2])
    prediction = lesson_09.examine_photo(predictor, np.hstack([portraits[0], portraits[0]])).prediction
    assert len(prediction.faces) == 2
    decision, scores = predictor.detector.decision, [face.probability_fake for face in prediction.faces]
    assert max(scores) >= max(decision.threshold, decision.photo.from_of()) and prediction.verdict != "fake"


def test_whoever_asks_at_once_is_answered_and_sorted_by_waiting():
    seconds = lesson_09_app.at_once(lambda: None, 5)
    assert len(seconds) == 5 and (np.diff(seconds) >= 0).all()
    figure = lesson_09_figures.waiting_figure([1.0, 2.0, 4.0], 0.5, "title")
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
    assert table["low"][0] == table["high"][0] == pytest.approx(0.9) and table["low"][1] < 0.6 < table["high"][1]
    right, left = lesson_09_figures.spread_figure(table, Band((0.5,), 0.2), "t").axes[::-1]
    assert (left.get_title(), right.get_title()) == (
        "1 real clips, 1 with a wrong verdict", "1 fake clips, 0 with a wrong verdict",
    )  # fmt: skip
    silent = lesson_09.by_clip_and_frame(pd.DataFrame(rows), Band((0.95,), 0.2), frame_interval)
    assert silent["verdict"].tolist() == ["none", "none"] and silent["clear"].all()


def test_photos_that_turn_are_counted():
    table = pd.DataFrame({"photo": [0, 0, 1, 1, 2, 2], "score": [0.1, 0.9, 0.1, 0.5, 0.1, 0.2]})
    assert lesson_09.turning(table, lambda scores: (scores >= 0.5).astype(float)) == {
        "both answers": 2, "no answer at some size": 0,
    }  # fmt: skip
    assert lesson_09.turning(table, Band((0.8,), 0.3).answers) == {"both answers": 1, "no answer at some size": 1}


def test_crops_in_other_light(predictor, tiny_faces):
    faces = read_table(tiny_faces / "faces.csv", FACE_COLUMNS).head(3)
    faces = faces.assign(file=[tiny_faces / path for path in faces["path"]])
    plain, dark = (lesson_09.in_light(predictor, faces, light) for light in (1.0, 0.05))
    assert plain["probability_fake"].tolist() == pytest.approx([0.6] * 3)
    assert (plain["cannot_tell"] == "").all() and dark["cannot_tell"].str.startswith("too dark").all()


# --- in the notebook


def test_what_is_uploaded_comes_as_a_tuple_or_a_dict():
    assert lesson_09_app.uploaded(()) is None and lesson_09_app.uploaded({}) is None
    assert lesson_09_app.uploaded(({"content": memoryview(b"a")}, {"content": memoryview(b"b")})) == b"b"
    assert lesson_09_app.uploaded({"me.jpg": {"content": b"c"}}) == b"c"


def png_of(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return file.getvalue()


def test_a_photo_of_ones_own_is_taken_and_a_useless_one_is_not(predictor, portraits, tmp_path, capsys):
    instead = np.zeros((8, 8, 3), np.uint8)
    mine = lesson_09_app.OwnPhoto(predictor, instead)
    assert mine.photo() is instead and "No photo of yours" in capsys.readouterr().out
    bundle = str(mine._repr_mimebundle_())
    assert "image/png" in bundle and "widget-view" in bundle
    mine.button = SimpleNamespace(value=({"content": memoryview(png_of(portraits[0]))},))
    assert np.array_equal(mine.photo(), portraits[0]) and "Your photo" in capsys.readouterr().out
    (tmp_path / "wall.png").write_bytes(png_of(np.full((200, 200, 3), 150, np.uint8)))
    for path, said in ((tmp_path / "wall.png", "no face found"), (tmp_path / "none.png", "none.png")):
        mine.path = path
        assert mine.photo() is instead
        out = capsys.readouterr().out
        assert said in out and "the course's own" in out and out.count("\n") == 1
    assert lesson_09_app.small(np.zeros((100, 3000, 3), np.uint8)).shape == (43, 1280, 3)


@pytest.mark.slow
def test_the_app_is_shown_while_it_runs_and_says_when_it_is_closed():
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80, crop_size=80)))
    app = lesson_09_app.ShownApp(Predictor(detector, "cpu"))
    try:
        page = app._page
        assert isinstance(page, ipywidgets.HTML) and f'<iframe src="{app.served.url}"' in page.value
        policy = urllib.request.urlopen(app.served.url, timeout=30).headers["content-security-policy"]
        assert "frame-ancestors 'self' http://localhost:* http://127.0.0.1:*" in policy
        bundle = str(app._repr_mimebundle_())
        assert "image/png" in bundle and app.served.url not in bundle, "no port of ours in a saved notebook"
    finally:
        app.close()
    assert "closed" in page.value and not app.served.uploads.folder.exists()


# --- exercises


def turned_by_hand(pixels, orientation):
    """Without np.rot90; a list of rows is as good as an array."""
    if orientation == 3:
        return pixels[::-1, ::-1]
    if orientation == 6:
        return pixels.swapaxes(0, 1)[:, ::-1]
    return np.transpose(pixels, (1, 0, 2))[::-1].tolist() if orientation == 8 else pixels


def test_turning_photos_teaches():
    assert_teaches(
        lesson_09.UPRIGHT,
        right=[turned_by_hand, lambda pixels, value: torch.from_numpy(upright(pixels, value).copy())],
        wrong={
            "anticlockwise": lambda pixels, value: np.rot90(pixels, {1: 0, 3: 2, 6: 1, 8: -1}[value]),
            "as it is stored": lambda pixels, value: pixels,
            "left and right": lambda pixels, value: np.flipud(pixels) if value == 3 else upright(pixels, value),
            "up and down": lambda pixels, value: np.fliplr(pixels) if value == 3 else upright(pixels, value),
            "no turn": lambda pixels, value: upright(pixels, value) if value < 4 else pixels.transpose(1, 0, 2),
            "stopped with TypeError": lambda pixels, value: pixels / {},
        },
    )


def saved_anew(data, turn=False, kind="JPEG", **more):
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        (ImageOps.exif_transpose(image) if turn else image).convert("RGB").save(file, kind, **more)
    return file.getvalue()


def by_pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        pixels = upright(np.asarray(image), image.getexif()[0x0112])
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG")
    return file.getvalue()


def test_dropping_the_note_teaches():
    assert_teaches(
        lesson_09.WITHOUT_NOTE,
        right=[by_pixels, lambda data: saved_anew(data, True, "JPEG"), lambda data: bytearray(without_note(data))],
        wrong={
            "with it the place": lambda data: data,
            "before you drop": saved_anew,
            "once more": lambda data: saved_anew(data, True, exif=Image.open(io.BytesIO(data)).getexif()),
            "getvalue()": lambda data: io.BytesIO(without_note(data)),
            "no photo": lambda data: without_note(data)[:20],
            "another picture": black,
        },
    )


def black(data):
    """A black picture of the right shape."""
    with Image.open(io.BytesIO(without_note(data))) as image:
        return saved_anew(noted(np.zeros((image.height, image.width, 3), np.uint8), 1), True)


def by_limits(score, real_to, fake_from):
    return "fake" if score >= fake_from else "real" if score <= real_to else "cannot tell"


def of_whom_can_be_judged(fake, usable, real_to, fake_from):
    means = [row[good].mean() for row, good in zip(fake, usable, strict=True) if good.any()]
    return "cannot tell" if not means else by_limits(max(means), real_to, fake_from)


def by_loops(fake, usable, real_to, fake_from):
    """As somebody writes it who knows lists only."""
    unknown, worst = 0, -1.0
    for row, good in zip(fake.tolist(), usable.tolist(), strict=True):
        kept = [score for score, counts in zip(row, good, strict=True) if counts]
        if not kept:
            unknown += 1
            continue
        worst = max(worst, sum(kept) / len(kept))
    if worst >= fake_from:
        return "fake"
    return "cannot tell" if unknown or worst > real_to else "real"


def by_masked_means(fake, usable, real_to, fake_from):
    means = np.where(usable, fake, 0).sum(1) / usable.sum(1)  # NaN for whom nobody sees
    if (means >= fake_from).any():
        return "fake"
    return "real" if (means <= real_to).all() else "cannot tell"


def without_whom_nobody_sees(fake, usable, real_to, fake_from):
    means = np.array([row[good].mean() for row, good in zip(fake, usable, strict=True) if good.any()])
    if (means >= fake_from).any():
        return "fake"
    return "real" if (means <= real_to).all() else "cannot tell"


def unusable_as_zero(fake, usable, real_to, fake_from):
    return by_limits((fake * usable).mean(1).max(), real_to, fake_from)


def test_verdicts_on_films_teach():
    assert_teaches(
        lesson_09.VERDICT,
        right=[by_loops, by_masked_means],
        wrong={
            "their capitals": lambda *film: by_loops(*film).capitalize(),
            "average over people": lambda fake, usable, *limits: by_limits(fake[usable].mean(), *limits)
            if usable.any(1).all() else by_loops(fake, usable, *limits),
            "One frame in four": lambda fake, usable, *limits: by_limits(fake[usable].max(), *limits)
            if usable.any(1).all() else by_loops(fake, usable, *limits),
            "still count": lambda fake, usable, *limits: by_limits(fake.mean(1).max(), *limits),
            "a 0.5 in your code": lambda fake, usable, real_to, _: by_loops(fake, usable, real_to, 0.5),
            "a third answer": lambda fake, usable, _, fake_from: by_loops(fake, usable, fake_from - 1e-9, fake_from),
            "One person cannot be judged": of_whom_can_be_judged,
            "all the same": lambda fake, usable, *limits: by_loops(fake, usable, *limits)
            if usable.any(1).all() else "cannot tell",
            "'FAKE'": lambda *film: by_loops(*film).upper(),
            "nobody is called fake either": lambda fake, usable, real_to, _: by_loops(
                fake, usable, real_to, real_to + 1e-9),
            "all` of nobody is True": without_whom_nobody_sees,
            "Leave it out of": unusable_as_zero,
            "not by all": lambda fake, usable, *limits: unusable_as_zero(fake, usable, *limits)
            if usable.any(1).all() else by_loops(fake, usable, *limits),
            "no largest score": lambda fake, usable, *limits: by_limits(
                max(row[good].mean() for row, good in zip(fake, usable, strict=True) if good.any()), *limits),
            "np.max has nothing": lambda fake, usable, *limits: by_limits(
                np.max([row[good].mean() for row, good in zip(fake, usable, strict=True) if good.any()]), *limits),
        },
    )  # fmt: skip
    as_zero = lambda fake, usable, *limits: by_limits(  # noqa: E731
        max(row[good].mean() if good.any() else 0 for row, good in zip(fake, usable, strict=True)), *limits
    )
    assert_line(lesson_09.VERDICT, as_zero, 0, State.WRONG, "by a score of 0")


def test_weighing_the_rates_teaches():
    assert_teaches(
        lesson_09.WRONGLY_ACCUSED,
        right=[lambda share, alarms, misses: 1 / (1 + share * (1 - misses) / ((1 - share) * alarms)),
               lambda *rates: torch.tensor(wrongly_accused(*rates)), lambda *rates: [wrongly_accused(*rates)][0]],
        wrong={
            "how many of the real ones": lambda share, alarms, misses: alarms,
            "Divide by all": lambda share, alarms, misses: alarms - share * alarms,
            "as many real uploads": lambda share, alarms, misses: alarms / (1 - misses + alarms),
            "are deserved": lambda *rates: 1 - wrongly_accused(*rates),
            "that nobody accuses": lambda share, alarms, misses: wrongly_accused(share, alarms, 1 - misses),
            "for the real ones": lambda share, alarms, misses: wrongly_accused(1 - share, alarms, misses),
        },
    )  # fmt: skip


def test_a_hundred_uploads_by_hand():
    assert wrongly_accused(0.5, 0.1, 0.2) == pytest.approx(5 / 45)
    found = lesson_09.accused_of(0.01, 0.0625, 0.14)
    assert (found.honest, found.forged, found.accused, found.caught) == (990, 10, 62, 9)
    title = lesson_09_figures.accused_figure(found).axes[0].get_title()
    assert title == "1,000 uploads, 10 forged: 62 of the 71 called fake are honest"
    assert lesson_09_figures.accused_figure(lesson_09.accused_of(0.01, 0, 1)).axes, "nobody is called fake"
    entries = lesson_09_figures.accused_figure(lesson_09.accused_of(0.5, 0.125, 0.11)).axes[0].texts
    boxes = [entry.get_window_extent() for entry in entries]
    assert len(boxes) == 4 and not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_what_a_lesson_needs_beside_the_course_is_named(monkeypatch):
    colab.extra("app")  # make setup installs it
    monkeypatch.setattr(colab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"gradio; run: pip install 'torchfakes\[app\]'"):
        colab.extra("app")
    asked = []
    monkeypatch.setattr(colab, "on_colab", lambda: True)
    monkeypatch.setattr(colab.subprocess, "run", lambda command, check: asked.append(command[-1]))
    colab.extra("export")
    assert asked == [f"torchfakes[export] @ git+{colab.REPOSITORY}@{colab.RELEASE}"]
