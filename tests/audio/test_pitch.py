import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.audio.pitch import no_speech, pitch

from helpers import voices


@settings(max_examples=15, deadline=None)
@given(st.floats(70, 300), st.integers(0, 99))
def test_the_rate_of_pulses_is_found(hertz, seed):
    found = pitch(voices.spoken(1.0, hertz, seed))
    assert found.voiced.mean() > 0.2
    assert np.median(found.hertz[found.voiced]) == pytest.approx(hertz, rel=0.12)


def test_noise_does_not_swing():
    assert pitch(np.random.default_rng(0).standard_normal(16_000).astype(np.float32)).voiced.mean() < 0.05


TIME = np.arange(32_000) / 16_000


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(16_000), "every sample is 0"),
        (np.zeros(0), "every sample is 0"),
        (1e-5 * np.random.default_rng(0).standard_normal(16_000), "as good as silence"),
        (0.1 * np.random.default_rng(0).standard_normal(32_000), "no speech found: 0.0 s"),
        (0.3 * np.sin(2 * np.pi * 200 * TIME), "hardly changes"),
        (voices.spoken(0.3), "of it swing as a voice does"),
    ],
)
def test_what_is_no_speech_is_called_so_and_why(samples, said):
    assert said in no_speech(np.asarray(samples, np.float32))


@pytest.mark.parametrize("hertz", [90, 130, 220, 330])
@pytest.mark.parametrize("level", [1.0, 0.02])
def test_a_voice_is_one_loud_or_soft(hertz, level):
    noise = 0.005 * np.random.default_rng(1).standard_normal(32_000)
    assert no_speech(((voices.spoken(2.0, hertz) + noise) * level).astype(np.float32)) == ""
