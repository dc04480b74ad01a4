"""Practice voices from stand-in recordings: what is made of what, and that it can be made again to the same bits."""

import json

import numpy as np
import pytest
import torch

from torchfakes_utils.audio import neural_vocoder, vocoders
from torchfakes_utils.audio import voices as making
from torchfakes_utils.audio.config import OwnVoices, VoicesConfig
from torchfakes_utils.audio.neural_voice import phonemes
from torchfakes_utils.audio.pitch import pitch
from torchfakes_utils.audio.sources import Recording
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.sound import read_sound

from helpers import voices

QUICK = VoicesConfig(seconds=1.0, takes=1, vocoder_steps=2, voice=False)


@pytest.fixture
def recordings(monkeypatch):
    narrow = np.concatenate([voices.spoken(1.2, 180, 2), np.zeros(32_000, np.float32)])
    found = [Recording("one", "reader", voices.spoken(2.4, 110, 1), 16_000), Recording("two", "awb", narrow, 8000)]
    monkeypatch.setattr(making, "recordings", lambda held, own: found)
    return found


@pytest.mark.slow
def test_every_piece_is_spoken_again_by_every_vocoder(recordings, tmp_path):
    table = making.build_voices(tmp_path / "voices", QUICK)
    rows = making.read_recordings(table)
    assert rows["method"].value_counts().to_dict() == dict.fromkeys(
        ["speech", "Griffin-Lim", "mel inversion", "LPC", "neural vocoder"], 3
    )
    assert rows["label"].eq(rows["method"] != "speech").all()
    assert rows.groupby("target_id")["split"].unique().map(list).to_dict() == {"awb": ["val"], "reader": ["train"]}
    real = rows[rows["label"] == 0].set_index("clip_id")
    assert set(rows.loc[rows["label"] == 1, "original_id"]) == set(real.index)
    for row in rows[rows["label"] == 1].itertuples():
        one, other = (read_sound(path).samples for path in (row.file, real.loc[row.original_id, "file"]))
        assert len(one) == len(other) and not np.allclose(one, other, atol=0.01)
        high = np.abs(np.fft.rfft(one))[int(len(one) * 3800 / 16_000) :] if row.target_id == "awb" else np.zeros(1)
        assert high.max() < 0.05 * np.abs(np.fft.rfft(one)).max(), "no copy has a band that its original lacks"
    stamp = json.loads((tmp_path / "voices/torchfakes.json").read_text())
    assert stamp["made_by"] == "torchfakes voices" and stamp["vocoder_steps"] == 2
    again = making.build_voices(tmp_path / "again", QUICK)
    for row in making.read_recordings(again).itertuples():
        assert (tmp_path / "voices" / row.path).read_bytes() == (tmp_path / "again" / row.path).read_bytes()


def test_what_is_there_with_these_settings_is_not_made_again(recordings, tmp_path, monkeypatch):
    config = VoicesConfig(seconds=1.0, takes=1, vocoder_steps=0, voice=False)
    table = making.build_voices(tmp_path / "voices", config)
    monkeypatch.setattr(making, "recordings", lambda held, own: pytest.fail("made again"))
    assert making.build_voices(tmp_path / "voices", config) == table
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="choose another folder"):
        making.build_voices(tmp_path / "other", config)


def test_people_of_ones_own_are_for_testing(recordings, tmp_path):
    path = voices.write(tmp_path / "me/hello.wav", voices.spoken(1.2, 150))
    recordings.append(Recording("hello", "own-me", voices.spoken(1.2, 150), 16_000))
    config = VoicesConfig(seconds=1.0, takes=1, vocoder_steps=0, voice=False)
    rows = making.read_recordings(making.build_voices(tmp_path / "voices", config, OwnVoices((path,))))
    assert set(rows.loc[rows["target_id"] == "own-me", "split"]) == {"test"}
    assert list(json.loads((tmp_path / "voices/torchfakes.json").read_text())["own"]) == ["hello.wav"]


def test_pauses_and_ends_are_left_out():
    samples = np.concatenate([voices.spoken(2.0), np.zeros(32_000, np.float32), voices.spoken(1.3, seed=3)])
    assert making.pieces(samples, 2.0) == [(0, 32_000), (64_000, 84_800)]
    assert making.pieces(samples[:8000], 2.0) == []


@pytest.mark.parametrize("name", ["Griffin-Lim", "mel inversion", "LPC"])
def test_a_vocoder_keeps_length_and_melody_and_not_the_waveform(name):
    samples = voices.spoken(1.0, 130)
    made = vocoders.vocoders()[name](samples, 0)
    assert made.shape == samples.shape and np.isfinite(made).all()
    assert np.corrcoef(made, samples)[0, 1] < 0.95
    before, after = (np.median(one.hertz[one.voiced]) for one in (pitch(samples), pitch(made)))
    assert after == pytest.approx(before, rel=0.06)


@pytest.mark.slow
def test_the_neural_vocoder_learns_and_follows_from_its_seed():
    speech = [voices.spoken(1.5, 100, 1), voices.spoken(1.5, 170, 2)]
    config = neural_vocoder.VocoderTraining(steps=40, batch=4, samples=4000, width=32)
    network, losses = neural_vocoder.train(speech, config)
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    again, _ = neural_vocoder.train(speech, config)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    made = neural_vocoder.resynthesised(network, speech[0])
    assert made.shape == speech[0].shape and np.isfinite(made).all()


WORDS = {"the": ("DH", "AH"), "harbour": ("HH", "AA", "R", "B", "ER"), "city": ("S", "IH", "T", "IY"),
         "above": ("AH", "B", "AH", "V"), "sun": ("S", "AH", "N")}  # fmt: skip


def test_words_become_the_sounds_of_the_voice():
    assert phonemes("the harbour", WORDS) == "ðə hˈɑːɹbɚ."
    assert phonemes("the city, above!", WORDS) == "ðə sˈɪti, ˈʌbəv!"
    assert phonemes("sun", WORDS) == "sˈʌn."
    with pytest.raises(InputError, match="'moon': not in the pronouncing dictionary"):
        phonemes("the moon", WORDS)
