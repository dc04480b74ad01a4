"""Detectors that others have published in a form of their own: made a folder of a detector, like any other.

What one is, what may be done with it and how large it is, is said before a byte of weights is fetched, and has to be
accepted. Only numbers are read, never code, and the digest of the file that they came from stays with them.
"""

import contextlib
import datetime
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub.pull import PICKLED, WORK, check_place
from torchfakes_utils.hub.repository import TIMEOUT, hub_client, one_line, repository_info, status
from torchfakes_utils.io.downloads import Patience, UnavailableError, download_large
from torchfakes_utils.io.files import check_room, parse_json, read_json, sha256_of
from torchfakes_utils.io.text import printable
from torchfakes_utils.models import deepfakebench
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.deepfakebench import EFFICIENTNET_B4, XCEPTION
from torchfakes_utils.models.deepfakebench import SIZE as BENCH_SIZE
from torchfakes_utils.models.detector import DetectorConfig, filled, load_detector, outlined, save
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, read_weights
from torchfakes_utils.models.gend import ENCODERS, translated
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.provenance import provenance
from torchfakes_utils.models.run_files import DETECTOR_FILE, MOST_BYTES, WEIGHTS_FILE

if TYPE_CHECKING:
    import torch
    from huggingface_hub import ModelInfo

CONFIG_FILE = "config.json"
_FETCHED = ".fetched"  # in the run's folder, where a file is until it is translated
_MOST_CONFIG = 10**5  # bytes
# A gigabyte: who asks for it will wait.
_PATIENCE = Patience(timeout=TIMEOUT, tries=4, pause=5)
_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Published:
    """Somebody's detector.

    Attributes:
        title: what it is and who made it.
        architecture: by which it is computed here.
        repository: on the Hub; "" of one whose file its user has to have.
        licence: what may be done with it.
        trained_on: what it has learned from.
        revision: the commit that is taken; None: the one that the Hub names when it is first asked.
        sha256: of the weights in that commit, where it is known.
        size: edge of its crops, pixels; None is the architecture's own.
        release: the page of its file, where it is not on the Hub.
        file: what that is called there.
    """

    title: str
    architecture: str
    repository: str
    licence: str
    trained_on: str
    revision: str | None = None
    sha256: str | None = None
    size: int | None = None
    release: str = ""
    file: str = WEIGHTS_FILE

    @property
    def page(self) -> str:
        """Where its files are listed, for people."""
        if self.release:
            return self.release
        return f"{_HUB}/{self.repository}/tree/{self.revision or 'main'}"


_GEND = "by Yermakov, Cech, Matas and Fritz (WACV 2026, arXiv 2508.06248)"
_FFPP = "FaceForensics++ (c23), whose terms allow research alone; its faces were turned upright, ours are not"
_BENCH = "by Yan, Zhang, Yuan, Lyu and Wu (DeepfakeBench, NeurIPS 2023)"
_NC = "CC BY-NC 4.0: nothing commercial, and its authors have to be named"
_RELEASE = "https://github.com/SCLBD/DeepfakeBench/releases/tag/v1.0.1"
PUBLISHED = {
    "gend-clip-l14": Published(
        f"GenD on CLIP ViT-L/14, {_GEND}",
        "GenD-CLIP-L14",
        "yermandy/GenD_CLIP_L_14",
        "MIT; its encoder is OpenAI's CLIP, MIT",
        _FFPP,
        # Not looked up by us, who have no way to the Hub: as several public projects give them that have loaded it.
        "891ce014a0308386c4d7d25b3dcf436a22db5504",
        "d76f0bdfd74a29fe1b1c1b84a80ac92486993e426878e8c7a3944281fbb96833",
    ),
    "gend-pe-l": Published(
        f"GenD on Perception Encoder L/14, {_GEND}",
        "GenD-PE-L",
        "yermandy/GenD_PE_L",
        "MIT; its encoder is Meta's Perception Encoder, Apache 2.0",
        _FFPP,
    ),
    "gend-dinov3-l": Published(
        f"GenD on DINOv3 ViT-L/16, {_GEND}",
        "GenD-DINOv3-L",
        "yermandy/GenD_DINOv3_L",
        "MIT, say its authors; its encoder is Meta's DINOv3, under the DINOv3 Licence, which is not MIT "
        "(https://ai.meta.com/resources/models-and-libraries/dinov3-license)",
        _FFPP,
    ),
    "deepfakebench-xception": Published(
        f"Xception, {_BENCH}", XCEPTION, "", _NC, _FFPP, size=BENCH_SIZE, release=_RELEASE, file="xception_best.pth"
    ),
    "deepfakebench-effnb4": Published(
        f"EfficientNet-B4, {_BENCH}",
        EFFICIENTNET_B4,
        "",
        _NC,
        _FFPP,
        size=BENCH_SIZE,
        release=_RELEASE,
        file="effnb4_best.pth",
    ),
}


