"""Any file with sound in, a verdict on the voice out, beside whatever is said of faces in it."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.audio.detector import VoiceDetector, load_voice_detector
from torchfakes_utils.audio.pitch import no_speech
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.decoding import Source, name_of
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.sound import MOST_SECONDS, Sound, read_sound
from torchfakes_utils.models.decision import CANNOT_TELL

logger = logging.getLogger(__name__)

# Of a recording that is shorter nothing is said: there is hardly a syllable in it.
LEAST_SECONDS = 0.5
# A share of samples at the peak from which on a note says that it is clipped.
_CLIPPED = 0.002


@dataclass(frozen=True)
class WindowScore:
    """A window of a recording."""

    start: float  # seconds from the beginning
    probability_fake: float  # calibrated


@dataclass(frozen=True)
class VoiceVerdict:
    """What can be said of the voice in one file. It says nothing of the pictures, and is never averaged with them."""

    path: str  # the file, as it was given
    verdict: str  # "fake", "real" or "cannot tell"
    probability_fake: float | None  # of the mean logit over the windows; None where nobody is heard
    reason: str  # one line: what the verdict rests on, or why there is none
    windows: tuple[WindowScore, ...] = ()  # with speech in them, in order
    seconds: float = 0.0  # of sound
    notes: tuple[str, ...] = ()  # what else has to be known, a line each
    limits: tuple[float | None, float | None] = (None, None)  # called real up to, fake from
    scope: str = ""  # what the detector was trained on
    meaning: str = ""  # what a verdict means

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, without the path, which stands beside it."""
        found = dataclasses.asdict(self)
        del found["path"]
        return found


class VoiceJudge:
    """A detector that is ready for recordings; made once, used for many.

    Attributes:
        detector: at test.
        most_seconds: of a recording that are heard.
    """

    def __init__(self, detector: VoiceDetector, most_seconds: float = MOST_SECONDS) -> None:
        self.detector = detector.eval()
        self.most_seconds = most_seconds
        if detector.decision.caution:
            logger.warning("caution: %s", detector.decision.caution)

    @classmethod
    def from_run(cls, run: Path | str, device: str = "auto", most_seconds: float = MOST_SECONDS) -> "VoiceJudge":
        """The best detector of a run folder that `torchfakes train-audio` wrote.

        Raises:
            InputError: none there, or one that cannot be trusted.
        """
        return cls(load_voice_detector(run, torch_device(device)), most_seconds)

    def judge(self, source: Source) -> VoiceVerdict:
        """The verdict on a file; "cannot tell", with the reason, where nothing can be heard."""
        name = name_of(source)
        try:
            return self.judge_sound(read_sound(source, self.most_seconds), name)
        except InputError as error:
            return self._silent(name, str(error).removeprefix(f"{name}: "))

    def judge_sound(self, sound: Sound, name: str = "") -> VoiceVerdict:
        """The same of sound that was read."""
        notes = (*sound.notes, *_notes(sound))
        if sound.seconds < LEAST_SECONDS:
            why = f"too short ({sound.seconds:.2g} s; {LEAST_SECONDS:g} s or more wanted)"
            return self._silent(name, why, sound.seconds, notes)
        if why := no_speech(sound.samples):
            return self._silent(name, why, sound.seconds, notes)
        logits = self.detector.logits(sound.samples)
        decision, size = self.detector.decision, self.detector.config.samples
        starts = _starts(len(sound.samples), size, len(logits)) / 16_000
        heard = _with_sound(sound.samples, size, len(logits))
        score = float(decision.probability([float(logits[heard].mean())])[0])
        verdict, reason = decision.verdict(score)
        windows = tuple(
            WindowScore(round(float(start), 3), float(one))
            for start, one, kept in zip(starts, decision.probability(logits), heard, strict=True) if kept
        )  # fmt: skip
        limits = decision.band.real_to, decision.band.fake_from[0] if decision.band.fake_from else None
        return VoiceVerdict(
            name, verdict, score, reason, windows, round(sound.seconds, 3), notes,
            (None, None) if decision.silence else limits, decision.scope_line, decision.meaning,
        )  # fmt: skip

    def _silent(self, name: str, why: str, seconds: float = 0.0, notes: tuple[str, ...] = ()) -> VoiceVerdict:
        decision = self.detector.decision
        return VoiceVerdict(
            name, CANNOT_TELL, None, why, seconds=round(seconds, 3), notes=notes, scope=decision.scope_line,
            meaning=decision.meaning,
        )  # fmt: skip


def _starts(length: int, size: int, count: int) -> np.ndarray:
    """Where each window of `detector.windows_of` begins, in samples."""
    starts = np.arange(count) * size
    starts[-1] = max(0, min(int(starts[-1]), length - size))
    return starts


def _with_sound(samples: np.ndarray, size: int, count: int) -> np.ndarray:
    """(W,) bool: windows that are not pauses, by their level; all, where none stands out."""
    starts = _starts(len(samples), size, count)
    levels = np.array([np.mean(samples[start : start + size].astype(np.float64) ** 2) for start in starts])
    heard: np.ndarray = levels >= levels.max() * 1e-3
    return heard


def _notes(sound: Sound) -> list[str]:
    peak = float(np.abs(sound.samples).max(initial=0.0))
    at_peak = float((np.abs(sound.samples) >= 0.98 * peak).mean()) if peak >= 0.5 else 0.0
    notes = [f"clipped: {at_peak:.1%} of it lies at its peak"] if at_peak > _CLIPPED else []
    if sound.rate < 16_000:
        notes.append(f"recorded at {sound.rate} Hz: what vocoders forget above {sound.rate // 2} Hz is not in it")
    return notes
