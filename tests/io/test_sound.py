import wave

import av
import numpy as np
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import sound
from torchfakes_utils.io.sound import SilentFileError, has_sound, read_sound, write_wav

from helpers import voices

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)).astype(np.float32)


def tone(rate, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def hertz(samples):
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / len(samples))


@pytest.mark.parametrize("rate", [8000, 11025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_one(tmp_path, rate):
    found = read_sound(voices.write(tmp_path / "tone.wav", tone(rate), rate))
    assert found.rate == rate and found.seconds == pytest.approx(1.0, abs=0.01)
    assert hertz(found.samples) == pytest.approx(440, abs=2) and found.samples.dtype == np.float32
    assert np.abs(found.samples[2000:-2000]).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6)])
def test_any_channels_become_one(tmp_path, layout, channels):
    found = read_sound(voices.write(tmp_path / "t.wav", np.tile(tone(16_000), (channels, 1)), 16_000, layout=layout))
    assert found.channels == channels and found.samples.shape == (16_000,)
    assert 0.2 < np.abs(found.samples).max() <= 1 and hertz(found.samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("t.flac", "flac"), ("t.mp3", "libmp3lame"), ("t.ogg", "libopus"), ("t.m4a", "aac"), ("t.wav", "pcm_f32le"),
     ("t.wav", "pcm_u8"), ("t.mkv", "libopus")],
)  # fmt: skip
def test_containers_and_codecs_of_people_are_read(tmp_path, name, codec):
    found = read_sound(voices.write(tmp_path / name, tone(48_000), 48_000, codec))
    assert found.seconds == pytest.approx(1.0, abs=0.1) and hertz(found.samples) == pytest.approx(440, abs=3)
    assert np.array_equal(found.samples, read_sound((tmp_path / name).read_bytes()).samples)


def film(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_film_without_sound_says_so(tmp_path):
    with pytest.raises(SilentFileError, match="no sound in it"):
        read_sound(film(tmp_path / "film.mp4"))
    assert not has_sound(tmp_path / "film.mp4") and not has_sound(tmp_path / "none.mp4")
    assert has_sound(voices.write(tmp_path / "t.wav", TONE))


def nan_wav(path, value):
    samples = TONE.copy()
    samples[5000:5010] = value
    return voices.write(path, samples, codec="pcm_f32le")


def bad(folder):
    """Files that nothing can be heard in, by what is said of them."""
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no sound\n" * 100)
    (folder / "zeros.wav").write_bytes(bytes(5000))
    with wave.open(str(folder / "header.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16_000)
    whole = voices.write(folder / "whole.m4a", TONE, codec="aac").read_bytes()
    (folder / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    nan_wav(folder / "nan.wav", np.nan), nan_wav(folder / "inf.wav", np.inf)
    return {
        "none.wav": "no such file", "empty.wav": "empty", "text.wav": "no sound that can be read",
        "zeros.wav": "no sound that can be read", "header.wav": "cannot be", "cut.m4a": "no sound that can be read",
        "list.m3u8": "no sound that can be read", "nan.wav": "no numbers", "inf.wav": "no numbers",
    }  # fmt: skip


def test_what_cannot_be_heard_is_one_line(tmp_path):
    for name, said in bad(tmp_path).items():
        with pytest.raises(InputError, match=said) as caught:
            read_sound(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_what_ends_early_gives_what_there_is(tmp_path):
    whole = voices.write(tmp_path / "w.mp3", TONE, codec="libmp3lame").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    assert 0.7 < read_sound(tmp_path / "cut.mp3").seconds < 1.3


def test_of_what_is_too_long_the_beginning_is_heard_and_said(tmp_path):
    found = read_sound(voices.write(tmp_path / "t.wav", TONE), most_seconds=0.5)
    assert found.seconds == 0.5 and "longer than 0 s" not in found.notes[0] and "the first" in found.notes[0]


def test_a_wav_of_ours_comes_back(tmp_path):
    loud = np.concatenate([TONE, np.array([3.0, -3.0], np.float32)])
    write_wav(tmp_path / "t.wav", loud)
    back = read_sound(tmp_path / "t.wav").samples
    assert np.allclose(back[: len(TONE)], TONE, atol=1e-4) and np.abs(back).max() <= 1
    assert sound.RATE == 16_000
