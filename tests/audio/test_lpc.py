import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from torchfakes_utils.audio import lpc
from torchfakes_utils.audio.pitch import pitch

from helpers import voices


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 16))
def test_the_recursion_solves_what_a_library_solves(seed, order):
    frames = np.random.default_rng(seed).standard_normal((3, 200))
    correlation = np.stack([np.correlate(x, x, "full")[199 : 200 + order] for x in frames])
    a, error = lpc.levinson(correlation, order)
    for row, one, left in zip(correlation, a, error, strict=True):
        assert np.allclose(one[1:], solve_toeplitz(row[:-1], -row[1:]), atol=1e-8)
        assert left == pytest.approx(one @ row[: order + 1])
        assert 0 < left <= row[0], "prediction leaves no more than there was"


def test_a_known_filter_is_found_again():
    a = [1, -1.6, 0.81]
    noise = np.random.default_rng(0).standard_normal(16_000)
    found, _ = lpc.analysed(lfilter([1], a, noise).astype(np.float32), order=2)
    assert np.allclose(np.median(found, axis=0), a, atol=0.05)


def test_pulses_come_as_fast_as_they_should_and_with_power_one():
    source = lpc.excitation(np.full(100, 125.0), 16_000, np.random.default_rng(0))
    assert np.sum(source > 5) == pytest.approx(125, abs=1)
    assert np.mean(source**2) == pytest.approx(1, rel=0.1)
    hiss = lpc.excitation(np.zeros(100), 16_000, np.random.default_rng(0))
    assert np.abs(hiss).max() < 6 and np.mean(hiss**2) == pytest.approx(1, rel=0.05)


def test_a_voice_spoken_again_keeps_length_pitch_and_colour():
    samples = voices.spoken(1.5, 140)
    again = lpc.resynthesised(samples)
    assert len(again) == len(samples) and np.isfinite(again).all() and not np.allclose(again, samples, atol=0.05)
    before, after = (np.median(x.hertz[x.voiced]) for x in (pitch(samples), pitch(again)))
    assert after == pytest.approx(before, rel=0.05)
    spectra = [np.abs(np.fft.rfft(x * np.hanning(len(x))))[: 6000 * 3 // 2] for x in (samples, again)]
    bands = [np.log(x.reshape(-1, 300).mean(1) + 1e-6) for x in spectra]
    assert np.corrcoef(*bands)[0, 1] > 0.8


@pytest.mark.parametrize("count", [0, 1, 100, 480])
def test_short_and_silent_recordings_come_through(count):
    assert len(lpc.resynthesised(np.zeros(max(count, 1), np.float32))) == max(count, 1)