@dataclass(frozen=True)
class Offer:
    """What is about to be fetched, or read.

    Attributes:
        name: in `PUBLISHED`.
        published: what is known of it.
        source: where it comes from.
        revision: the commit; None of files of the user's.
        size: bytes of its weights.
        sha256: what they have to be; None where nothing is known beforehand.
        pinned: whether this commit is the one that TorchFakes names.
    """

    name: str
    published: Published
    source: str
    revision: str | None
    size: int
    sha256: str | None
    pinned: bool

    def lines(self) -> list[str]:
        """All that has to be known before, for people."""
        one, at = self.published, f" at commit {self.revision}" if self.revision else ""
        from_here = self.revision is None
        lines = [
            f"{self.name}: {one.title}",
            f"from {self.source}{at}",
            f"{'reads' if from_here else 'fetches'} {self.size / 1e6:,.0f} MB of weights, and makes as much of them",
            f"licence: {one.licence}",
            f"trained on {one.trained_on}",
        ]
        if not self.pinned:
            lines.append("TorchFakes knows no digest of it: its commit and SHA-256 are written down in detector.json")
        return lines


def pull_published(
    name: str,
    run: Path | None,
    accept: Callable[[Offer], bool],
    files: Path | None = None,
    revision: str | None = None,
) -> Path:
    """Make the folder of a detector from what others have published; return it.

    A call that was broken off goes on where it was; of one that is done, nothing is fetched again.

    Args:
        name: in `PUBLISHED`.
        run: the folder; None is `runs/NAME`.
        accept: is told what it is before anything of it is fetched, and says whether its user agrees.
        files: a folder with its files, fetched by hand, or of DeepfakeBench the file; None asks the Hub.
        revision: a commit, branch or tag instead of the one that TorchFakes names.

    Raises:
        InputError: it cannot be had, is something else, does not fit on the disk, or was not accepted.
    """
    published = PUBLISHED[name]
    run = WORK / name if run is None else run
    if _is_there(name, run, revision):
        load_detector(run)
        return run
    check_place(run)
    by_hand = _by_hand(name, run)
    outlined(_config(published))  # before anything is fetched: timm may be too old, or absent
    if files is not None:
        offer = _offer_of(name, published, files, revision)
        _accepted(offer, accept)
        check_room(run, offer.size)
        weights = _weights_in(files, published)
        return _made(run, weights, offer, _checked_digest(weights, offer))
    if not published.repository:
        raise InputError(f"{name}: is not on the Hub; {by_hand}")
    with _or_by_hand(by_hand):
        offer = _offer_from_hub(name, published, revision)
    _accepted(offer, accept)
    fetched = run / _FETCHED / WEIGHTS_FILE
    check_room(run, 2 * offer.size - _bytes_of(fetched.parent))
    from torchfakes_utils.datasets.official_script import locked

    with locked(run), _or_by_hand(f"the same command goes on where it broke off; or {by_hand}"):
        if not fetched.is_file():
            download_large(_address(offer), fetched, offer.size, offer.sha256 or "", _PATIENCE, title=name)
        made = _made(run, fetched, offer, sha256_of(fetched))
        shutil.rmtree(fetched.parent, ignore_errors=True)
    return made


