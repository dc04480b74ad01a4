"""The settings of what is done with sound, each with the reason beside its default. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.config import RATE as ERROR_RATE
from torchfakes_utils.metrics.config import REPLICATES

FRONT_ENDS = ("lfcc", "log-mel", "log-mel-long", "waveform")
NETWORKS = ("logistic", "cnn", "rawnet2")


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} is {value:g}; {low:g} to {high:g} are possible")


@dataclass(frozen=True)
class VoicesConfig:
    """How practice recordings are made.

    Attributes:
        seconds: of a clip; recordings are cut into such pieces. Two hold some five syllables, and the network looks at
            as much.
        takes: how often each piece is heard, every time in another scene (level, colour, hiss, limiter), real and fake
            alike: with two, chance alone moves a single cue by less than .65.
        seed: of all that is drawn.
        vocoder_steps: steps of training the tiny neural vocoder; 0 leaves it out. With 300 it takes some 20 s of a
            core, and is as near to the original as linear prediction is.
        voice: also let the unseen neural voice speak, for test alone; it needs onnxruntime.
        world: also copy by WORLD, which needs the package pyworld. Off, for it comes as a source that has to be
            compiled, and the same command should give the same data everywhere.
    """

    seconds: float = 2.0
    takes: int = 2
    seed: int = 0
    vocoder_steps: int = 300
    voice: bool = True
    world: bool = False

    def __post_init__(self) -> None:
        """Refuse what gives no clips.

        Raises:
            InputError: a length or a number of steps out of range.
        """
        _check("seconds", self.seconds, 1, 10)
        _check("takes", self.takes, 1, 20)
        _check("vocoder_steps", self.vocoder_steps, 0, 100_000)


@dataclass(frozen=True)
class AudioTrainingConfig:
    """How a detector of made voices is trained.

    Attributes:
        front_end: what the network sees: lfcc (20 ms windows, fine in high bands), log-mel (8 ms windows, which part
            the pulses of a voice), log-mel-long (32 ms windows, which do not), or waveform (for rawnet2).
        network: logistic (means and spreads over time, fitted at once), cnn (a small one over time and frequency), or
            rawnet2 (sinc filters and residual blocks on the waveform itself).
        seconds: of the window that is judged at once; of a longer recording windows are averaged. The practice clips
            have two; the field's four would mostly repeat them.
        epochs: passes over the training clips.
        batch: windows a step, half of them fake.
        learning_rate: of AdamW, at the top of a single cycle.
        weight_decay: of AdamW; there is little data.
        augment: change level, add hiss and take a band away at random in training, in real and fake alike: what a
            telephone does, and no vocoder.
        seed: of weights, order and changes.
        false_alarms: share of real recordings that may be called fake.
        misses: share of fakes that may be called real.
        device: auto, cpu, cuda, …
    """

    front_end: str = "log-mel"
    network: str = "cnn"
    seconds: float = 2.0
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    augment: bool = True
    seed: int = 0
    false_alarms: float = ERROR_RATE
    misses: float = ERROR_RATE
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            InputError: an unknown front end or network, both that do not fit, or numbers out of range.
        """
        for what, value, known in (("front end", self.front_end, FRONT_ENDS), ("network", self.network, NETWORKS)):
            if value not in known:
                raise InputError(f"no {what} {value!r}; choose one of {', '.join(known)}")
        if (self.network == "rawnet2") != (self.front_end == "waveform"):
            raise InputError("rawnet2 takes --front-end waveform, and the other networks any other")
        _check("seconds", self.seconds, 0.5, 10)
        _check("epochs", self.epochs, 1, 10_000)
        _check("batch", self.batch, 2, 4096)
        _check("learning_rate", self.learning_rate, 1e-7, 1)
        _check("weight_decay", self.weight_decay, 0, 1)
        _check("false_alarms", self.false_alarms, 1e-4, 0.5)
        _check("misses", self.misses, 1e-4, 0.5)


@dataclass(frozen=True)
class AudioEvaluationConfig:
    """How a detector of made voices is measured.

    Attributes:
        split: rows of the table.
        channels: telephone and internet codecs that the recordings are sent through before they are judged, again and
            again: amr-nb, opus, g722, mp3.
        prior: share of fakes among the recordings that the detector is asked about; a spoof is rare.
        cost_false_alarm: of a real voice that is rejected.
        cost_miss: of a fake that passes. ASVspoof 5 takes 10 to 1, at a prior of 5 %.
        replicates: data sets that are drawn for an interval.
        device: auto, cpu, cuda, …
    """

    split: str = "test"
    channels: tuple[str, ...] = ()
    prior: float = 0.05
    cost_false_alarm: float = 1.0
    cost_miss: float = 10.0
    replicates: int = REPLICATES
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what nothing can be counted with.

        Raises:
            InputError: a prior or costs that are none.
        """
        _check("prior", self.prior, 1e-6, 1 - 1e-6)
        for name in ("cost_false_alarm", "cost_miss"):
            _check(name, getattr(self, name), 1e-6, 1e6)


@dataclass(frozen=True)
class OwnVoices:
    """Recordings of the learner's own.

    Attributes:
        own: recordings of people who have agreed to it, to be copied and judged too; the folder of a file is its
            speaker.
        held: a folder in which source archives lie that pip cannot fetch here.
    """

    own: tuple[Path, ...] = ()
    held: Path | None = None
