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
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, fit, read_weights
from torchfakes_utils.models.imagenet import lite0_weights

# Where facenet-pytorch publishes its weights (2.5.3 knows the same addresses). No digests are published beside them,
# so a download counts as good when it has the length announced and every tensor that the network needs.
_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"
PRETRAINED_URLS = {
    "vggface2": f"{_RELEASE}/20180402-114759-vggface2.pt",
    "casia-webface": f"{_RELEASE}/20180408-102900-casia-webface.pt",
}
_TITLES = {"vggface2": "VGGFace2", "casia-webface": "CASIA-WebFace"}
DOWNLOAD_TIMEOUT = 20  # seconds without a byte


def build_detector(config: DetectorConfig, weights: Path | str | None = None) -> tuple[Detector, str | None]:
    """A detector ready to be trained, from a file, from published weights, or from random ones.

    Args:
        config: what to build.
        weights: a file of this architecture's weights (facenet-pytorch's `.pt`, a detector's `.safetensors`, what a
            training loop keeps), used instead of downloading `config.pretrained`. A classifier in it is kept if it has
            one output or two; see `foreign_weights.fit`.

    Returns:
        The detector, and None, or the one line that the user has to be told: the download failed and the weights are
        random, or what was done to make a file's fit. `detector.config.pretrained` says what the weights really are.

    Raises:
        InputError: `weights` cannot be used, or no such pretrained weights exist.
    """
    detector = Detector(config)
    if weights is not None:
        try:
            notes = _fill(detector, Path(weights))
        except UnusableWeightsError as error:
            raise InputError(f"{weights}: {error}; give weights of {config.architecture}") from error
        detector.config = replace(config, pretrained=Path(weights).name)
        return detector, f"{weights}: {'; '.join(notes)}" if notes else None
    if config.pretrained is None:
        return detector, None
    published = architecture(config.architecture).pretrained
    if config.pretrained not in published:
        choices = f"one of {', '.join(published)}, or none" if published else "none"
        raise InputError(f"no pretrained weights {config.pretrained!r} of {config.architecture}; choose {choices}")
    if config.pretrained == "imagenet":
        _fill_imagenet(detector)
        return detector, None
    try:
        if config.pretrained == "timm":
            _fill_timm(detector)
        else:
            _fill_published(detector, PRETRAINED_URLS[config.pretrained])
    except (UnusableWeightsError, InputError) as error:  # an InputError: the cache cannot be written to
        detector.config = replace(config, pretrained=None)
        why = f"could not download {_TITLES.get(config.pretrained, config.architecture)} weights ({error})"
        return detector, f"{why}; going on from random weights; give a file with --weights"
    return detector, None


def _fill_imagenet(detector: Detector) -> None:
    """Take the ImageNet weights that were installed with this package, but for the classifier.

    Raises:
        InputError: they are not there, or not those.
    """
    own = detector.backbone.state_dict()
    try:
        given = lite0_weights(own)
    except UnusableWeightsError as error:
        raise InputError(f"ImageNet weights: {error}; or begin from chance (--pretrained none)") from error
    kept = {name: own[name] for name in own if name not in given or name in _classifier_names(detector)}
    detector.backbone.load_state_dict(given | kept)


def _fill_timm(detector: Detector) -> None:
    """Take what timm has published for a network or its body, from the Hub or its cache.

    Raises:
        UnusableWeightsError: it cannot be had.
    """
    config = detector.config
    try:
        kind = architecture(config.architecture)
        if kind.fetch is None:
            raise UnusableWeightsError(f"timm has published none for {config.architecture}")
        dropout = kind.dropout if config.dropout is None else config.dropout
        detector.backbone = kind.fetch(config.preprocessing.size, dropout)
        detector.zero_classifier()
    except Exception as error:  # the Hub's client has a dozen of its own, and those of what it is built on
        reason = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
        raise UnusableWeightsError(reason.split(". ")[0]) from error


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
    expected = (sha256 or "").lower() or (record.read_text().split()[0] if record.is_file() else digest)
    if digest != expected:
        text = f"{path}: its SHA-256 is {digest} and should be {expected}; delete it and fetch it again"
        raise WrongChecksumError(text)
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