def _by_hand(name: str, run: Path) -> str:
    """What to do where the Hub cannot be asked."""
    published = PUBLISHED[name]
    licence = f"licence: {published.licence}"
    if published.release:
        return (
            f"save {published.file} from {published.page} ({licence}), then torchfakes pull {name} {run} --files "
            f"{published.file}"
        )
    return (
        f"by hand: save {CONFIG_FILE} and {WEIGHTS_FILE} from {published.page} ({licence}) in a folder FILES, then "
        f"torchfakes pull {name} {run} --files FILES"
    )


def _is_there(name: str, run: Path, revision: str | None) -> bool:
    """Whether a run holds this very detector."""
    if not (run / DETECTOR_FILE).is_file():
        return False
    origin = origin_of(run)
    if origin.get("name") == name and revision in (None, origin.get("revision")):
        return True
    raise InputError(f"{run}: holds another detector; choose another folder, or delete this one")


def origin_of(run: Path) -> dict[str, Any]:
    """Where a published detector came from, as `pull_published` has written it down; {} of any other."""
    try:
        return dict(read_json(run / DETECTOR_FILE)["extra"]["published"])
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _config(published: Published) -> DetectorConfig:
    wanted = architecture(published.architecture).input
    size = published.size or wanted.size
    preprocessing = Preprocessing(size, wanted.mean, wanted.std, crop_scale=1.3, crop_size=size)
    return DetectorConfig(published.architecture, published.repository or published.file, preprocessing=preprocessing)


def _offer_of(name: str, published: Published, files: Path, revision: str | None) -> Offer:
    """Of files that were fetched by hand."""
    weights = _weights_in(files, published)
    there = sorted(path.name for path in files.iterdir()) if files.is_dir() else []
    if published.release:
        if not weights.is_file():
            raise InputError(f"{weights}: no such file; get {published.file} from {published.page}")
        return Offer(name, published, weights.name, None, weights.stat().st_size, None, False)
    if not weights.is_file():
        raise InputError(f"{files}: {_what_is_missing(there)}; get {CONFIG_FILE} and it from {published.page}")
    if CONFIG_FILE not in there:
        raise InputError(f"{files}: no {CONFIG_FILE} beside {WEIGHTS_FILE}; get it from {published.page}")
    _check_config(files / CONFIG_FILE, str(files))
    pinned = published.sha256 is not None and revision in (None, published.revision)
    expected = published.sha256 if pinned else None
    return Offer(name, published, str(files), None, weights.stat().st_size, expected, pinned)


def _weights_in(files: Path, published: Published) -> Path:
    """The file of weights that is meant by a folder, or by itself where the detector is but one file."""
    return files if published.release and not files.is_dir() else files / published.file


def _offer_from_hub(name: str, published: Published, revision: str | None) -> Offer:
    """What the Hub says of it; of the repository only its list of files and its `config.json` are read."""
    api, repository = hub_client(), published.repository
    asked = revision or published.revision
    with one_line(repository):
        info = repository_info(api, repository, asked, sizes=True)
        size, sha256 = _weights_of(repository, info)
        commit = str(info.sha)
        pinned = published.sha256 is not None and commit == published.revision
        if pinned and sha256 != published.sha256:
            raise InputError(
                f"{repository}: commit {commit} should hold weights of the SHA-256 {published.sha256}, and the Hub "
                f"names {sha256}; do not use it, and tell us"
            )
        config = Path(api.hf_hub_download(repository, CONFIG_FILE, revision=commit))
    _check_config(config, repository)
    return Offer(name, published, f"{_HUB}/{repository}", commit, size, sha256, pinned)


def _weights_of(repository: str, info: "ModelInfo") -> tuple[int, str]:
    """Size and SHA-256 of a repository's weights, as the Hub keeps them beside them."""
    found = {file.rfilename: file for file in info.siblings or []}
    if WEIGHTS_FILE not in found:
        raise InputError(f"{repository}: {_what_is_missing(sorted(found))}; ask its owner for it")
    if CONFIG_FILE not in found:
        raise InputError(f"{repository}: holds no {CONFIG_FILE}; check the revision")
    config = found[CONFIG_FILE].size
    if config is None or config > _MOST_CONFIG:
        raise InputError(f"{repository}: its {CONFIG_FILE} is too large to be one; check the revision")
    weights = found[WEIGHTS_FILE]
    stored: Any = weights.lfs
    if weights.size is None or stored is None or not info.sha:
        raise InputError(f"{repository}: the Hub names no size or digest of {WEIGHTS_FILE}; check HF_ENDPOINT")
    if weights.size > MOST_BYTES[WEIGHTS_FILE]:
        most = MOST_BYTES[WEIGHTS_FILE] / 1e6
        raise InputError(f"{repository}: {WEIGHTS_FILE} is {weights.size / 1e6:,.0f} MB, more than the {most:,.0f} MB "
                         "that are fetched")  # fmt: skip
    return weights.size, str(stored.sha256)


