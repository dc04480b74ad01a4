"""The detector: InceptionResnetV1 with one logit, together with the preprocessing that its weights were trained for.

On disk a detector is a folder with `model.safetensors` (numbers only: loading it runs no code) and `detector.json`,
which says what the numbers are and holds their SHA-256.
"""

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn
from tqdm import tqdm

from torchfakes_utils.dataset import PREPROCESSING_VERSION, Preprocessing
from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import atomic_write

# Where facenet-pytorch publishes its weights (2.5.3 knows the same addresses). No digests are published beside them,
# so a download counts as good when it has the length announced and every tensor that the network needs.
_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
PRETRAINED_URLS = {
    "vggface2": f"{_RELEASE}/20180402-114759-vggface2.pt",
    "casia-webface": f"{_RELEASE}/20180408-102900-casia-webface.pt",
}
_TITLES = {"vggface2": "VGGFace2", "casia-webface": "CASIA-WebFace"}
DOWNLOAD_TIMEOUT = 20  # seconds without a byte

# Below this the last convolutions of InceptionResnetV1 have nothing left to look at.
MIN_IMAGE_SIZE = 75

WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "detector.json"
_FORMAT = 1


@dataclass(frozen=True)
class DetectorConfig:
    """What has to be known to build the network again.

    Attributes:
        architecture: the only one so far.
        pretrained: "vggface2" or "casia-webface" (faces of 8,631 and 10,575 people: features that already know faces),
            None for random weights, or the name of the file that the weights came from. In a saved detector it tells
            where training really started from, which after a failed download is None.
        dropout: share of the 1,792 pooled features dropped in training; 0.6 is facenet-pytorch's own, made for
            millions of pictures. A few epochs from random weights do better with less.
        preprocessing: see `Preprocessing`.
    """

    architecture: str = "InceptionResnetV1"
    pretrained: str | None = "vggface2"
    dropout: float = 0.6
    preprocessing: Preprocessing = field(default_factory=Preprocessing)


class Detector(nn.Module):
    """A face crop in, a logit out: above 0 it looks fake, below 0 real; `sigmoid(logit)` is P(fake).

    Attributes:
        config: a `DetectorConfig`.
        backbone: facenet-pytorch's InceptionResnetV1, its classifier replaced by one output.
        extra: what `save` was given beside the weights, such as the epoch and its metrics.
    """

    def __init__(self, config: DetectorConfig) -> None:
        """Random weights, drawn from torch's global generator; `build_detector` fills in pretrained ones.

        Raises:
            InputError: an unknown architecture, or an input size that is too small for it.
        """
        super().__init__()
        from facenet_pytorch import InceptionResnetV1  # 4 s, and not needed to read a configuration

        if config.architecture != "InceptionResnetV1":
            raise InputError(f"no architecture {config.architecture!r}; there is InceptionResnetV1")
        if config.preprocessing.size < MIN_IMAGE_SIZE:
            raise InputError(f"image size {config.preprocessing.size}: the network needs at least {MIN_IMAGE_SIZE} px")
        self.config = config
        self.extra: dict[str, Any] = {}
        self.backbone = InceptionResnetV1(classify=True, num_classes=1, dropout_prob=config.dropout)

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
        return self.backbone(images).squeeze(1)  # (B, 1) -> (B,)

    @torch.inference_mode()
    def probability(self, images: torch.Tensor) -> torch.Tensor:
        """P(fake), (B,) float32, of crops as they are stored, (B, 3, H, W) uint8; on the detector's device."""
        was_training = self.training
        self.eval()
        try:
            return self(self.preprocessing.apply(images.to(self.device))).float().sigmoid()
        finally:
            self.train(was_training)


