"""A detector of films: windows in, logits out, together with how it looks at a film and what its logits mean.

On disk it lies as a detector of crops does: `model.safetensors`, `detector.json` whose `kind` is "video", and
`likeness.safetensors`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.likeness import Likeness, measured, pooled
from torchfakes_utils.models.run_files import DETECTOR_FILE, VIDEO_KIND, WEIGHTS_FILE, best_folder
from torchfakes_utils.models.stored import decision_of, description_of, read_part, store, stored_likeness
from torchfakes_utils.temporal.config import HEADS, View
from torchfakes_utils.temporal.encoder import GRID, Encoder, digest_of, encoded
from torchfakes_utils.temporal.networks import build
from torchfakes_utils.temporal.store import Described

# Of the description of a detector of films; and of what is computed from the same film.
FORMAT, VERSION = 1, 1
# Directions in which features move most, that a head is given.
DIRECTIONS = 64
_MOST_DIRECTIONS, _BATCH = 512, 32


@dataclass(frozen=True)
class VideoDetectorConfig:
    """What has to be known to build it again.

    Attributes:
        architecture: one of `config.ARCHITECTURES`.
        view: what of a film it is shown.
        directions: of the features of a frame that a head is given; 0 for a network of frames.
        pretrained: where the weights of the encoder, or of the network, came from; None is chance.
    """

    architecture: str = "gru"
    view: View = field(default_factory=View)
    directions: int = DIRECTIONS
    pretrained: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no description, wherever it comes from.

        Raises:
            InputError: words or numbers that fit no network.
        """
        if not isinstance(self.pretrained, (str, type(None))) or not isinstance(self.architecture, str):
            raise InputError("architecture and pretrained have to be words")
        heads = self.architecture in HEADS
        if heads != self.view.faces or isinstance(self.directions, bool) or not isinstance(self.directions, int):
            raise InputError(f"{self.architecture} with a view of {'faces' if self.view.faces else 'frames'}")
        if not (1 <= self.directions <= _MOST_DIRECTIONS if heads else self.directions == 0):
            raise InputError(f"{self.directions} directions; give 1 to {_MOST_DIRECTIONS} for a head, else 0")


