"""What lines and files do to a voice: telephone and internet codecs, by FFmpeg (PyAV), there and back."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import av
import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.sound import RATE, read_sound


@dataclass(frozen=True)
class Channel:
    """A codec.

    Attributes:
        codec, container: FFmpeg's names.
        rate: Hz, at which it works.
        bits: a second; 0 for the codec's only rate.
        about: for people.
    """

    codec: str
    container: str
    rate: int
    bits: int
    about: str


CHANNELS: Mapping[str, Channel] = {
    "amr-nb": Channel("libopencore_amrnb", "amr", 8000, 12_200, "mobile telephony, 8 kHz, 12.2 kbit/s"),
    "opus": Channel("libopus", "ogg", 48_000, 16_000, "calls over the internet, 16 kbit/s"),
    "g722": Channel("g722", "wav", 16_000, 0, "telephony in wide band, 64 kbit/s"),
    "mp3": Channel("libmp3lame", "mp3", 16_000, 32_000, "files, 32 kbit/s"),
}


def channel(name: str) -> Channel:
    """One of `CHANNELS`.

    Raises:
        InputError: there is none of that name, or this FFmpeg cannot encode it.
    """
    if name not in CHANNELS:
        raise InputError(f"no channel {name!r}; choose one of {', '.join(CHANNELS)}")
    found = CHANNELS[name]
    if found.codec not in av.codecs_available:
        raise InputError(f"{name}: this PyAV cannot encode it ({found.codec} is missing); leave it out")
    return found


def sent(samples: np.ndarray, name: str) -> np.ndarray:
    """(N,) float32 samples at 16 kHz as they arrive: encoded, decoded, and as long as before.

    Codecs delay what they carry by some milliseconds; the delay is kept.

    Raises:
        InputError: as `channel`.
    """
    if name == "none":
        return samples
    arrived = read_sound(_encoded(samples, channel(name))).samples
    return np.pad(arrived, (0, max(0, len(samples) - len(arrived))))[: len(samples)]


def _encoded(samples: np.ndarray, found: Channel) -> bytes:
    buffer = io.BytesIO()
    values = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[None]
    with av.open(buffer, "w", format=found.container) as container:
        stream = cast("av.AudioStream", container.add_stream(found.codec, rate=found.rate, layout="mono"))
        if found.bits:
            stream.bit_rate = found.bits
        frame = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
        frame.sample_rate = RATE
        context = stream.codec_context
        resampler = av.AudioResampler(context.format, "mono", found.rate, frame_size=context.frame_size or None)
        for part in (frame, None):
            for one in resampler.resample(part):
                container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return buffer.getvalue()
