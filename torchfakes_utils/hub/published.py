"""Detectors that others have published in a form of their own: made a folder of a detector, like any other.

What one is, what may be done with it and how large it is, is said before a byte of weights is fetched, and has to be
accepted. Only numbers are read, never code, and the digest of the file that they came from stays with them.
"""

import contextlib
import dataclasses
import datetime
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub import parts
from torchfakes_utils.hub.catalogue import PUBLISHED, Published
from torchfakes_utils.hub.held import OTHER, Held, check_same_file, compared, held
from torchfakes_utils.hub.offers import Offer, by_hand, offer_from_hub, offer_of_files, weights_in, why_gone
from torchfakes_utils.hub.pull import WORK, check_place
from torchfakes_utils.hub.repository import check_revision
from torchfakes_utils.io.downloads import Patience, UnavailableError, download_large
from torchfakes_utils.io.files import check_room, sha256_of
from torchfakes_utils.io.hub_client import TIMEOUT, NoAnswerError, authorization, is_gone, reason, status
from torchfakes_utils.models import deepfakebench
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import DetectorConfig, filled, outlined, save
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, read_weights
from torchfakes_utils.models.gend import ENCODERS, translated
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.provenance import provenance
from torchfakes_utils.models.run_files import WEIGHTS_FILE

if TYPE_CHECKING:
    import torch


logger = logging.getLogger(__name__)

# A gigabyte: who asks for it will wait.
_PATIENCE = Patience(timeout=TIMEOUT, tries=4, pause=5)


def pull_published(
    name: str,
    run: Path | None,
    accept: Callable[[Offer], bool],
    files: Path | None = None,
    revision: str | None = None,
) -> Path:
    """Make the folder of a detector from what others have published; return it.

    A call that was broken off goes on where it was, with the commit that it began. Of one that is done, nothing is
    fetched again; what is there is compared with what is asked for, and damage is mended.

    Args:
        name: in `PUBLISHED`.
        run: the folder; None is `runs/NAME`.
        accept: is told what it is before anything of it is fetched, and says whether its user agrees.
        files: a folder with its files, fetched by hand, or of DeepfakeBench the file; None asks the Hub.
        revision: a commit, branch or tag instead of the one that TorchFakes names.

    Raises:
        InputError: it cannot be had, is something else, does not fit on the disk, or was not accepted.
    """
    run = WORK / name if run is None else run
    _check_revision(name, files, revision)
    found = held(name, run)
    damage = None if found is None else found.damage()
    if found is not None and damage is None:
        _say_what_is_there(found, files, revision)
        return run
    if found is not None and damage is not None:
        if files is None and found.commit is None:
            raise damage
        logger.warning("%s; it is made again", str(damage).split("; ")[0])
        revision = None if files is not None else found.commit
    check_place(run)
    outlined(_config(PUBLISHED[name]))  # before anything is fetched: timm may be too old, or absent
    if files is not None:
        return _from_files(name, run, accept, files, found)
    return _from_hub(name, run, accept, revision, found)


def _check_revision(name: str, files: Path | None, revision: str | None) -> None:
    """See that a revision is one, and that there is something that has revisions."""
    check_revision(name, revision)
    if revision is None:
        return
    if files is not None:
        raise InputError(
            f"{name}: files of yours are what they are, whatever the revision; leave out --revision or --files"
        )
    if not PUBLISHED[name].repository:
        raise InputError(f"{name}: is not on the Hub, and has no revisions; leave out --revision")


def _say_what_is_there(found: Held, files: Path | None, revision: str | None) -> None:
    """See that a folder holds what is asked for, and say what there is to know of it."""
    if files is not None:
        check_same_file(found, files)
    elif PUBLISHED[found.name].repository and (note := compared(found, revision)):
        logger.warning("%s", note)


def _from_files(name: str, run: Path, accept: Callable[[Offer], bool], files: Path, found: Held | None) -> Path:
    """Of files that were fetched by hand."""
    offer = offer_of_files(name, files)
    _accepted(offer, accept)
    check_room(run, offer.size)
    weights = weights_in(files, offer.published)
    digest = _checked_digest(weights, offer)
    _check_same(found, digest, str(weights))
    made = _made(run, weights, offer, digest, found)
    parts.forget(run)
    return made