class VideoDetector(nn.Module):
    """Windows of a film to logits: above 0 they look fake.

    Attributes:
        config: what it is.
        encoder: face crops to features; None of a network of frames.
        network: windows to logits.
        decision: how logits become answers; a window stands for a frame there, and a film for its windows.
        likeness: by which it is told how unlike the windows of training one is.
        extra: what `save` was given beside the weights.
        sha256: of the weights, where they were loaded from a file; "" otherwise.
    """

    decision: Decision
    likeness: Likeness | None
    centre: torch.Tensor
    axes: torch.Tensor

    def __init__(self, config: VideoDetectorConfig) -> None:
        """Random weights, drawn from torch's global generator."""
        super().__init__()
        self.config, self.decision, self.likeness = config, Decision(), None
        self.extra: dict[str, Any] = {}
        self.sha256 = ""
        self.encoder = Encoder() if config.view.faces else None
        self.network = build(config.architecture, config.directions, config.view.ticks)
        width = 0 if self.encoder is None else self.encoder.width
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("axes", torch.zeros(width, config.directions))

    @property
    def view(self) -> View:
        """What of a film it is shown."""
        return self.config.view

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    @property
    def described_by(self) -> str:
        """Names what `describe` computes."""
        return "pictures" if self.encoder is None else digest_of(self.encoder)

    def describe(self, pictures: np.ndarray) -> np.ndarray:
        """What is kept of a clip's pictures (T, S, S, 3) uint8: features (T, D) float16, or the pictures themselves."""
        return pictures if self.encoder is None else encoded(self.encoder, pictures)

    def reduced(self, values: torch.Tensor) -> torch.Tensor:
        """Features (…, D) in the directions that a head is given, (…, K) float32; pictures as they are."""
        if self.encoder is None:
            return values
        return (values.to(self.device).float() - self.centre) @ self.axes

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of windows as `reduced` gives them: features (B, T, K), or pictures (B, T, S, S, 3) uint8."""
        if self.encoder is None:
            given = (windows.to(self.device).permute(0, 4, 1, 2, 3).float() - 127.5) / 127.5
        else:
            # Who it is, is the same in all frames: what is left is how it moves.
            given = windows - windows.mean(dim=1, keepdim=True)
        logits: torch.Tensor = self.network(given)
        return logits

    def texture(self, windows: torch.Tensor) -> torch.Tensor:
        """What a likeness is of, (B, D'), of windows as `describe` gives them, (B, T, …)."""
        if self.encoder is not None:
            maps = windows.to(self.device).float().mean(dim=1)
            return pooled(maps.unflatten(1, (-1, GRID, GRID)), 4)
        pictures = windows.to(self.device)[:, :: max(1, windows.shape[1] // 4)].float()  # a few of each
        count = pictures.shape[1]
        small = nn.functional.interpolate(pictures.flatten(0, 1).permute(0, 3, 1, 2), size=64, mode="area") / 255
        found = pooled(small, 4)
        mean: torch.Tensor = found.unflatten(0, (-1, count)).mean(dim=1)
        return mean

    @torch.inference_mode()
    def answers(self, clip: Described, starts: np.ndarray) -> np.ndarray:
        """Logit and distance, (W, 2) float64, of the windows of a clip that begin at some ticks.

        The distance is from the windows of training: NaN where none is measured.
        """
        self.eval()
        values = torch.from_numpy(np.array(clip.values))
        reduced, ticks = self.reduced(values), self.view.ticks
        logits, distances = [], []
        for some in np.array_split(starts, max(1, -(-len(starts) // _BATCH))):
            logits.append(self(torch.stack([reduced[start : start + ticks] for start in some.tolist()])))
            if self.likeness is not None:
                own = torch.stack([values[start : start + ticks] for start in some.tolist()])
                likeness = Likeness(**{name: one.to(self.device) for name, one in vars(self.likeness).items()})
                distances.append(likeness.distance(self.texture(own)))
        found = torch.cat(logits).double().cpu().numpy()
        far = torch.cat(distances).double().cpu().numpy() if distances else np.full(len(found), np.nan)
        return np.stack([found, measured(far, self.likeness)], axis=1)


def save_video(detector: VideoDetector, folder: Path | str, extra: dict[str, Any] | None = None) -> Path:
    """Write weights, description and likeness into a folder, which is returned: all of them, each whole, or none.

    Raises:
        InputError: the folder cannot be written to.
    """
    folder = Path(folder)
    weights = safetensors.torch.save({name: value.detach().cpu().contiguous()
                                      for name, value in detector.state_dict().items()})  # fmt: skip
    description = {
        "format": FORMAT, "kind": VIDEO_KIND, "version": VERSION, "sha256": hashlib.sha256(weights).hexdigest(),
        "config": asdict(detector.config), "extra": extra or {},
    }  # fmt: skip
    with atomic_write(folder / WEIGHTS_FILE) as weights_file:
        weights_file.write_bytes(weights)
        store(folder, description, detector.decision, detector.likeness)
    return folder


def is_video(folder: Path | str) -> bool:
    """Whether a run or a detector is one of films; False of what cannot be read, which whoever loads it will say."""
    try:
        return description_of(best_folder(folder)).get("kind") == VIDEO_KIND
    except InputError:
        return False


def load_video(folder: Path | str, device: str | torch.device = "cpu") -> VideoDetector:
    """Read what `save_video` wrote, in evaluation mode; of a run folder, its best detector.

    Raises:
        InputError: files are gone, were changed, or are those of another kind of detector.
    """
    folder = best_folder(folder)
    description = description_of(folder)
    config = _config_in(description, folder)
    weights = read_part(folder / WEIGHTS_FILE, "run `torchfakes train-video` again")
    if hashlib.sha256(weights).hexdigest() != description.get("sha256"):
        raise InputError(
            f"{folder / WEIGHTS_FILE}: damaged or changed since it was saved (its SHA-256 differs from the one in "
            f"{DETECTOR_FILE}); copy the folder again, or train it again"
        )
    with torch.random.fork_rng():
        detector = VideoDetector(config)
    try:
        state = safetensors.torch.load(weights)
        own = {name: (value.shape, value.dtype) for name, value in detector.state_dict().items()}
        if own != {name: (value.shape, value.dtype) for name, value in state.items()}:
            raise InputError(f"not the weights of {config.architecture}")
        if not all(torch.isfinite(value).all() for value in state.values()):
            raise InputError("some weights are not finite (NaN or infinity)")
    except (safetensors.SafetensorError, InputError) as error:
        raise InputError(f"{folder / WEIGHTS_FILE}: {error}; train again") from error
    detector.load_state_dict(state)
    detector.decision = decision_of(description, folder)
    detector.likeness = stored_likeness(folder, detector.decision)
    detector.extra, detector.sha256 = description.get("extra", {}), description["sha256"]
    return detector.eval().to(device)


def _config_in(description: Mapping[str, Any], folder: Path) -> VideoDetectorConfig:
    path = folder / DETECTOR_FILE
    if description.get("kind") != VIDEO_KIND:
        raise InputError(f"{path}: a detector of face crops, not of films; `torchfakes train-video` makes one")
    if (description.get("format"), description.get("version")) != (FORMAT, VERSION):
        raise InputError(f"{path}: another torchfakes made it; train again, or use the torchfakes that made it")
    try:
        given = dict(description["config"])
        return VideoDetectorConfig(**given | {"view": View(**given["view"])})
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a detector's description ({error}); train again") from error
