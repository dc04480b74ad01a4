"""What is about to be fetched of a published detector, or read: found out, and said, before a byte of its weights."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub.catalogue import HUB, PUBLISHED, Published
from torchfakes_utils.hub.pull import PICKLED
from torchfakes_utils.hub.repository import COMMIT
from torchfakes_utils.io.files import parse_json
from torchfakes_utils.io.hub_client import hub_client, is_gone, one_line, repository_info
from torchfakes_utils.io.text import printable
from torchfakes_utils.models.run_files import MOST_BYTES, WEIGHTS_FILE

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

CONFIG_FILE = "config.json"
_MOST_CONFIG = 10**5  # bytes


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


def by_hand(name: str, run: Path) -> str:
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


def weights_in(files: Path, published: Published) -> Path:
    """The file of weights that is meant by a folder, or by itself where the detector is but one file."""
    return files if published.release and not files.is_dir() else files / published.file


def offer_of_files(name: str, files: Path) -> Offer:
    """Of files that were fetched by hand: a folder, or of DeepfakeBench the file.

    Raises:
        InputError: they are not there, or are something else.
    """
    published = PUBLISHED[name]
    weights = weights_in(files, published)
    if published.release:
        if not weights.is_file():
            raise InputError(f"{weights}: no such file; get {published.file} from {published.page}")
        return Offer(name, published, weights.name, None, weights.stat().st_size, None, False)
    both = f"{CONFIG_FILE} and {WEIGHTS_FILE}"
    if not files.is_dir():
        if files.exists():
            raise InputError(f"{files}: a file, and {name} is two, {both}; give the folder that holds them")
        raise InputError(f"{files}: no such folder; get {both} from {published.page} into one")
    there = sorted(path.name for path in files.iterdir())
    if not weights.is_file():
        raise InputError(f"{files}: {_what_is_missing(there)}; get {CONFIG_FILE} and it from {published.page}")
    if CONFIG_FILE not in there:
        raise InputError(f"{files}: no {CONFIG_FILE} beside {WEIGHTS_FILE}; get it from {published.page}")
    _check_config(files / CONFIG_FILE, str(files), f"get it again from {published.page}")
    pinned = published.sha256 is not None
    return Offer(name, published, str(files), None, weights.stat().st_size, published.sha256, pinned)


def offer_from_hub(name: str, revision: str | None) -> Offer:
    """What the Hub says of it; of the repository only its list of files and its `config.json` are read.

    Raises:
        InputError: the Hub does not answer, has no such commit, or what it has is something else.
    """
    published = PUBLISHED[name]
    repository = published.repository
    commit, size, sha256 = newest(repository, revision)
    pinned = published.sha256 is not None and commit == published.revision
    if pinned and sha256 != published.sha256:
        raise InputError(
            f"{repository}: commit {commit} should hold weights of the SHA-256 {published.sha256}, and the Hub "
            f"names {sha256}; do not use it, and tell us"
        )
    # Not by way of the Hub's cache: a damaged copy there would be read again for ever.
    with tempfile.TemporaryDirectory() as folder, one_line(repository):
        config = hub_client().hf_hub_download(repository, CONFIG_FILE, revision=commit, local_dir=folder)
        _check_config(Path(config), f"{repository} at commit {commit}", "take another commit (--revision)")
    return Offer(name, published, f"{HUB}/{repository}", commit, size, sha256, pinned)


def newest(repository: str, revision: str | None) -> tuple[str, int, str]:
    """The commit that a branch, a tag or a commit means now, None the main branch; and its weights' size and SHA-256.

    Raises:
        InputError: the Hub does not answer, has no such commit, or what it has is something else.
    """
    with one_line(repository):
        info = repository_info(hub_client(), repository, revision, sizes=True)
    if not COMMIT.fullmatch(info.sha or ""):
        raise InputError(f"{repository}: the Hub names no commit; check HF_ENDPOINT")
    return (str(info.sha), *_weights_of(repository, info))


def why_gone(name: str, revision: str | None, error: InputError) -> InputError:
    """The error of a commit that nobody has asked for, and that the Hub has no more; any other as it is."""
    published = PUBLISHED[name]
    if revision is not None or not is_gone(error):
        return error
    return InputError(
        f"{published.repository}: commit {published.revision}, which this TorchFakes names, is no longer there; update "
        "TorchFakes, or take what is there now with --revision main: nobody here knows what that is worth"
    )


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
    if weights.size is None or stored is None:
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


def _check_config(path: Path, where: str, remedy: str) -> None:
    """See that features are divided by their length before the head, which no tensor tells.

    Raises:
        InputError: the file says otherwise, or is none.
    """
    try:
        head = dict(parse_json(path.read_bytes()[:_MOST_CONFIG])).get("head")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{where}: {CONFIG_FILE} cannot be read ({error}); {remedy}") from error
    if head != "LinearNorm":
        raise InputError(
            f"{where}: {CONFIG_FILE} describes another network (head {printable(repr(head)[:40])}, and GenD's is "
            f"'LinearNorm'); {remedy}"
        )
