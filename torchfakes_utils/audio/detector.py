"""A detector of made voices: front end, network and decision in one; saved and loaded as numbers and text.

FOLDER/model.safetensors   the weights
FOLDER/detector.json       what they are: front end, network, decision, SHA-256
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from torchfakes_utils.audio import networks
from torchfakes_utils.audio.config import FRONT_ENDS, NETWORKS
from torchfakes_utils.audio.decision import VoiceDecision
from torchfakes_utils.audio.spectral import COEFFICIENTS, LONG_MELS, MELS, lfcc, log_mel, long_log_mel
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, parse_json
from torchfakes_utils.io.sound import RATE
from torchfakes_utils.io.values import is_number
from torchfakes_utils.models.run_files import DETECTOR_FILE, MOST_BYTES, WEIGHTS_FILE, best_folder

# Raised when a detector that an earlier version left would be computed in another way.
_FORMAT = 1
_KIND = "voice"
_LEVEL = 0.1  # root mean square that every window is brought to: how loud somebody speaks is no evidence
# Windows that the network is given at once.
_BATCH = 32


@dataclass(frozen=True)
class VoiceConfig:
    """What a detector is made of.

    Attributes:
        front_end: one of `FRONT_ENDS`.
        network: one of `NETWORKS`.
        seconds: of the window that it judges.
    """

    front_end: str
    network: str
    seconds: float

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            ValueError: names that are none, a window that is no length, or parts that do not fit.
        """
        if self.front_end not in FRONT_ENDS or self.network not in NETWORKS:
            raise ValueError("a front end or a network that is none")
        if (self.network == "rawnet2") != (self.front_end == "waveform"):
            raise ValueError("a network that does not take this front end")
        if not is_number(self.seconds, low=0.5) or self.seconds > 10:
            raise ValueError("a window that is no length")

    @property
    def samples(self) -> int:
        """N of a window; rawnet2 needs a second, and gets shorter ones repeated."""
        return round(self.seconds * RATE)


class VoiceDetector(nn.Module):
    """Windows (B, N) at 16 kHz to logits (B,).

    Attributes:
        config: what it is made of.
        decision: how logits become answers.
        extra: what was stored beside the weights, such as the epoch.
        sha256: of the weights it was loaded from; "" of a new one.
    """

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        self.config = config
        self.decision = VoiceDecision()
        self.extra: dict[str, Any] = {}
        self.sha256 = ""
        rows = {"lfcc": 3 * COEFFICIENTS, "log-mel": MELS, "log-mel-long": LONG_MELS, "waveform": 1}[config.front_end]
        self.network: nn.Module
        if config.network == "rawnet2":
            self.network = networks.RawNet2()
        else:
            self.network = {"logistic": networks.Logistic, "cnn": networks.SmallCnn}[config.network](rows)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    def features(self, windows: torch.Tensor) -> torch.Tensor:
        """What the network gets of windows (B, N): (B, C, F), or (B, N) for the waveform itself; all at one level."""
        level = windows.square().mean(1, keepdim=True).sqrt().clamp_min(1e-5)
        levelled = windows * (_LEVEL / level)
        if self.config.front_end == "waveform":
            return levelled
        return {"lfcc": lfcc, "log-mel": log_mel, "log-mel-long": long_log_mel}[self.config.front_end](levelled)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.network(self.features(windows))
        return logits

    @torch.inference_mode()
    def logits(self, samples: np.ndarray) -> np.ndarray:
        """The logit of each window, (W,) float64, of a recording (N,) at 16 kHz; the detector has to be at test."""
        windows = torch.from_numpy(windows_of(samples, self.config.samples))
        parts = [self(part.to(self.device)).double().cpu().numpy() for part in windows.split(_BATCH)]
        return np.concatenate(parts)


def windows_of(samples: np.ndarray, size: int) -> np.ndarray:
    """A recording (N,) as windows (W, size) float32, one after the other; the last one ends where the recording does.

    What is shorter than a window is repeated until it fills one, as ASVspoof's baselines do: silence would be a cue.
    """
    samples = np.ascontiguousarray(samples, np.float32)
    if len(samples) < size:
        return np.resize(samples, (1, size))
    starts = np.arange(0, len(samples) - size + 1, size)
    if starts[-1] + size < len(samples):
        starts = np.append(starts, len(samples) - size)
    return np.stack([samples[start : start + size] for start in starts])


def save(detector: VoiceDetector, folder: Path | str, extra: dict[str, Any] | None = None) -> Path:
    """Write weights and description into a folder, both or neither; return the folder.

    Raises:
        InputError: it cannot be written to.
    """
    folder = Path(folder)
    weights = safetensors.torch.save({name: value.detach().cpu().contiguous()
                                      for name, value in detector.state_dict().items()})  # fmt: skip
    description = {
        "format": _FORMAT,
        "kind": _KIND,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "config": dataclasses.asdict(detector.config),
        "decision": dataclasses.asdict(detector.decision),
        "extra": extra or {},
    }
    with atomic_write(folder / WEIGHTS_FILE) as weights_file, atomic_write(folder / DETECTOR_FILE) as text_file:
        weights_file.write_bytes(weights)
        text_file.write_text(json.dumps(description, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return folder


def load_voice_detector(folder: Path | str, device: str | torch.device = "cpu") -> VoiceDetector:
    """Read what `save` wrote, at test; of a run folder, its best detector.

    Raises:
        InputError: files are gone, were changed, or hold something else, such as a detector of faces.
    """
    folder = best_folder(folder)
    description = _description(folder)
    content = _read(folder / WEIGHTS_FILE, MOST_BYTES[WEIGHTS_FILE])
    if hashlib.sha256(content).hexdigest() != description.get("sha256"):
        raise InputError(f"{folder / WEIGHTS_FILE}: damaged or changed since it was saved; train it again")
    try:
        detector = VoiceDetector(VoiceConfig(**description["config"]))
        detector.decision = VoiceDecision(**description["decision"])
        detector.load_state_dict(safetensors.torch.load(content))
    except (KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{folder / DETECTOR_FILE}: not a whole voice detector ({why}); train it again") from error
    detector.extra, detector.sha256 = description.get("extra", {}), description["sha256"]
    return detector.eval().to(device)


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DETECTOR_FILE
    try:
        found = parse_json(_read(path, MOST_BYTES[DETECTOR_FILE]))
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error}); train it again") from error
    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise InputError(f"{path}: not a detector of voices; give the folder that `torchfakes train-audio` wrote")
    if found.get("format") != _FORMAT:
        raise InputError(f"{path}: another torchfakes made it; train it again, or use the torchfakes that made it")
    return found


def _read(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise InputError(f"{path}: larger than any voice detector")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); is it the folder of a trained run?") from error
