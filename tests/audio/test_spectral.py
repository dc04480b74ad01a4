import itertools

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.audio import spectral

from helpers import voices


def noise(count=4000, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((2, count)).astype(np.float32))


@pytest.mark.parametrize(("size", "hop"), [(512, 160), (256, 64), (1024, 256)])
def test_the_transform_is_that_of_a_library(size, hop):
    ours = spectral.stft(noise(), size, hop)
    theirs = torch.stft(noise(), size, hop, window=torch.hann_window(size), center=True, return_complex=True)
    assert torch.allclose(ours, theirs, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(600, 5000), st.sampled_from([(512, 128), (256, 64), (512, 160)]), st.integers(0, 99))
def test_there_and_back_is_the_same_signal(count, shape, seed):
    size, hop = shape
    signal = noise(count, seed)
    back = spectral.istft(spectral.stft(signal, size, hop), count, hop)
    covered = (count // hop) * hop  # a frame is centred there; beyond it the windows run out
    assert torch.allclose(back[:, :covered], signal[:, :covered], atol=1e-3)


def test_griffin_lim_of_1984_never_gets_worse():
    signal = torch.from_numpy(voices.spoken(0.5))[None]
    magnitude = spectral.stft(signal, 512, 128).abs()
    errors = []
    for rounds in (1, 2, 4, 8, 16):
        made = spectral.griffin_lim(magnitude, signal.shape[1], 128, rounds, momentum=0.0)
        errors.append(float((spectral.stft(made, 512, 128).abs() - magnitude).norm() / magnitude.norm()))
    assert all(after <= before + 1e-4 for before, after in itertools.pairwise(errors)), errors
    assert errors[-1] < 0.6 * errors[0]
    faster = spectral.griffin_lim(magnitude, signal.shape[1], 128, 16)
    assert float((spectral.stft(faster, 512, 128).abs() - magnitude).norm() / magnitude.norm()) < errors[-1]


def test_griffin_lim_draws_from_its_seed_alone():
    magnitude = spectral.stft(noise(2000), 256, 64).abs()
    torch.manual_seed(1)
    first = spectral.griffin_lim(magnitude, 2000, 64, 2, seed=3)
    torch.manual_seed(2)
    assert torch.equal(first, spectral.griffin_lim(magnitude, 2000, 64, 2, seed=3))
    assert not torch.equal(first, spectral.griffin_lim(magnitude, 2000, 64, 2, seed=4))


@pytest.mark.parametrize(("hertz", "mel"), [(0, 0), (1000, 999.986), (4000, 2146.07), (8000, 2840.02)])
def test_the_mel_scale_has_its_known_values(hertz, mel):
    assert spectral.mel_of(hertz) == pytest.approx(mel, abs=0.02)
    assert float(spectral.hertz_of(torch.tensor(float(mel)))) == pytest.approx(hertz, abs=0.2)


@pytest.mark.parametrize("scale", ["mel", "linear"])
def test_neighbouring_filters_sum_to_one_between_their_peaks(scale):
    bank = spectral.filter_bank(20, 1024, scale=scale)
    peaks = bank.argmax(1)
    between = bank[:, peaks[0] + 1 : peaks[-1]].sum(0)
    assert torch.allclose(between, torch.ones_like(between), atol=1e-4)
    assert (peaks.diff() > 0).all() and (bank >= 0).all()
    gaps = peaks.diff().float()
    assert (gaps[-1] > 2 * gaps[0]) if scale == "mel" else (gaps.max() - gaps.min() <= 1)


def test_a_tone_is_in_its_own_band():
    time = torch.arange(16_000) / 16_000
    for hertz in (300.0, 1000.0, 5000.0):
        bands = spectral.log_mel(torch.sin(2 * torch.pi * hertz * time)[None])[0].mean(1)
        bank = spectral.filter_bank(spectral.MELS)
        wanted = int(bank[:, round(hertz * spectral.POINTS / 16_000)].argmax())
        assert abs(int(bands.argmax()) - wanted) <= 1


def test_the_cosines_are_those_of_a_library():
    values = np.random.default_rng(0).standard_normal((20, 7)).astype(np.float32)
    ours = spectral.cosines(13, 20).numpy() @ values
    assert np.allclose(ours, scipy.fft.dct(values, axis=0, norm="ortho")[:13], atol=1e-5)


def test_differences_of_a_ramp_are_its_slope():
    ramp = (3.0 * torch.arange(12.0) - 5)[None, None]
    assert torch.allclose(spectral.differences(ramp)[..., 2:-2], torch.full((1, 1, 8), 3.0))


def test_front_ends_have_their_shapes_and_stay_finite_in_silence():
    silence = torch.zeros(1, 8000)
    assert spectral.lfcc(silence).shape == (1, 60, 51) and spectral.log_mel(silence).shape == (1, 32, 126)
    assert torch.isfinite(spectral.lfcc(silence)).all() and torch.isfinite(spectral.log_mel(silence)).all()


def test_magnitudes_that_are_spread_out_fill_the_mel_bands_again():
    signal = torch.from_numpy(voices.spoken(0.5))[None]
    power = spectral.stft(signal, 512, 128).abs() ** 2
    bank = spectral.filter_bank(80, 512)
    magnitude = spectral.magnitude_of_mel(bank @ power, 512)
    assert (magnitude >= 0).all()
    assert float((bank @ magnitude**2 - bank @ power).norm() / (bank @ power).norm()) < 0.05
    assert float((magnitude**2 - power).norm() / power.norm()) > 0.05, "what mel has summed is lost"
