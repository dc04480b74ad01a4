"""The app's verdict on a voice stands below that on the faces, with its own scope, and mixes with nothing."""

from types import SimpleNamespace

import pytest
import torch

from torchfakes_utils.app import views
from torchfakes_utils.app.answers import Answers
from torchfakes_utils.audio.decision import VoiceDecision
from torchfakes_utils.audio.detector import VoiceConfig, VoiceDetector
from torchfakes_utils.audio.judging import VoiceJudge, VoiceVerdict
from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.scope import Scope

from helpers import voices


@pytest.fixture
def judge():
    detector = VoiceDetector(VoiceConfig("lfcc", "logistic", 1.0)).eval()
    torch.nn.init.constant_(detector.network.line.bias, 4.0)
    detector.decision = VoiceDecision(band=Band((0.8,), 0.2), scope=Scope("a test", ("LPC",)))
    return VoiceJudge(detector)


def answers(judge):
    def refuse(path, frames):
        raise InputError(f"{path}: no picture in it")

    return Answers(SimpleNamespace(examine=refuse), None, voice=judge)


def test_a_recording_without_pictures_gets_both_answers(judge, tmp_path):
    path = voices.write(tmp_path / "upload.wav", voices.spoken(1.5))
    html, crops = answers(judge).show_file(path, "mine.wav")
    assert "No picture in it" in html and "The voice: fake" in html and html.index("picture") < html.index("The voice")
    assert "Trained on a test" in html and not crops and str(tmp_path) not in html


def test_without_a_listener_nothing_is_said_of_voices(tmp_path):
    path = voices.write(tmp_path / "upload.wav", voices.spoken(1.5))
    assert "voice" not in answers(None).show_file(path, "mine.wav")[0]


def test_what_a_strangers_file_says_is_text():
    heard = VoiceVerdict("a.wav", "cannot tell", None, "<script>alert(1)</script>", notes=("<b>loud</b>",))
    html = views.voice(heard)
    assert "<script>" not in html and "<b>" not in html and "The voice: cannot tell" in html
