"""What a folder holds of a published detector already, and whether that is what is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub.catalogue import PUBLISHED
from torchfakes_utils.hub.offers import newest, offer_of_files, weights_in
from torchfakes_utils.io.files import read_json, sha256_of
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.likeness import Likeness
from torchfakes_utils.models.run_files import DETECTOR_FILE, WEIGHTS_FILE
from torchfakes_utils.models.stored import stored_decision, stored_likeness

OTHER = "choose another folder, or delete this one"


@dataclass(frozen=True)
class Held:
    """A published detector in a folder.

    Attributes:
        run: the folder.
        name: in `PUBLISHED`.
        commit: that it was made of; None of files that were fetched by hand.
        sha256: of the file that it was made of.
    """

    run: Path
    name: str
    commit: str | None
    sha256: str

    def __str__(self) -> str:
        """As a message begins that is about it."""
        made = "of files fetched by hand" if self.commit is None else f"at commit {self.commit}"
        return f"{self.run}: holds {self.name} {made}"

    def damage(self) -> InputError | None:
        """What is wrong with it, if anything is."""
        try:
            load_detector(self.run)
        except InputError as error:
            return error
        return None

    def fixed(self) -> tuple[Decision, Likeness | None] | None:
        """What was fixed here, by `torchfakes calibrate` or `evaluate`, and is no part of what was fetched.

        Returns:
            The decision, and the likeness by which it refuses; None where nothing was, or either cannot be read.
        """
        try:
            found = stored_decision(self.run)
            return (found, stored_likeness(self.run, found)) if found.is_fixed else None
        except InputError:
            return None


def origin_of(run: Path) -> dict[str, Any]:
    """Where a published detector came from, as `pull_published` has written it down; {} of any other."""
    try:
        return dict(read_json(run / DETECTOR_FILE)["extra"]["published"])
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def held(name: str, run: Path) -> Held | None:
    """The detector called `name` that a folder holds; None where it holds none.

    Raises:
        InputError: it holds something else, or half of something.
    """
    if not (run / DETECTOR_FILE).exists():
        if (run / WEIGHTS_FILE).exists():
            raise InputError(
                f"{run / WEIGHTS_FILE}: nobody knows what it is, for there is no {DETECTOR_FILE} beside it; move it "
                "away and pull again"
            )
        return None
    try:
        read_json(run / DETECTOR_FILE)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run / DETECTOR_FILE}: damaged ({error}), so that nobody knows what it is; {OTHER}"
        ) from error
    origin = origin_of(run)
    if origin.get("name") != name:
        raise InputError(f"{run}: holds another detector; {OTHER}")
    commit = origin.get("revision")
    return Held(run, name, None if commit is None else str(commit), str(origin.get("sha256")))


def compared(found: Held, revision: str | None) -> str:
    """What there is to know of a detector that is there and asked for again: which commit it is, and which is newest.

    Raises:
        InputError: `revision` is another one, or it cannot be told.
    """
    published = PUBLISHED[found.name]
    if revision is None and published.revision is not None:
        if published.sha256 == found.sha256:
            return ""
        return f"{found}, and this TorchFakes names {published.revision}; to have that, {OTHER}"
    if revision is None and found.commit is None:
        return f"{found}, which is compared with nothing"
    if revision == found.commit:
        return ""
    try:
        commit, _, sha256 = newest(published.repository, revision)
    except InputError as error:
        if revision is None:
            return f"{found}; whether that is the newest cannot be told ({error})"
        raise InputError(f"{found}; whether that is {revision} cannot be told ({error})") from error
    asked = "the newest" if revision is None else revision
    if commit == found.commit:
        return f"{found}, which is {asked}"
    if sha256 == found.sha256:
        return f"{found}; {asked} is commit {commit}, whose weights are the same"
    if revision is None:
        return f"{found}; the newest is {commit}: to have that, {OTHER}, and pull again"
    raise InputError(f"{found}, and {revision} is {'' if revision == commit else f'commit {commit}, '}another; {OTHER}")


def check_same_file(found: Held, files: Path) -> None:
    """See that a detector was made of just this file.

    Raises:
        InputError: it was not, or there is no such file.
    """
    offer_of_files(found.name, files)
    weights = weights_in(files, PUBLISHED[found.name])
    if sha256_of(weights) != found.sha256:
        raise InputError(f"{found}, which is another file than {weights}; {OTHER}")
