"""Where a detector's first weights come from: published ones, a file of the user's, or chance.

No pickle is ever trusted: files are read as numbers only, and a download counts once it holds every tensor of the
network.
"""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import Patience, UnavailableError, WrongChecksumError, download
from torchfakes_utils.io.files import atomic_write, sha256_of
from torchfakes_utils.models import timm_weights
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, fit, read_weights
from torchfakes_utils.models.imagenet import lite0_file, lite0_weights

# Where facenet-pytorch publishes its weights (2.5.3 knows the same addresses). No digests are published beside them,
# so a download counts as good when it has the length announced and every tensor that the network needs.
_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
PRETRAINED_URLS = {
    "vggface2": f"{_RELEASE}/20180402-114759-vggface2.pt",
    "casia-webface": f"{_RELEASE}/20180408-102900-casia-webface.pt",
}
_TITLES = {"vggface2": "VGGFace2", "casia-webface": "CASIA-WebFace"}
DOWNLOAD_TIMEOUT = 20  # seconds without a byte


def build_detector(
    config: DetectorConfig, weights: Path | str | None = None, required: bool = False
) -> tuple[Detector, str | None]:
    """A detector ready to be trained, from a file, from published weights, or from random ones.

    Args:
        config: what to build.
        weights: a file of this architecture's weights (facenet-pytorch's `.pt`, a detector's `.safetensors`, what a
            training loop keeps), used instead of downloading `config.pretrained`. A classifier in it is kept if it has
            one output or two; see `foreign_weights.fit`.
        required: whether random weights are of no use instead of published ones that cannot be had.

    Returns:
        The detector, and None, or the one line that the user has to be told: the download failed and the weights are
        random, or what was done to make a file's fit. `detector.config.pretrained` says what the weights really are.

    Raises:
        InputError: `weights` cannot be used, or no such pretrained weights exist, or `required` ones cannot be had.
    """
    detector = Detector(config)
    if weights is not None:
        try:
            notes = _fill(detector, Path(weights))
        except UnusableWeightsError as error:
            raise _unusable(weights, config, error) from error
        detector.config = replace(config, pretrained=Path(weights).name)
        return detector, f"{weights}: {'; '.join(notes)}" if notes else None
    if config.pretrained is None:
        return detector, None
    _check_published(config)
    if config.pretrained == "imagenet":
        _fill_imagenet(detector)
        return detector, None
    try:
        if config.pretrained == "timm":
            detector.backbone = timm_weights.fetched(config)
            detector.zero_classifier()
        else:
            _fill_published(detector, PRETRAINED_URLS[config.pretrained])
    except (UnusableWeightsError, InputError) as error:  # an InputError: the cache cannot be written to
        if required:
            raise _not_at_hand(config, error) from error
        detector.config = replace(config, pretrained=None)
        why = f"could not download {_title(config)} weights ({error})"
        return detector, f"{why}; going on from random weights; give a file with --weights"
    return detector, None


def check_at_hand(config: DetectorConfig, weights: Path | str | None = None, required: bool = False) -> None:
    """Find out in seconds, and without fetching anything, whether `build_detector` will refuse the same.

    Those of facenet-pytorch are found only by fetching them.

    Raises:
        InputError: as `build_detector`.
    """
    try:
        if weights is not None:
            if not Path(weights).is_file():
                raise _unusable(weights, config, UnusableWeightsError("no such file"))
            return
        if config.pretrained is None:
            return
        _check_published(config)
        if config.pretrained == "imagenet":
            lite0_file()
        elif config.pretrained == "timm" and required:
            timm_weights.check_at_hand(config)
    except UnusableWeightsError as error:
        raise _no_imagenet(error) if config.pretrained == "imagenet" else _not_at_hand(config, error) from error


def _check_published(config: DetectorConfig) -> None:
    """Refuse weights that nobody has published."""
    published = architecture(config.architecture).pretrained
    if config.pretrained not in published:
        choices = f"one of {', '.join(published)}, or none" if published else "none"
        raise InputError(f"no pretrained weights {config.pretrained!r} of {config.architecture}; choose {choices}")


def _title(config: DetectorConfig) -> str:
    return _TITLES.get(config.pretrained or "", config.architecture)


