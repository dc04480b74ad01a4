import numpy as np
import pytest

from torchfakes_utils.audio.channels import CHANNELS, channel, sent
from torchfakes_utils.errors import InputError

from helpers import voices


@pytest.mark.parametrize("name", CHANNELS)
def test_a_voice_arrives_as_itself_with_less_in_it(name):
    samples = voices.spoken(1.0)
    arrived = sent(samples, name)
    assert arrived.shape == samples.shape and np.isfinite(arrived).all()
    alike = np.correlate(arrived, samples, "full") / np.sqrt((arrived**2).sum() * (samples**2).sum())
    assert alike.max() > 0.7 and 0 <= int(alike.argmax()) - (len(samples) - 1) < 0.08 * 16_000, "late, never early"
    assert not np.array_equal(arrived, samples)


def test_telephony_takes_away_what_lies_above_four_kilohertz():
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    power = np.abs(np.fft.rfft(sent(noise, "amr-nb"))) ** 2
    assert power[4200:].sum() < 0.01 * power.sum()
    assert np.array_equal(sent(noise, "none"), noise)


def test_an_unknown_channel_names_those_that_are_known():
    with pytest.raises(InputError, match="no channel 'fax'; choose one of amr-nb, opus, g722, mp3"):
        channel("fax")
