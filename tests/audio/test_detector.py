import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.audio.decision import VoiceDecision, decide
from torchfakes_utils.audio.detector import VoiceConfig, VoiceDetector, load_voice_detector, save, windows_of
from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.scope import Scope

from helpers import voices


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    detector = VoiceDetector(VoiceConfig("lfcc", "cnn", 1.0))
    torch.nn.init.normal_(detector.network.head.weight)
    detector.decision = VoiceDecision(0.4, 1.5, Band((0.8,), 0.1), ("a note",), scope=Scope("data", ("LPC",), ("",)))
    save(detector.eval(), tmp_path / "best", {"epoch": 3})
    return tmp_path


def test_what_is_loaded_is_what_was_saved(folder):
    first, second = load_voice_detector(folder), load_voice_detector(folder / "best")
    samples = voices.spoken(2.5)
    assert np.array_equal(first.logits(samples), second.logits(samples)) and first.logits(samples).std() > 0
    assert first.decision == VoiceDecision(
        0.4, 1.5, Band((0.8,), 0.1), ("a note",), scope=Scope("data", ("LPC",), ("",))
    )
    assert first.extra == {"epoch": 3} and len(first.sha256) == 64 and not first.training


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(kind="face"), "not a detector of voices"),
        (lambda d: d.pop("kind"), "not a detector of voices"),
        (lambda d: d.update(format=99), "another torchfakes made it"),
        (lambda d: d.update(sha256="0" * 64), "damaged or changed"),
        (lambda d: d["config"].update(network="rawnet2"), "not a whole voice detector"),
        (lambda d: d["config"].update(seconds="long"), "not a whole voice detector"),
        (lambda d: d["config"].update(front_end="log-mel"), "not a whole voice detector"),
        (lambda d: d["decision"].update(temperature=-1), "not a whole voice detector"),
        (lambda d: d["decision"].update(band={"fake_from": [2]}), "not a whole voice detector"),
        (lambda d: d.pop("decision"), "not a whole voice detector"),
    ],
)
def test_a_changed_description_is_one_line(folder, change, said):
    path = folder / "best" / "detector.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    with pytest.raises(InputError, match=said) as caught:
        load_voice_detector(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "detector.json"])
@pytest.mark.parametrize("content", [b"", b"no", None])
def test_damaged_files_are_one_line(folder, name, content):
    path = folder / "best" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_voice_detector(folder)
    assert "\n" not in str(caught.value)


@given(st.integers(1, 5000), st.integers(1, 900))
def test_windows_hold_every_sample_and_are_all_of_one_length(count, size):
    samples = np.arange(count, dtype=np.float32)
    windows = windows_of(samples, size)
    assert windows.shape == (max(1, -(-count // size)), size)
    assert set(windows.ravel()) == set(samples[: max(count, size)])
    if count < size:
        assert np.array_equal(windows[0], np.resize(samples, size))
    else:
        assert windows[-1][-1] == count - 1


def test_a_score_becomes_a_verdict_within_its_band_only():
    decision = VoiceDecision(band=Band((0.8,), 0.1))
    assert [decision.verdict(score)[0] for score in (0.9, 0.8, 0.5, 0.1)] == ["fake", "fake", "cannot tell", "real"]
    practice = VoiceDecision(band=Band((0.8,), 0.1), scope=Scope("practice", practice=True))
    assert practice.verdict(0.99)[0] == "cannot tell" and "practice detector" in practice.verdict(0.99)[1]
    assert VoiceDecision().verdict(0.99)[0] == "cannot tell"
    assert "nothing of pictures" in practice.scope_line


def test_the_decision_is_fixed_on_speakers_that_tell_and_says_when_they_do_not():
    import pandas as pd

    generator = np.random.default_rng(0)
    rows = pd.DataFrame({
        "method": "m", "compression": "", "clip_id": [str(i) for i in range(200)], "source_id": "",
        "label": np.arange(200) % 2, "target_id": [f"s{i // 10}" for i in range(200)],
    })  # fmt: skip
    good = decide(rows.assign(logit=6 * rows["label"] - 3 + generator.standard_normal(200)), 0.05, 0.05, Scope())
    assert good.band.fake_from and good.band.real_to is not None and good.caution == ""
    coin = decide(rows.assign(logit=generator.standard_normal(200)), 0.05, 0.05, Scope())
    assert "not known to do better than a coin" in coin.caution
    one = decide(rows.assign(logit=rows["label"] * 2.0, target_id="s"), 0.05, 0.05, Scope())
    assert not one.band.fake_from and "speakers" in one.silence and "too few speakers" in one.caution
