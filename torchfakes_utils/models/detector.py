"""The detector: a network with one logit, together with the preprocessing that its weights were trained for.

On disk a detector is a folder with `model.safetensors` (numbers only: loading it runs no code) and `detector.json`,
which says what the numbers are and holds their SHA-256.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.models.architectures import HEAD, TIMM, architecture, check_patches
from torchfakes_utils.models.decision import DISTANCE, NOT_FIXED, Decision
from torchfakes_utils.models.folding import for_scoring
from torchfakes_utils.models.foreign_weights import has_negative_variances
from torchfakes_utils.models.judge import Ends, FeatureNetwork, check_width, judge_of
from torchfakes_utils.models.likeness import Likeness
from torchfakes_utils.models.preprocessing import PREPROCESSING_VERSION, Preprocessing
from torchfakes_utils.models.provenance import remedy
from torchfakes_utils.models.run_files import DETECTOR_FILE, LIKENESS_FILE, VIDEO_KIND, WEIGHTS_FILE, best_folder
from torchfakes_utils.models.stored import (
    DECIDE_AGAIN,
    decision_of,
    described_scope,
    description_of,
    read_part,
    store,
    stored_likeness,
)

_FORMAT = 1


@dataclass(frozen=True)
class DetectorConfig:
    """What has to be known to build the network again.

    Attributes:
        architecture: InceptionResnetV1, EfficientNet-Lite0, Meso4, MesoInception4, GenD-CLIP-L14, GenD-PE-L,
            GenD-DINOv3-L, timm:NAME.
        pretrained: of InceptionResnetV1 "vggface2" or "casia-webface" (faces of 8,631 and 10,575 people: features that
            already know faces), of EfficientNet-Lite0 "imagenet", of a timm network and of GenD's encoders "timm", None
            for random weights, or the name of the file that the weights came from. In a saved detector it tells where
            training really started from, which after a failed download is None.
        dropout: share of the features dropped before the last layer, in training; None is the architecture's usual.
    """

    architecture: str = "InceptionResnetV1"
    pretrained: str | None = "vggface2"
    dropout: float | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "DetectorConfig":
        """What `dataclasses.asdict` made of a configuration, also by way of JSON.

        Raises:
            KeyError, TypeError, ValueError, InputError: it is something else, or out of range.
        """
        return cls(**dict(value) | {"preprocessing": Preprocessing(**value["preprocessing"])})

    def __post_init__(self) -> None:
        """Refuse what is no description, wherever it comes from.

        Raises:
            InputError: a word that is none, or a dropout outside of 0…1.
        """
        if not isinstance(self.architecture, str) or not isinstance(self.pretrained, (str, type(None))):
            raise InputError("architecture and pretrained have to be words")
        if self.dropout is not None and not (isinstance(self.dropout, (int, float)) and 0 <= self.dropout < 1):
            raise InputError(f"dropout {self.dropout!r}: give a number from 0 to below 1")


BatchNorm = nn.modules.batchnorm._BatchNorm  # noqa: SLF001  (of any number of axes: torch has no public name for it)
_NORMS = (BatchNorm, nn.LayerNorm, nn.GroupNorm)

# What may be trained, beside the name of a stage, which means this one and those after it.
TUNE_ALL, TUNE_HEAD, TUNE_NORMS = "all", "head", "norms"


class Detector(nn.Module):
    """A face crop in, a logit out: above 0 it looks fake, below 0 real; `sigmoid(logit)` is P(fake).

    Attributes:
        backbone: the network, its classifier replaced by one output.
        decision: how logits become answers: temperature, thresholds, and which crops get none.
        likeness: by which the distance of a crop from the faces of training is measured; None measures none.
        extra: what `save` was given beside the weights, such as the epoch and its metrics.
        sha256: of the weights, where they were loaded from a file; "" otherwise.
    """

    def __init__(self, config: DetectorConfig) -> None:
        """Random weights, drawn from torch's global generator; `build_detector` fills in pretrained ones.

        Raises:
            InputError: an unknown architecture, or an input size that is too small for it or no multiple of its patch.
        """
        super().__init__()
        self._kind = architecture(config.architecture)
        size = config.preprocessing.size
        if size < self._kind.min_size:
            raise InputError(f"image size {size}: {config.architecture} needs at least {self._kind.min_size} px")
        check_patches(config.architecture, size)
        self.config = config
        self.decision = Decision()
        self.likeness: Likeness | None = None
        self.extra: dict[str, Any] = {}
        self.sha256 = ""
        dropout = self._kind.dropout if config.dropout is None else config.dropout
        self.backbone = self._kind.build(size, dropout)
        self.zero_classifier()
        self._frozen: list[nn.Module] = []

    @property
    def stages(self) -> dict[str, list[nn.Module]]:
        """The network's submodules from the input to the answer, by name; the last stage is "head"."""
        return self._kind.stages(self.backbone)

    @property
    def classifier(self) -> nn.Linear | nn.Conv2d:
        """The last layer that computes: a linear one, or a convolution."""
        layers = [part for module in self.stages[HEAD] for part in module.modules()]
        return [layer for layer in layers if isinstance(layer, (nn.Linear, nn.Conv2d))][-1]

    def zero_classifier(self) -> None:
        """Answer 0.5 to everything, so that training begins at a loss of ln 2 and no layer below is pushed by chance.

        timm draws a classifier of one output from U(-1, 1), which makes it begin at a loss of 3 to 7.
        """
        with torch.no_grad():
            for parameter in self.classifier.parameters():
                parameter.zero_()

    @property
    def feature_layers(self) -> dict[str, nn.Module]:
        """The layers that a heat map can be made of, by name, from fine and shallow to coarse and deep."""
        return self._kind.maps(self.backbone)

    @property
    def ends(self) -> Ends:
        """What a `Judge` is made of."""
        return Ends(self.backbone, self._kind.texture(self.backbone), self.preprocessing)

    def as_map(self, given: torch.Tensor) -> torch.Tensor:
        """What one of `feature_layers` gives, as a map over the crop, (B, C, h, w): of a transformer its patches."""
        return given if self._kind.grid is None else self._kind.grid(self.backbone, given)

    def tune(self, what: str = TUNE_ALL) -> None:
        """Say what training may change.

        What it may not change is left alone altogether: the optimiser gets no gradient of it, and its batch norms keep
        their averages, which `requires_grad` alone does not see to.

        Args:
            what: "all"; "head", the classifier alone; "norms", the classifier and the scales and shifts of all
                normalisation layers (a tower that was pretrained on millions of pictures keeps what it knows: Frankle,
                Schwab and Morcos, ICLR 2021); or the name of a stage, for it and all stages after it.

        Raises:
            InputError: no such stage.
        """
        stages = self.stages
        if what not in (TUNE_ALL, TUNE_HEAD, TUNE_NORMS, *stages):
            raise InputError(f"cannot tune {what!r}: choose all, head, norms, or from a stage on: {', '.join(stages)}")
        for parameter in self.parameters():
            parameter.requires_grad_(what == TUNE_ALL)
        if what == TUNE_ALL:
            self._frozen = []
            return
        first = list(stages).index(what if what in stages else HEAD)
        tuned = [module for modules in list(stages.values())[first:] for module in modules]
        if what == TUNE_NORMS:
            tuned += [module for module in self.modules() if isinstance(module, _NORMS)]
        for module in tuned:
            module.requires_grad_(True)
        inside = {part for module in tuned for part in module.modules()}
        self._frozen = [module for module in self.modules() if isinstance(module, _NORMS) and module not in inside]
        self.train(self.training)

    def train(self, mode: bool = True) -> "Detector":
        """As everywhere, but frozen normalisation layers stay as they are at test."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def stage_parameters(self) -> dict[str, list[nn.Parameter]]:
        """Each stage's parameters, each of them once."""
        stages = self.stages.items()
        return {name: list(dict.fromkeys(p for part in parts for p in part.parameters())) for name, parts in stages}

    def parameter_counts(self) -> dict[str, tuple[int, int]]:
        """How many parameters each stage has, and how many of them training may change."""
        stages = self.stage_parameters()
        staged = {p for parameters in stages.values() for p in parameters}
        if rest := [p for p in self.parameters() if p not in staged]:
            stages = {"embeddings": rest} | stages  # such as a vision transformer's positions, which belong to no layer
        return {
            name: (sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad))
            for name, parameters in stages.items()
        }

    @property
    def preprocessing(self) -> Preprocessing:
        """What a crop has to go through before `forward`."""
        return self.config.preprocessing

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) from `Preprocessing.apply` to logits (B,). In training mode B has to be 2 or more."""
        logits: torch.Tensor = self.backbone(images)  # (B, 1)
        return logits.squeeze(1)

    @torch.inference_mode()
    def probability(self, images: torch.Tensor) -> torch.Tensor:
        """P(fake), (B,) float32, of crops as they are stored, (B, 3, H, W) uint8; on the detector's device."""
        return (self.logits(images) / self.decision.temperature).sigmoid()

    @torch.inference_mode()
    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, (B,) float32, of crops as for `probability`: the first half of `answers`."""
        return self.answers(self.preprocessing.apply(images.to(self.device)))[:, 0]

    @torch.inference_mode()
    def answers(self, images: torch.Tensor) -> torch.Tensor:
        """What a verdict rests on, (B, 2) float32: the mean logit over a crop and its mirror image, and the distance.

        At test, whichever mode the detector is in.

        Args:
            images: (B, 3, S, S) from `Preprocessing.apply`, on the detector's device.
        """
        answers: torch.Tensor = for_scoring(judge_of(self.ends, self.likeness))(images)
        return answers.float()


@torch.inference_mode()
def features(detector: Detector, batches: Iterable[torch.Tensor]) -> np.ndarray:
    """What a likeness is of, (N, D) float32, of batches of crops (B, 3, H, W) uint8, at test."""
    network = for_scoring(FeatureNetwork(detector.ends))
    found = [network(detector.preprocessing.apply(images.to(detector.device))).float().cpu() for images in batches]
    return torch.cat(found).numpy() if found else np.zeros((0, 0), np.float32)


def save(detector: Detector, folder: Path | str, extra: dict[str, Any] | None = None) -> Path:
    """Write `model.safetensors`, `detector.json` and, where there is a likeness, `likeness.safetensors` into `folder`.

    All of them, each whole, or none; returned is the folder.

    Args:
        detector: on any device.
        folder: made if need be.
        extra: anything that JSON can hold and that belongs to these weights, such as the epoch.

    Raises:
        InputError: the folder cannot be written to.
    """
    folder = Path(folder)
    # safetensors wants plain layouts, and training uses channels-last ones.
    state = {name: value.detach().cpu().contiguous() for name, value in detector.state_dict().items()}
    weights = safetensors.torch.save(state)
    description = {
        "format": _FORMAT,
        "preprocessing_version": PREPROCESSING_VERSION,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "config": asdict(detector.config),
        "extra": extra or {},
    }
    with atomic_write(folder / WEIGHTS_FILE) as weights_file:
        weights_file.write_bytes(weights)
        store(folder, description, detector.decision, detector.likeness)
    return folder


def _likeness(detector: Detector, folder: Path) -> Likeness | None:
    """The same, of a network that it fits.

    Raises:
        InputError: it is gone, changed or another network's.
    """
    likeness = stored_likeness(folder, detector.decision)
    try:
        if likeness is not None:
            check_width(detector.ends, likeness)
    except InputError as error:
        raise InputError(f"{folder / LIKENESS_FILE}: {error}; {DECIDE_AGAIN}") from error
    return likeness


def _decided(detector: Detector, description: Mapping[str, Any], folder: Path) -> None:
    """Give a detector its decision and its likeness, as far as they can be read: an unfixed one where it cannot."""
    try:
        detector.decision = decision_of(description, folder)
    except InputError:
        detector.decision = Decision(scope=described_scope(description)).cautioned(NOT_FIXED)
    try:
        detector.likeness = _likeness(detector, folder)
    except InputError:
        known = {name: ends for name, ends in detector.decision.ranges.items() if name != DISTANCE}
        detector.decision = replace(detector.decision, likeness="", ranges=known).cautioned(_NO_LIKENESS)


_NO_LIKENESS = "what belongs to its data cannot be measured: its likeness cannot be read"


def load_detector(folder: Path | str, device: str | torch.device = "cpu", decide_anew: bool = False) -> Detector:
    """Read what `save` wrote, in evaluation mode; of a run folder, its best detector.

    Args:
        folder: of a run or of a detector.
        device: where it is to compute.
        decide_anew: its decision and likeness are about to be replaced, and need not be whole: what of them cannot be
            read is taken as not fixed.

    Raises:
        InputError: files are gone, were changed, or belong to another version of the preprocessing.
    """
    folder = best_folder(folder)
    description = description_of(folder)
    again = remedy(folder, description.get("extra"))
    weights = read_part(folder / WEIGHTS_FILE, again)
    config = _checked_config(description, folder)
    if hashlib.sha256(weights).hexdigest() != description["sha256"]:
        raise InputError(
            f"{folder / WEIGHTS_FILE}: damaged or changed since it was saved (its SHA-256 differs from the one in "
            f"{DETECTOR_FILE}); {again}"
        )
    try:
        state = safetensors.torch.load(weights)
    except safetensors.SafetensorError as error:
        raise InputError(f"{folder / WEIGHTS_FILE}: not the weights of {config.architecture}; train again") from error
    try:
        detector = filled(config, state)
    except InputError as error:
        raise InputError(f"{folder / WEIGHTS_FILE}: {error}") from error
    if decide_anew:
        _decided(detector, description, folder)
    else:
        detector.decision = decision_of(description, folder)
        detector.likeness = _likeness(detector, folder)
    detector.extra, detector.sha256 = description.get("extra", {}), description["sha256"]
    return detector.eval().to(device)


class _WithoutMemory(TorchFunctionMode):
    """Inside, what layers are made of takes no memory: the shapes of a network cost nothing, however large it is."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """As torch calls it, with each of its functions."""
        kwargs = dict(kwargs or {})
        # What is computed while a network is built, such as a vision transformer's positions, stays real.
        if func is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def outlined(config: DetectorConfig) -> Detector:
    """A detector whose weights have names and shapes, and take no memory; torch's generator stays as it was.

    Raises:
        InputError: as `Detector`.
    """
    with torch.random.fork_rng(), _WithoutMemory():
        return Detector(config)


def filled(config: DetectorConfig, state: Mapping[str, torch.Tensor]) -> Detector:
    """A detector with these weights; torch's generator stays as it was.

    Raises:
        InputError: they are another network's, or hold what is no number.
    """
    detector = outlined(config)  # before it takes memory, for weights and words may be a stranger's
    own = detector.state_dict()
    if {name: (value.shape, value.dtype) for name, value in own.items()} != {
        name: (value.shape, value.dtype) for name, value in state.items()
    }:
        raise InputError(f"not the weights of {config.architecture}; train again")
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise InputError("some weights are not finite (NaN or infinity); train again")
    if any(has_negative_variances(name, value) for name, value in state.items()):
        raise InputError("some variances are below zero, so that no answer is a number; train again")
    # Some compute what they do not save in ways of their own, which takes real memory.
    if config.architecture.startswith(TIMM) or not _computed_unsaved(detector):
        with torch.random.fork_rng():
            detector = Detector(config)
    detector.load_state_dict(dict(state), assign=True)
    return detector


def _computed_unsaved(detector: Detector) -> bool:
    """Let layers compute what they do not save, such as the angles of positions; whether all of them can.

    The alternative, weights of random numbers to be thrown away, takes some ten seconds of 300 million.
    """
    saved = detector.state_dict().keys()
    for prefix, module in detector.named_modules():
        own = dict(module.named_buffers(recurse=False))
        wanted = [name for name, value in own.items() if value.is_meta and f"{prefix}.{name}".strip(".") not in saved]
        compute = getattr(module, "init_non_persistent_buffers", None)  # timm's layers have it, where they are empty
        if wanted and compute is None:
            return False
        for name in wanted:
            setattr(module, name, torch.empty_like(own[name], device="cpu"))
        if wanted and compute is not None:
            compute()
    return True


def _checked_config(description: Mapping[str, Any], folder: Path) -> DetectorConfig:
    """The configuration in a `detector.json`, if this program understands it."""
    path = folder / DETECTOR_FILE
    if description.get("kind") == VIDEO_KIND:
        raise InputError(
            f"{path}: a detector of films, and one of face crops is needed here; `torchfakes predict` and "
            "`torchfakes evaluate-video` take this one"
        )
    try:
        form, version = description["format"], description["preprocessing_version"]
        if form != _FORMAT or version != PREPROCESSING_VERSION:
            raise InputError(
                f"{path}: made for another preprocessing (format {form}, version {version}; known here: {_FORMAT}, "
                f"{PREPROCESSING_VERSION}); train again, or use the torchfakes that made it"
            )
        if not isinstance(description["sha256"], str):
            raise TypeError("sha256 is no text")
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a detector's description ({error!r}); {remedy(folder)}") from error
    try:
        return DetectorConfig.from_json(description["config"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a detector's description ({error!r}); {remedy(folder)}") from error