def torch_device(name: str = "auto") -> torch.device:
    """A device by name: "auto" is a CUDA GPU where there is one, else the CPU; the others are torch's own names.

    Raises:
        InputError: the name means nothing, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch without CUDA answers with an assertion
        raise InputError(f"device {name!r} cannot be used on this machine; choose auto or cpu") from error
    return device


def build_detector(config: DetectorConfig, weights: Path | str | None = None) -> tuple[Detector, str | None]:
    """A detector ready to be trained, from a file, from published weights, or from random ones.

    Args:
        config: what to build.
        weights: a file of InceptionResnetV1's weights (facenet-pytorch's `.pt`, or a detector's `.safetensors`), used
            instead of downloading `config.pretrained`. A classifier in it is kept if it has one output.

    Returns:
        The detector, and None, or the one line that the user has to be told: the download failed and the weights are
        random. `detector.config.pretrained` says what the weights really are.

    Raises:
        InputError: `weights` cannot be used, or no such pretrained weights exist.
    """
    detector = Detector(config)
    if weights is not None:
        try:
            _fill(detector, Path(weights))
        except _UnusableError as error:
            raise InputError(f"{weights}: {error}; give weights of InceptionResnetV1") from error
        detector.config = replace(config, pretrained=Path(weights).name)
    elif config.pretrained is not None:
        if config.pretrained not in PRETRAINED_URLS:
            known = ", ".join(PRETRAINED_URLS)
            raise InputError(f"no pretrained weights {config.pretrained!r}; choose one of {known}, or none")
        try:
            _fill_published(detector, PRETRAINED_URLS[config.pretrained])
        except (_UnusableError, InputError) as error:  # an InputError: the cache cannot be written to
            detector.config = replace(config, pretrained=None)
            return detector, (
                f"could not download {_TITLES[config.pretrained]} weights ({error}); "
                "going on from random weights; give a file with --weights"
            )
    return detector, None


def fetch_weights(name: str = "vggface2", sha256: str | None = None) -> tuple[Path, str]:
    """Get published weights into torch's cache, where `build_detector` finds them, unless they are there.

    Their publishers name no checksum. So the file has to hold every tensor of the network, and the SHA-256 of the first
    copy is kept beside it: a copy that changes later is refused.

    Args:
        name: "vggface2" or "casia-webface".
        sha256: what it has to be, if you know it from a source that you trust.

    Returns:
        The file and its SHA-256.

    Raises:
        InputError: there are no such weights, they cannot be had, or their SHA-256 is another.
    """
    if name not in PRETRAINED_URLS:
        raise InputError(f"there are no weights {name!r}; there are {', '.join(PRETRAINED_URLS)}")
    detector = Detector(DetectorConfig(pretrained=None))
    try:
        _fill_published(detector, PRETRAINED_URLS[name])
    except _UnusableError as error:
        raise InputError(f"{_TITLES[name]} weights cannot be had ({error}); try again later") from error
    path = next(path for path in _cached(PRETRAINED_URLS[name]) if path.is_file())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    record = path.with_name(f"{path.name}.sha256")
    expected = (sha256 or "").lower() or (record.read_text().split()[0] if record.is_file() else digest)
    if digest != expected:
        raise InputError(f"{path}: its SHA-256 is {digest} and should be {expected}; delete it and fetch it again")
    with atomic_write(record) as temporary:
        temporary.write_text(f"{digest}  {path.name}\n")
    return path, digest


def save(detector: Detector, folder: Path | str, extra: dict[str, Any] | None = None) -> Path:
    """Write `model.safetensors` and `detector.json` into `folder`, each whole or not at all; return the folder.

    Args:
        detector: on any device.
        folder: made if need be.
        extra: anything that JSON can hold and that belongs to these weights, such as a threshold.

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
    with atomic_write(folder / WEIGHTS_FILE) as temporary:
        temporary.write_bytes(weights)
    with atomic_write(folder / CONFIG_FILE) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return folder


def load(folder: Path | str, device: str | torch.device = "cpu") -> Detector:
    """Read what `save` wrote, in evaluation mode; of a run folder, its best detector.

    Raises:
        InputError: files are gone, were changed, or belong to another version of the preprocessing.
    """
    folder = Path(folder)
    if not (folder / CONFIG_FILE).is_file() and (folder / "best" / CONFIG_FILE).is_file():
        folder = folder / "best"
    try:
        description = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        missing = Path(error.filename).name
        raise InputError(f"{folder}: no detector here ({missing}: {error.strerror}); run `torchfakes train`") from error
    except ValueError as error:
        raise InputError(f"{folder / CONFIG_FILE}: not a detector's description ({error}); train again") from error
    config = _checked_config(description, folder)
    if hashlib.sha256(weights).hexdigest() != description["sha256"]:
        raise InputError(
            f"{folder / WEIGHTS_FILE}: damaged or changed since it was saved (its SHA-256 differs from the one in "
            f"{CONFIG_FILE}); copy the folder again or train again"
        )
    with torch.device("meta"):  # no time spent on random weights, and torch's generator stays as it was
        detector = Detector(config)
    try:
        detector.load_state_dict(safetensors.torch.load(weights), assign=True)
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise InputError(f"{folder / WEIGHTS_FILE}: not the weights of {config.architecture}; train again") from error
    detector.extra = description.get("extra", {})
    return detector.eval().to(device)


