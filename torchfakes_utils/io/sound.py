"""Any file with sound in it, as samples of one rate: opened as a stranger's file has to be, through FFmpeg (PyAV)."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from torchfakes_utils.errors import DamagedError, InputError
from torchfakes_utils.io import declared
from torchfakes_utils.io.decoding import CONTAINERS, HOW, Source, name_of
from torchfakes_utils.io.limits import MOST_STREAMS

# Samples a second that everything is brought to: voices have little above 8 kHz, and data sets of the field have 16.
RATE = 16_000

# An hour is 230 MB of samples; of what is longer, the first hour is read.
MOST_SECONDS = 3600.0

# Beside the containers of films those of sound. Playlists are none of them: they name further files.
_SOUND = "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,amr,amrnb,amrwb,g722,nistsphere"
_OPTIONS = {
    "format_whitelist": f"{CONTAINERS},{_SOUND}",
    "protocol_whitelist": "file",
    "max_streams": str(MOST_STREAMS),
}


class SilentFileError(InputError):
    """A file without a track of sound."""


@dataclass(frozen=True)
class Sound:
    """What is heard in a file.

    Attributes:
        samples: (N,) float32 at `RATE`, all channels averaged; of full scale 1.
        rate, channels: those of the file.
        notes: what has to be known of it, a line each.
    """

    samples: np.ndarray
    rate: int
    channels: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / RATE


def read_sound(source: Source, most_seconds: float = MOST_SECONDS) -> Sound:
    """Decode the sound of a file: of its first track of sound, mixed to one channel, at `RATE`.

    Args:
        source: a recording, a film, or what is in one.
        most_seconds: of what is longer, so much is read, and a note says it.

    Raises:
        SilentFileError: it has no track of sound.
        InputError: it cannot be read, or its samples are no numbers; in one line.
    """
    name = name_of(source)
    with _opened(source, name) as container:
        stream = _track(container, name)
        rate, channels = stream.rate or RATE, stream.channels or 1
        samples, notes = _decoded(container, stream, name, int(most_seconds * RATE))
    if not np.isfinite(samples).all():
        raise InputError(f"{name}: holds samples that are no numbers (NaN or infinite); export it again")
    peak = float(np.abs(samples).max())
    # Six channels add up to more than full scale, and samples of floating point may be anything.
    return Sound(samples / max(peak, 1.0), rate, channels, tuple(notes))


def has_sound(source: Source) -> bool:
    """Whether a file has a track of sound; False also where it cannot be opened."""
    try:
        with _opened(source, name_of(source)) as container:
            return bool(container.streams.audio)
    except InputError:
        return False


@contextlib.contextmanager
def _opened(source: Source, name: str) -> Iterator["av.container.InputContainer"]:
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise InputError(f"{name}: no such file")
    if (len(source) if isinstance(source, bytes) else Path(source).stat().st_size) == 0:
        raise DamagedError(f"{name}: this file is empty; download or copy it again")
    target = io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    av.logging.set_level(None)  # as in `io.decoding`
    try:
        if why := declared.too_much(source):
            raise InputError(f"{name}: {why}")
        container = av.open(target, mode="r", options=_OPTIONS, **HOW)
    except MemoryError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        why = f"no sound that can be read ({getattr(error, 'strerror', None) or error})"
        raise DamagedError(f"{name}: {why}; is it truncated, or another kind of file?") from error
    with contextlib.closing(container):
        yield container


def _track(container: av.container.InputContainer, name: str) -> av.AudioStream:
    if not container.streams.audio:
        raise SilentFileError(f"{name}: no sound in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None or not stream.rate:
        raise InputError(f"{name}: nothing here decodes this kind of sound; convert it to WAV")
    return stream


def _decoded(
    container: av.container.InputContainer, stream: av.AudioStream, name: str, most: int
) -> tuple[np.ndarray, list[str]]:
    """All samples, and what has to be known of them."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts: list[np.ndarray] = []
    count, lost, notes = 0, 0, []
    for frame in _frames(container, stream):
        if frame is None:
            lost += 1
            continue
        part = _resampled(resampler, frame, name)
        parts.append(part)
        count += len(part)
        if count >= most:
            notes.append(f"longer than {most / RATE:,g} s; the first {most / RATE:,g} s were heard")
            break
    else:
        parts.append(_resampled(resampler, None, name) if parts else np.zeros(0, np.float32))
    samples = np.concatenate(parts)[:most] if parts else np.zeros(0, np.float32)
    if not len(samples):
        raise DamagedError(f"{name}: its sound cannot be decoded; it may be truncated: download or copy it again")
    if lost:
        notes.append(f"{lost} damaged packets of sound were left out")
    return samples, notes


def _frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator["av.AudioFrame | None"]:
    """Frames in order; None for a packet that does not decode."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the file ends within a packet
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError:
            yield None


def _resampled(resampler: av.AudioResampler, frame: "av.AudioFrame | None", name: str) -> np.ndarray:
    try:
        made = resampler.resample(frame)
    except (av.FFmpegError, ValueError) as error:  # the rate or the channels change on the way
        raise InputError(f"{name}: its sound changes its form on the way; convert it to WAV") from error
    parts = [one.to_ndarray().reshape(-1) for one in made]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    """Write (N,) samples of full scale 1 as a WAV file of 16 bits, one channel; what is louder is cut off."""
    import wave

    content = (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(content)
