import math

import numpy as np
import pytest
import torch

from torchfakes_utils.audio import networks
from torchfakes_utils.audio.config import AudioTrainingConfig
from torchfakes_utils.audio.detector import VoiceConfig, VoiceDetector
from torchfakes_utils.errors import InputError

KINDS = [
    ("lfcc", "logistic"), ("log-mel", "logistic"), ("lfcc", "cnn"), ("log-mel", "cnn"), ("log-mel-long", "cnn"),
    ("waveform", "rawnet2"),
]  # fmt: skip


@pytest.mark.parametrize(("front_end", "network"), KINDS)
def test_the_loss_before_training_is_that_of_a_coin_and_every_weight_learns(front_end, network):
    torch.manual_seed(0)
    detector = VoiceDetector(VoiceConfig(front_end, network, 1.0)).train()
    windows = torch.randn(4, 16_000)
    logits = detector(windows)
    assert logits.shape == (4,)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1, 0, 1]))
    assert float(loss) == pytest.approx(math.log(2), abs=1e-6)
    with torch.no_grad():  # a head of zeros lets nothing through to what lies before it
        head = detector.network.line if network == "logistic" else detector.network.head
        head.weight.normal_()
    torch.nn.functional.binary_cross_entropy_with_logits(detector(windows), torch.tensor([0.0, 1, 0, 1])).backward()
    still = [name for name, one in detector.named_parameters() if one.grad is None or not one.grad.any()]
    assert not still


@pytest.mark.parametrize(("front_end", "network"), KINDS)
def test_loudness_is_no_evidence(front_end, network):
    torch.manual_seed(0)
    detector = VoiceDetector(VoiceConfig(front_end, network, 1.0)).eval()
    with torch.no_grad():
        for one in detector.parameters():
            one.normal_(0, 0.1)
    windows = torch.randn(3, 16_000)
    assert torch.allclose(detector(windows), detector(20 * windows), atol=1e-3)


def test_sinc_filters_let_their_band_through_and_no_other():
    filters = networks.SincFilters(20).filters[:, 0].numpy()
    response = np.abs(np.fft.rfft(filters, 4096, axis=1))
    centres = response.argmax(1)
    assert (np.diff(centres) > 0).all()
    for row, centre in zip(response[8:], centres[8:], strict=True):  # 129 taps cannot part the lowest bands
        far = np.abs(np.arange(2049) - centre) > 400
        assert row[far].max() < 0.02 * row.max()
    n = np.arange(129) - 64
    edges = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + f / 700) for f in (30, 8000)), 21) / 2595) - 1) / 16_000
    fifth = 2 * edges[6] * np.sinc(2 * edges[6] * n) - 2 * edges[5] * np.sinc(2 * edges[5] * n)
    assert np.allclose(filters[5], fifth * np.hamming(129), atol=1e-6)


def test_feature_maps_are_scaled_as_the_paper_says():
    scaling = networks.FeatureMapScaling(3)
    x = torch.randn(2, 3, 10)
    s = torch.sigmoid(scaling.weigh(x.mean(2)))[:, :, None]
    assert torch.allclose(scaling(x), x * s + s)


def test_a_network_gets_the_front_end_that_it_takes():
    with pytest.raises(InputError, match="rawnet2 takes --front-end waveform"):
        AudioTrainingConfig(front_end="lfcc", network="rawnet2")
    with pytest.raises(InputError, match="no front end 'mfcc'; choose one of lfcc, log-mel, log-mel-long, waveform"):
        AudioTrainingConfig(front_end="mfcc")
    with pytest.raises(InputError, match="epochs is 0; 1 to 10000 are possible"):
        AudioTrainingConfig(epochs=0)
