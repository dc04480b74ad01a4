import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.audio.cues import cues, single_cues
from torchfakes_utils.audio.matching import (
    Scene,
    band_edge,
    coloured_like,
    in_scene,
    limited,
    long_term,
    loud_like,
    speech_level,
    within_band,
)

from helpers import voices


def decibels(samples):
    return 10 * np.log10(long_term(samples)[4:200] + 1e-12)


def test_colour_becomes_that_of_the_model_and_nothing_is_delayed():
    model = voices.spoken(2.0, 120)
    duller = np.convolve(model, [0.4, 0.3, 0.2, 0.1], mode="same").astype(np.float32)
    matched = coloured_like(duller, model)
    assert np.abs(decibels(matched) - decibels(model)).mean() < 0.5 * np.abs(decibels(duller) - decibels(model)).mean()
    lags = np.correlate(matched[8000:12000], duller[8000:12000], "full")
    assert abs(int(np.argmax(lags)) - 3999) <= 2


def test_a_band_is_taken_out_and_its_edge_found():
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    for high in (3000.0, 5000.0, 7000.0):
        assert band_edge(within_band(noise, high), 40) == pytest.approx(high, rel=0.1)
    assert abs(float(np.fft.rfft(within_band(noise, 5000))[40 * 2].real)) < 30, "below 90 Hz nothing is left"


def test_a_scene_gives_its_level_whatever_comes_in():
    scene = Scene.drawn(np.random.default_rng(5))
    for gain in (0.01, 1.0, 20.0):
        heard = in_scene(voices.spoken(2.0) * gain, scene, 7000)
        assert speech_level(heard) == pytest.approx(scene.level, abs=0.1)
        assert np.abs(heard).max() <= 1 and abs(heard.mean()) < 1e-6 and heard.dtype == np.float32


def test_scenes_differ_and_are_drawn_from_the_generator_alone():
    first, second = (Scene.drawn(np.random.default_rng(1)) for _ in range(2))
    assert first == second != Scene.drawn(np.random.default_rng(2))


def table(change):
    rows = []
    for at in range(40):
        real = in_scene(voices.spoken(1.0, 110, at), Scene.drawn(np.random.default_rng([1, at])), 7000)
        fake = in_scene(change(voices.spoken(1.0, 110, at)), Scene.drawn(np.random.default_rng([2, at])), 7000)
        rows += [{"clip_id": f"r{at}", "label": 0, "method": "speech", "original_id": "", **cues(real)},
                 {"clip_id": f"f{at}", "label": 1, "method": "m", "original_id": f"r{at}", **cues(fake)}]  # fmt: skip
    return pd.DataFrame(rows)


def test_cues_find_what_was_not_matched_and_nothing_where_all_was():
    same = single_cues(table(lambda x: x))
    assert same[["pooled", "pairs"]].to_numpy().max() < 0.8, "forty pairs stray by chance"
    assert np.abs(same["pooled"].mean() - 0.55) < 0.05
    duller = single_cues(table(lambda x: within_band(x, 1200.0))).set_index("cue")
    assert duller.loc["high", "pooled"] > 0.75 and duller.loc["high", "pairs"] > 0.8
    shorter = single_cues(table(lambda x: x[:12_000])).set_index("cue")
    assert shorter.loc["seconds", "pooled"] == 1.0 == shorter.loc["seconds", "pairs"]


def test_a_copy_swells_and_pauses_as_its_original_and_keeps_its_own_sound():
    real = voices.spoken(2.0)
    noise = np.random.default_rng(0).standard_normal(len(real))
    copy = (0.2 * np.roll(real, 200) + 0.02 * noise).astype(np.float32)
    mixed = loud_like(copy, real)

    def level(samples):
        return 10 * np.log10(np.convolve(samples.astype(float) ** 2, np.ones(512) / 512, mode="same") + 1e-9)

    loud, silent = level(real) > level(real).max() - 15, level(real) < level(real).max() - 40
    assert np.abs(level(mixed) - level(real))[loud].mean() < 1.5 < np.abs(level(copy) - level(real))[loud].mean()
    assert silent.sum() > 1000 and np.abs(mixed - real)[silent].mean() < 0.1 * np.abs(copy - real)[silent].mean()
    assert np.corrcoef(mixed[loud], copy[loud])[0, 1] > 0.7


def test_a_limiter_holds_its_crest_and_leaves_the_rest_alone():
    samples = voices.spoken(1.0)
    for crest in (6.0, 9.0):
        made = limited(samples, crest)
        found = 20 * np.log10(np.abs(made).max() / np.sqrt(np.mean(made**2)))
        assert found == pytest.approx(crest, abs=0.2)
        assert np.corrcoef(made, samples)[0, 1] > 0.75
    assert np.allclose(limited(samples, 60.0), samples, atol=0.01), "what is below it already stays"
