"""Lesson 13: its exercises teach, its figures show what they say, and a player plays what it was given."""

import base64
import io
import re
import wave

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import lesson_13
from torchfakes_utils.course.lesson_13_exercises import equal_error_rate, mel_filters, new_phases
from torchfakes_utils.metrics.bootstrap import equal_error_rate as interpolated

from helpers import voices
from helpers.exercises import assert_teaches


def test_filters_by_hand():
    assert np.allclose(mel_filters([0, 100, 200], [50, 100, 175]), [[0.5, 1, 0.25]])

    def looped(corners, hertz):
        rows = []
        for left, peak, right in zip(corners, corners[1:], corners[2:], strict=False):
            rows.append([max(0, min((one - left) / (peak - left), (right - one) / (right - peak))) for one in hertz])
        return rows

    assert_teaches(
        lesson_13.FILTERS,
        right=[looped, lambda corners, hertz: torch.from_numpy(mel_filters(corners, hertz))],
        wrong={
            "boxes": lambda corners, hertz: (mel_filters(corners, hertz) > 0) * 1.0,
            "a row a filter": lambda corners, hertz: mel_filters(corners, hertz).T,
            "one area each": lambda corners, hertz: (
                mel_filters(corners, hertz) * 2 / (np.asarray(corners)[2:] - np.asarray(corners)[:-2])[:, None]
            ),
        },
    )


def test_a_round_of_guessing():
    assert np.allclose(new_phases([[2.0]], [[3j]]), [[2j]])
    assert_teaches(
        lesson_13.ROUND,
        right=[
            lambda magnitude, again: magnitude * np.exp(1j * np.angle(again)),
            lambda magnitude, again: torch.polar(torch.from_numpy(magnitude), torch.from_numpy(np.angle(again))),
        ],
        wrong={
            "Divide by what came back": lambda magnitude, again: magnitude * again,
            "unchanged": lambda magnitude, again: again,
            "it is real": lambda magnitude, again: magnitude + 0j,
            "backwards": lambda magnitude, again: magnitude * np.exp(-1j * np.angle(again)),
        },
    )


def test_the_equal_error_rate():
    assert equal_error_rate([1, 2, 3], [2.5, 4, 5]) == pytest.approx(1 / 3)

    def shares(real, fake, at):
        return sum(score >= at for score in real) / len(real), sum(score < at for score in fake) / len(fake)

    def looped(real, fake):
        best = min(sorted({*real, *fake}), key=lambda at: abs(np.subtract(*shares(real, fake, at))))
        return np.mean(shares(real, fake, best))

    def counted(real, fake):
        real, fake = np.asarray(real), np.asarray(fake)
        at = np.unique(np.concatenate([real, fake]))
        alarms, missed = (real[:, None] >= at).sum(0), (fake[:, None] < at).sum(0)
        best = np.abs(alarms - missed).argmin()
        return (alarms[best] + missed[best]) / 2

    assert_teaches(
        lesson_13.EER,
        right=[looped, lambda real, fake: torch.tensor(equal_error_rate(real, fake))],
        wrong={
            "share that is right": lambda real, fake: 1 - equal_error_rate(real, fake),
            "at one half": lambda real, fake: (np.mean(real >= 0.5) + np.mean(fake < 0.5)) / 2,
            "count errors": counted,
        },
    )


def test_the_lessons_rate_is_near_the_packages():
    generator = np.random.default_rng(0)
    real, fake = generator.normal(0, 1, 300), generator.normal(1, 1, 200)
    at = np.sort(np.concatenate([real, fake]))[::-1]
    curve = [(one[:, None] >= at).mean(0)[None] for one in (real, fake)]
    assert equal_error_rate(real, fake) == pytest.approx(float(interpolated(*curve)[0]), abs=0.01)


def test_a_player_plays_what_it_was_given():
    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
    found = lesson_13.player(tone, "a <name>")
    assert "a &lt;name&gt;" in found
    content = base64.b64decode(re.search(r"base64,([^\"]+)", found)[1])
    with wave.open(io.BytesIO(content)) as file:
        rate, values = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.uint8)
    assert len(values) == rate and len(found) < 15_000
    assert np.argmax(np.abs(np.fft.rfft(values.astype(float) - 128))) == 440


@pytest.mark.parametrize("window", lesson_13.WINDOWS)
def test_a_short_window_shows_every_pulse_and_a_long_one_shows_none(window):
    pulses = np.zeros(16_000, np.float32)
    pulses[::160] = 1.0  # a hundred a second
    found = lesson_13.spectrogram(pulses, window)
    ripple = np.abs(np.fft.rfft(found[-1] - found[-1].mean()))[: found.shape[1] // 2]
    assert (ripple.max() > 20) == (window == "8 ms")


def test_figures_hold_every_version_the_real_one_first():
    found = {"speech": voices.spoken(1.0), "LPC": voices.buzzed(voices.spoken(1.0))}
    figure = lesson_13.pictures(found, "8 ms", (0.2, 0.7), "A title")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["real", "LPC"]
    assert figure.axes[0].images[0].get_extent()[1] == pytest.approx(0.5)


def test_the_viewer_shows_another_version_and_plays_it():
    found = {"speech": voices.spoken(1.2), "LPC": voices.buzzed(voices.spoken(1.2))}
    box = lesson_13.viewer(found).widget
    (who, _), picture, sound = box.children[0].children, *box.children[1:]
    before = picture.value, sound.value
    who.value = "LPC"
    assert picture.value != before[0] and sound.value != before[1] and "LPC" in sound.value


def test_versions_and_bars_are_of_the_table(tmp_path):
    rows = pd.read_csv(voices.data_set(tmp_path, speakers=3, clips=1), keep_default_na=False)
    rows = rows.assign(file=[str(tmp_path / path) for path in rows["path"]])
    assert list(lesson_13.versions(rows, "s1-0-speech")) == ["speech", "buzz"]
    scores = rows.assign(probability_fake=0.2 + 0.6 * rows["label"])
    found = lesson_13.roc_by_method(scores)
    assert found.to_dict() == {"buzz": 1.0}
    figure = lesson_13.bars({"a": found, "b": found * 0.5}, "A title")
    assert [bar.get_width() for group in figure.axes[0].containers for bar in group] == [1.0, 0.5]
