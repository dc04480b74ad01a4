"""Practice recordings: eight speakers, each cut into clips, and each clip spoken again by every vocoder.

    OUT/recordings.csv   a row a clip, in the columns of clips.csv: target_id is the speaker, compression the codec
    OUT/clips/           WAV, 16 bits, 16 kHz
    OUT/torchfakes.json  how they were made

Within a pair everything but the voice is matched (`matching`), and `cues` holds that no single cue tells them apart.
"""

import dataclasses
import hashlib
import itertools
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.audio import neural_vocoder
from torchfakes_utils.audio.config import OwnVoices, VoicesConfig
from torchfakes_utils.audio.matching import Scene, band_edge, in_scene, matched, within_band
from torchfakes_utils.audio.neural_voice import SENTENCES, VITS, NeuralVoice, available
from torchfakes_utils.audio.pitch import HOP, LEAST_VOICED, pitch
from torchfakes_utils.audio.sources import Recording, recordings
from torchfakes_utils.audio.vocoders import Vocoder, vocoders, without_world
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import check_writable
from torchfakes_utils.io.folders import Stamp, owned, replaced_folder
from torchfakes_utils.io.sound import RATE, write_wav
from torchfakes_utils.io.tables import INDEX_COLUMNS, read_table, write_table

logger = logging.getLogger(__name__)

RECORDINGS_FILE = "recordings.csv"
PRACTICE = "the practice voices"
REAL = "speech"

# Whole speakers, so that no voice is on two sides. Validation and test have two each: too few for any claim about
# people; the benchmark leaves each one out in turn.
SPLITS = {
    "reader": "train", "maintainer": "train", "channel": "train", "slt": "train", "forever": "val", "awb": "val",
    "cards": "test", "telephone": "test",
}  # fmt: skip

_SHORTEST = 1.0  # seconds, of what is left at the end of a recording
_HIGHEST = 7000.0  # Hz; above, the sources differ by how they were coded
_STAMP_VERSION = 1


@dataclass(frozen=True)
class _Clip:
    name: str
    speaker: str
    split: str
    method: str
    label: int
    original: str
    samples: np.ndarray


def build_voices(out: Path | str, config: VoicesConfig = VoicesConfig(), own: OwnVoices = OwnVoices()) -> Path:
    """Make the practice recordings; return the path of their table.

    A folder that holds them already, made with the same settings, is left as it is.

    Args:
        out: the folder, empty or of this command.
        config: see `VoicesConfig`.
        own: recordings of one's own, and archives that one holds already.

    Raises:
        InputError: the speech cannot be had, a recording of one's own cannot be used, or the folder is another's.
    """
    out = Path(out)
    # The text of a file that may be long changes what is made from it: it goes into the settings by its digest.
    given = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in own.own if path.is_file()}
    settings = {**dataclasses.asdict(config), "own": given}
    stamp = Stamp("practice voices", "torchfakes voices", _STAMP_VERSION, settings=settings)
    there = owned(out, stamp)
    if there is not None and all(there.get(name) == value for name, value in stamp.to_json().items()):
        return out / RECORDINGS_FILE
    check_writable(out.parent)
    if config.world and (why := without_world()):
        raise InputError(why)
    voice = _voice(config, own)
    found = recordings(own.held, own.own)
    with replaced_folder(out, stamp) as fresh:
        rows = []
        (fresh / "clips").mkdir()
        for clip in _clips(found, _vocoders(found, config), voice, config):
            path = f"clips/{clip.name}.wav"
            write_wav(fresh / path, clip.samples)
            rows.append({
                "clip_id": clip.name, "path": path, "label": clip.label, "method": clip.method, "compression": "pcm",
                "target_id": clip.speaker, "source_id": "", "split": clip.split, "original_id": clip.original,
            })  # fmt: skip
        write_table(pd.DataFrame(rows), fresh / RECORDINGS_FILE, INDEX_COLUMNS)
    return out / RECORDINGS_FILE


def read_recordings(path: Path | str) -> pd.DataFrame:
    """A table of recordings, with `file`, where each lies.

    Raises:
        InputError: it is no such table.
    """
    table = read_table(path, ["path", "label", "split"])
    for name in INDEX_COLUMNS:
        if name not in table:
            table[name] = [str(Path(one).with_suffix("")) for one in table["path"]] if name == "clip_id" else ""
    return table.assign(file=[str(Path(path).parent / one) for one in table["path"]])


def _voice(config: VoicesConfig, own: OwnVoices) -> NeuralVoice | None:
    if not config.voice:
        return None
    if why := available():
        raise InputError(f"{why}, or make the data without the unseen voice (--no-voice)")
    return NeuralVoice(own.held, config.seed)


def _vocoders(found: list[Recording], config: VoicesConfig) -> dict[str, Vocoder]:
    network = None
    if config.vocoder_steps:
        training = neural_vocoder.VocoderTraining(steps=config.vocoder_steps, seed=config.seed)
        network, losses = neural_vocoder.train([one.samples for one in found], training)
        logger.info("the neural vocoder is at a spectral distance of %.2f", float(np.mean(losses[-20:])))
    return vocoders(network, config.world)


def _clips(
    found: list[Recording], ways: dict[str, Vocoder], voice: NeuralVoice | None, config: VoicesConfig
) -> Iterator[_Clip]:
    for recording in found:
        high = min(_HIGHEST, 0.94 * band_edge(recording.samples), 0.47 * recording.rate)
        real = within_band(recording.samples, high)
        copies = {REAL: real} | {
            name: matched(within_band(way(recording.samples, config.seed), high), real) for name, way in ways.items()
        }
        split = SPLITS.get(recording.speaker, "test")
        for number, (start, end) in enumerate(pieces(recording.samples, config.seconds)):
            for take, (method, samples) in itertools.product(range(config.takes), copies.items()):
                first = f"{recording.speaker}-{recording.name}-{number}-{take}"
                name = first if method == REAL else f"{first}-{method.lower().replace(' ', '-')}"
                heard = in_scene(samples[start:end], _scene(name, config.seed), high)
                original = "" if method == REAL else first
                yield _Clip(name, recording.speaker, split, method, int(method != REAL), original, heard)
    for number, text in enumerate(SENTENCES if voice is not None else ()):
        samples = voice.say(text) if voice is not None else np.zeros(0, np.float32)
        for part, (start, end) in enumerate(pieces(samples, config.seconds)):
            name = f"joe-{number:02d}-{part}"
            heard = in_scene(samples[start:end], _scene(name, config.seed), _HIGHEST)
            yield _Clip(name, "joe", "test", VITS, 1, "", heard)


def _scene(name: str, seed: int) -> Scene:
    """Of a clip by its name, so that one more or less changes no other."""
    return Scene.drawn(np.random.default_rng([seed, zlib.crc32(name.encode())]))


def pieces(samples: np.ndarray, seconds: float) -> list[tuple[int, int]]:
    """Where to cut (N,) samples: one after the other, as long as `seconds`, without those in which nobody speaks."""
    length = round(seconds * RATE)
    cuts = [(start, min(start + length, len(samples))) for start in range(0, len(samples), length)]
    voiced = pitch(samples).voiced
    return [
        (start, end) for start, end in cuts
        if end - start >= _SHORTEST * RATE and voiced[start // HOP : end // HOP].sum() * HOP / RATE >= LEAST_VOICED
    ]  # fmt: skip