def check_preprocessing(detector: Detector, extraction: dict[str, Any]) -> None:
    """Refuse crops that were cut in another way than those the detector was trained on.

    Args:
        detector: any.
        extraction: from `dataset.read_extraction`; {} (nothing known) passes.

    Raises:
        InputError: another crop scale, or crops smaller than the network's input.
    """
    wanted = detector.preprocessing
    scale = extraction.get("crop_scale", wanted.crop_scale)
    size = extraction.get("size", wanted.size)
    if scale != wanted.crop_scale:
        raise InputError(
            f"these crops were cut at {scale} times the face, and the detector was trained at {wanted.crop_scale}; "
            f"extract them again at {wanted.crop_scale}, or train a detector on them"
        )
    if size < wanted.size:
        raise InputError(
            f"these crops are {size} px, smaller than the {wanted.size} px that the network takes; "
            f"extract them again at {wanted.size} px or more, or train with a smaller image size"
        )


def _checked_config(description: Any, folder: Path) -> DetectorConfig:
    """The configuration in a `detector.json`, if this program understands it."""
    path = folder / CONFIG_FILE
    try:
        form, version = description["format"], description["preprocessing_version"]
        if form != _FORMAT or version != PREPROCESSING_VERSION:
            raise InputError(
                f"{path}: made for another preprocessing (format {form}, version {version}; known here: {_FORMAT}, "
                f"{PREPROCESSING_VERSION}); train again, or use the torchfakes that made it"
            )
        description["sha256"].lower()
        config = dict(description["config"])
        return DetectorConfig(**config | {"preprocessing": Preprocessing(**config["preprocessing"])})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a detector's description ({error!r}); train again") from error


class _UnusableError(Exception):
    """Weights that cannot be had or used; the text is the reason, made to stand in brackets."""


def _fill(detector: Detector, path: Path) -> None:
    """Copy weights from a file into the detector, all of them or none.

    Raises:
        _UnusableError: unreadable, or not this network's weights.
    """
    try:
        if path.suffix == ".safetensors":
            state = safetensors.torch.load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _UnusableError(error.strerror or str(error)) from error
    except Exception as error:  # a broken pickle fails wherever its bytes lead
        raise _UnusableError("not a file of weights") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise _UnusableError("not a file of weights")
    state = {name.removeprefix("backbone."): value for name, value in state.items()}
    own = detector.backbone.state_dict()
    for name, value in own.items():
        fits = name in state and state[name].shape == value.shape
        if not fits and name.startswith("logits."):
            state[name] = value  # published classifiers name thousands of people; ours stays random
        elif not fits and name.endswith("num_batches_tracked") and name not in state:
            state[name] = value  # weights older than this counter, which nothing here uses
        elif not fits:
            raise _UnusableError(f"{name} is absent or of another shape")
    detector.backbone.load_state_dict({name: state[name] for name in own})


def _fill_published(detector: Detector, url: str) -> None:
    """Fill in weights from torch's cache, or from `url`, which are then kept in the cache.

    Raises:
        _UnusableError: not to be had.
        InputError: the cache cannot be written to.
    """
    for path in _cached(url):
        if path.is_file():
            try:
                return _fill(detector, path)
            except _UnusableError:
                continue  # a damaged copy: the download replaces it
    blocks = _download(url)
    first = next(blocks, b"")  # nothing is written before the server has answered
    with atomic_write(_cached(url)[0]) as temporary:
        with temporary.open("wb") as file:
            file.write(first)
            file.writelines(blocks)
        _fill(detector, temporary)  # what cannot be used must not get into the cache


def _cached(url: str) -> list[Path]:
    """Where weights may lie: torch's cache, and one folder up, where facenet-pytorch itself keeps them."""
    name, hub = url.rsplit("/", 1)[-1], Path(torch.hub.get_dir())
    return [hub / "checkpoints" / name, hub.parent / "checkpoints" / name]


def _download(url: str) -> Iterator[bytes]:
    """The body of `url` in blocks, with a progress bar on a terminal.

    Raises:
        _UnusableError: no connection, an error status, or a body shorter than announced.
    """
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "torchfakes"})
        with urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT) as response:
            length = int(response.headers.get("Content-Length") or 0)
            received = 0
            with tqdm(total=length or None, unit="B", unit_scale=True, desc="weights", disable=None) as bar:
                while block := response.read(1 << 18):
                    received += len(block)
                    bar.update(len(block))
                    yield block
        if received < length:  # read() ends quietly where the connection does
            raise _UnusableError(f"only {received} of {length} bytes came")
    except urllib.error.HTTPError as error:
        raise _UnusableError(f"the server answered {error.code} {error.reason}".strip()) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        timed_out = isinstance(error, TimeoutError) or isinstance(reason, TimeoutError)
        raise _UnusableError(f"no answer for {DOWNLOAD_TIMEOUT} s" if timed_out else _one_line(reason)) from error


def _one_line(reason: object) -> str:
    return " ".join((getattr(reason, "strerror", None) or str(reason) or type(reason).__name__).split())