def _what_is_missing(names: list[str]) -> str:
    pickled = [name for name in names if name.endswith(PICKLED)]
    if pickled:
        return f"holds only pickled weights ({pickled[0]}), which can run code when they are opened, no {WEIGHTS_FILE}"
    return f"holds no {WEIGHTS_FILE}"


def _check_config(path: Path, where: str) -> None:
    """See that features are divided by their length before the head, which no tensor tells.

    Raises:
        InputError: the file says otherwise, or is none.
    """
    try:
        head = dict(parse_json(path.read_bytes()[:_MOST_CONFIG])).get("head")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{where}: {CONFIG_FILE} cannot be read ({error}); fetch it again") from error
    if head != "LinearNorm":
        raise InputError(
            f"{where}: {CONFIG_FILE} describes another network (head {printable(repr(head)[:40])}, and GenD's is "
            "'LinearNorm'); check which repository it is of"
        )


def _accepted(offer: Offer, accept: Callable[[Offer], bool]) -> None:
    if not accept(offer):
        raise InputError(
            f"{offer.name}: nothing was fetched: its licence was not accepted; read it at {offer.published.page} and "
            "say --accept-licence"
        )


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def _address(offer: Offer) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(offer.published.repository, WEIGHTS_FILE, revision=offer.revision)


def _checked_digest(weights: Path, offer: Offer) -> str:
    """The SHA-256 of a file that was fetched by hand.

    Raises:
        InputError: it should be another.
    """
    digest = sha256_of(weights)
    if offer.sha256 not in (None, digest):
        raise InputError(
            f"{weights}: half a file, or of another commit: its SHA-256 is {digest} and should be {offer.sha256}; "
            f"fetch it again from {offer.published.page}"
        )
    return digest


@contextlib.contextmanager
def _or_by_hand(what: str) -> Iterator[None]:
    """Where the way to the Hub is closed, say what can be done without it."""
    try:
        yield
    except UnavailableError as error:
        raise InputError(f"{error}; {what}") from error
    except InputError as error:
        if error.__cause__ is None or status(error) is not None:  # ours, or an answer of the Hub's
            raise
        raise InputError(f"{error}; {what}") from error


def _made(run: Path, weights: Path, offer: Offer, digest: str) -> Path:
    """The detector in its folder, whole or not at all."""
    config = _config(offer.published)
    try:
        state = _state(weights, config)
    except UnusableWeightsError as error:
        shutil.rmtree(run / _FETCHED, ignore_errors=True)  # of no use, however often it is fetched
        raise InputError(f"{offer.source}: not the weights of {offer.name} ({config.architecture}): {error}") from error
    detector = filled(config, state)
    origin = {
        "name": offer.name,
        "title": offer.published.title,
        "source": offer.source if offer.revision else offer.published.page,
        "by_hand": offer.revision is None,
        "revision": offer.revision or (offer.published.revision if offer.pinned else None),
        "pinned": offer.pinned,
        "sha256": digest,
        "licence": offer.published.licence,
        "trained_on": offer.published.trained_on,
        "accepted": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
    }
    return save(detector, run, {"published": origin, **provenance()})


def _state(weights: Path, config: DetectorConfig) -> dict[str, "torch.Tensor"]:
    """Their tensors by the names of ours."""
    own = outlined(config).backbone.state_dict()
    content = read_weights(weights)
    if config.architecture in ENCODERS:
        given = translated(content, ENCODERS[config.architecture], own)
    else:
        given = deepfakebench.translated(content, config.architecture, own)
    return {f"backbone.{name}": value for name, value in given.items()}