def _unusable(weights: Path | str, config: DetectorConfig, error: Exception) -> InputError:
    return InputError(f"{weights}: {error}; give weights of {config.architecture}")


def _not_at_hand(config: DetectorConfig, error: Exception) -> InputError:
    return InputError(
        f"{_title(config)} weights cannot be had ({error}), and of random ones too little would be trained to learn "
        "anything; give a file with --weights, or train all of them (--pretrained none --tune all)"
    )


def _no_imagenet(error: Exception) -> InputError:
    return InputError(f"ImageNet weights: {error}; or begin from chance (--pretrained none)")


def _fill_imagenet(detector: Detector) -> None:
    """Take the ImageNet weights that were installed with this package, but for the classifier.

    Raises:
        InputError: they are not there, or not those.
    """
    own = detector.backbone.state_dict()
    try:
        given = lite0_weights(own)
    except UnusableWeightsError as error:
        raise _no_imagenet(error) from error
    kept = {name: own[name] for name in own if name not in given or name in _classifier_names(detector)}
    detector.backbone.load_state_dict(given | kept)


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
        UnavailableError: they cannot be had.
        WrongChecksumError: their SHA-256 is another.
        InputError: there are no such weights, or the cache cannot be written to.
    """
    if name not in PRETRAINED_URLS:
        raise InputError(f"there are no weights {name!r}; there are {', '.join(PRETRAINED_URLS)}")
    detector = Detector(DetectorConfig(pretrained=None))
    try:
        path = _fill_published(detector, PRETRAINED_URLS[name], tries=3)  # who asks for nothing else will wait
    except UnusableWeightsError as error:
        text = f"{_TITLES[name]} weights cannot be had ({error}); try again later"
        raise UnavailableError(text, str(error)) from error
    digest = sha256_of(path)
    record = path.with_name(f"{path.name}.sha256")
    first = record.read_text().split()[:1] if record.is_file() else []
    expected = (sha256 or "").lower() or (first or [digest])[0]
    if digest != expected:
        text = f"{path}: its SHA-256 is {digest} and should be {expected}; delete it and fetch it again"
        other = f"that SHA-256 is of another file than {PRETRAINED_URLS[name]}"
        if not sha256:
            other = f"its publishers have changed it, and where you trust them, {record.name} has to go, too"
        raise WrongChecksumError(f"{text}; if that does not help, {other}")
    with atomic_write(record) as temporary:
        temporary.write_text(f"{digest}  {path.name}\n")
    return path, digest


def _fill(detector: Detector, path: Path) -> list[str]:
    """Copy weights from a file into the detector, all of them or none; return what their user has to know of them.

    Raises:
        UnusableWeightsError: unreadable, or not this network's weights.
    """
    fitted = fit(read_weights(path), detector.backbone.state_dict(), _classifier_names(detector))
    detector.backbone.load_state_dict(fitted.state)
    return fitted.notes


def _classifier_names(detector: Detector) -> set[str]:
    """The parameters of the last layer, as the backbone names them."""
    last = {id(parameter) for parameter in detector.classifier.parameters()}
    return {name for name, parameter in detector.backbone.named_parameters() if id(parameter) in last}


def _fill_published(detector: Detector, url: str, tries: int = 1) -> Path:
    """Fill in weights from torch's cache, or from `url`, which are then kept in the cache; return the file there.

    Raises:
        UnusableWeightsError: not to be had.
        InputError: the cache cannot be written to.
    """
    name, hub = url.rsplit("/", 1)[-1], Path(torch.hub.get_dir())
    path = hub / "checkpoints" / name
    for cached in (path, hub.parent / "checkpoints" / name):  # one folder up, facenet-pytorch itself keeps them
        with contextlib.suppress(UnusableWeightsError):  # none there, or a damaged copy: the download replaces it
            _fill(detector, cached)
            return cached
    try:
        # What cannot be used must not get into the cache.
        download(url, path, Patience(DOWNLOAD_TIMEOUT, tries), check=partial(_fill, detector), title="weights")
    except UnavailableError as error:
        raise UnusableWeightsError(error.reason) from error
    return path
