import json
import math

import numpy as np
import pytest
import torch

from torchfakes_utils.audio.decision import VoiceDecision
from torchfakes_utils.audio.detector import VoiceConfig, VoiceDetector
from torchfakes_utils.audio.judging import VoiceJudge
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.scope import Scope

from helpers import voices


class Fixed(VoiceDetector):
    """Says the same of every window."""

    def __init__(self, logit: float):
        super().__init__(VoiceConfig("lfcc", "logistic", 1.0))
        self.logit = logit
        self.decision = VoiceDecision(band=Band((0.8,), 0.2), scope=Scope("a test", ("LPC",)))

    def forward(self, windows):
        return torch.full((len(windows),), self.logit)


@pytest.mark.parametrize(("logit", "verdict"), [(3.0, "fake"), (0.0, "cannot tell"), (-3.0, "real")])
def test_a_voice_gets_its_verdict(tmp_path, logit, verdict):
    path = voices.write(tmp_path / "voice.wav", voices.spoken(2.5))
    found = VoiceJudge(Fixed(logit)).judge(path)
    assert found.verdict == verdict and found.probability_fake == pytest.approx(1 / (1 + math.exp(-logit)))
    assert found.seconds == 2.5 and [one.start for one in found.windows] == [0, 1, 1.5]
    assert found.limits == (0.2, 0.8) and "trained on a test" in found.scope and "nothing of pictures" in found.scope
    assert json.loads(json.dumps(found.to_json()))["verdict"] == verdict


def test_what_cannot_be_judged_says_why_in_one_line(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    cases = {
        voices.write(tmp_path / "silence.wav", np.zeros(16_000)): "every sample is 0",
        voices.write(tmp_path / "noise.wav", noise): "no speech found",
        voices.write(tmp_path / "short.wav", voices.spoken(0.1)): "too short (0.1 s; 0.5 s or more wanted)",
        tmp_path / "text.wav": "no sound that can be read",
        tmp_path / "empty.wav": "this file is empty",
        tmp_path / "none.wav": "no such file",
    }
    judge = VoiceJudge(Fixed(3.0))
    for path, said in cases.items():
        found = judge.judge(path)
        assert found.verdict == "cannot tell" and found.probability_fake is None and not found.windows
        assert said in found.reason and "\n" not in found.reason and str(tmp_path) not in found.reason
        assert found.scope, "what it is about is said in any case"


def test_clipped_stereo_and_narrow_recordings_are_judged_and_noted(tmp_path):
    judge = VoiceJudge(Fixed(3.0))
    loud = np.clip(6 * voices.spoken(2.0), -1, 1)
    found = judge.judge(voices.write(tmp_path / "clipped.wav", np.stack([loud, loud]), layout="stereo"))
    assert found.verdict == "fake" and "clipped" in found.notes[0]
    narrow = judge.judge(voices.write(tmp_path / "narrow.wav", voices.spoken(2.0)[::2], 8000))
    assert narrow.verdict == "fake" and "recorded at 8000 Hz" in narrow.notes[0]


def test_of_hours_the_beginning_is_heard(tmp_path):
    judge = VoiceJudge(Fixed(3.0), most_seconds=2.0)
    found = judge.judge(voices.write(tmp_path / "long.wav", voices.spoken(5.0)))
    assert found.seconds == 2.0 and "the first 2 s were heard" in found.notes[0]


def test_pauses_do_not_count(tmp_path):
    class Loud(Fixed):
        def forward(self, windows):
            return torch.where(windows.abs().amax(1) > 0.01, 3.0, -9.0)

    samples = np.concatenate([voices.spoken(2.0), 1e-5 * np.ones(16_000 * 4)]).astype(np.float32)
    found = VoiceJudge(Loud(0.0)).judge(voices.write(tmp_path / "pause.wav", samples))
    assert found.verdict == "fake" and len(found.windows) == 2