def _from_hub(name: str, run: Path, accept: Callable[[Offer], bool], revision: str | None, found: Held | None) -> Path:
    """Of the files on the Hub."""
    other_way = by_hand(name, run)
    if not PUBLISHED[name].repository:
        raise InputError(f"{name}: is not on the Hub; {other_way}")
    with _or(other_way):
        offer = _offer(name, run, revision, found)
    assert offer.revision is not None  # of the Hub's
    assert offer.sha256 is not None
    _check_same(found, offer.sha256, f"{offer.source} at commit {offer.revision}")
    _accepted(offer, accept)
    fetched = parts.place(run, offer.revision)
    check_room(run, 2 * offer.size - parts.size(run))
    from torchfakes_utils.datasets.official_script import locked

    with locked(run):
        for other in parts.forget(run, but=offer.revision):
            logger.warning("%s: what had come of commit %s is deleted", run, other)
        if not (fetched.is_file() and sha256_of(fetched) == offer.sha256):
            with _or(f"the same command goes on where it broke off; or {other_way}"):
                _download(offer, fetched)
        made = _made(run, fetched, offer, offer.sha256, found)
        parts.forget(run)
    return made


def _offer(name: str, run: Path, revision: str | None, found: Held | None) -> Offer:
    """What the Hub has at the commit that is asked for, or that an earlier call has begun."""
    named = revision or PUBLISHED[name].revision
    begun = None if named else parts.begun(run)
    try:
        offer = offer_from_hub(name, begun[0] if begun else named)
    except InputError as error:
        if found is not None and is_gone(error):
            raise InputError(f"{found}, damaged, and that is no longer on the Hub; {OTHER}") from error
        if not begun or not is_gone(error):
            raise why_gone(name, revision, error) from error
        logger.warning("%s: commit %s, of which a part had come, is no longer there; beginning again", run, begun[0])
        return offer_from_hub(name, None)
    if begun:
        had = f"{begun[1] / 1e6:,.0f} MB"
        logger.warning(
            "%s: going on with commit %s, of which %s are there (the newest: --revision main)", run, begun[0], had
        )
    return offer


def _download(offer: Offer, fetched: Path) -> None:
    """Fetch the weights, all of them or, where that breaks off, as many as come.

    Raises:
        UnavailableError: they did not come.
        InputError: they are refused, or there is no room for them.
    """
    from huggingface_hub import hf_hub_url

    repository = offer.published.repository
    address = hf_hub_url(repository, WEIGHTS_FILE, revision=offer.revision)
    assert offer.sha256 is not None
    try:
        download_large(address, fetched, offer.size, offer.sha256, _PATIENCE, offer.name, authorization())
    except UnavailableError as error:
        if error.final and status(error) is not None:
            raise InputError(f"{repository}: {reason(repository, error)}") from error
        raise


def _config(published: Published) -> DetectorConfig:
    wanted = architecture(published.architecture).input
    size = published.size or wanted.size
    preprocessing = Preprocessing(size, wanted.mean, wanted.std, crop_scale=1.3, crop_size=size)
    return DetectorConfig(published.architecture, published.repository or published.file, preprocessing=preprocessing)


def _accepted(offer: Offer, accept: Callable[[Offer], bool]) -> None:
    if not accept(offer):
        raise InputError(
            f"{offer.name}: nothing was fetched: its licence was not accepted; read it at {offer.published.page} and "
            "say --accept-licence"
        )


def _check_same(found: Held | None, digest: str, what: str) -> None:
    """See that what is damaged is made again from the file that it was made of.

    Raises:
        InputError: it is another one.
    """
    if found is not None and found.sha256 != digest:
        raise InputError(f"{found}, damaged, and {what} is another file; {OTHER}")


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
def _or(what: str) -> Iterator[None]:
    """Where the way to the Hub is closed, say what can be done without it."""
    try:
        yield
    except (UnavailableError, NoAnswerError) as error:
        raise InputError(f"{error}; {what}") from error


def _made(run: Path, weights: Path, offer: Offer, digest: str, found: Held | None) -> Path:
    """The detector in its folder, whole or not at all; what was fixed for one that is made again stays with it."""
    config = _config(offer.published)
    try:
        state = _state(weights, config)
    except UnusableWeightsError as error:
        remedy = f"get {offer.published.file} from {offer.published.page}"
        if offer.revision is not None:
            parts.forget(run)  # of no use, however often it is fetched
            remedy = f"it is what commit {offer.revision} holds, so take another one (--revision), or tell its owner"
        raise InputError(
            f"{offer.source}: not the weights of {offer.name} ({config.architecture}): {error}; {remedy}"
        ) from error
    detector = filled(config, state)
    detector.decision = Decision(scope=offer.published.scope)
    if found is not None and (kept := found.fixed()) is not None:
        decision, detector.likeness = kept
        detector.decision = dataclasses.replace(decision, scope=offer.published.scope)
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
