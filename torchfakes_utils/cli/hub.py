"""To the Hugging Face Hub and back: `push`, `pull`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.cli.command import DONE, Command, RunCommand
from torchfakes_utils.cli.options import argument
from torchfakes_utils.cli.output import Output, say


@dataclass(frozen=True)
class Push(RunCommand):
    """Publish a run's best detector, its model card and report on the Hub.

    Attributes:
        name: the repository on the Hugging Face Hub.
        public: for everybody; otherwise only its owner sees it.
        revision: the branch to write to; None is the main one.
        message: of the commit; None says which weights they are.
    """

    name: str = argument("OWNER/NAME")
    public: bool = False
    revision: str | None = None
    message: str | None = None

    def run(self, output: Output) -> int:
        """Publish it; where it is then is the record."""
        from torchfakes_utils.hub.push import push

        pushed = push(self.fetched(), self.name, not self.public, self.revision, self.message)
        output.record(dataclasses.asdict(pushed))
        seen = "private" if pushed.private else "public"
        output.line(f"{', '.join(pushed.files)} are at {pushed.url} ({seen})")
        output.line(f"this detector for ever: hf://{self.name}@{pushed.commit}")
        for note in pushed.notes:
            say(note)
        return DONE


@dataclass(frozen=True)
class Pull(Command):
    """Fetch a detector from the Hub, and check it.

    Attributes:
        name: the repository on the Hugging Face Hub.
        revision: a branch, a tag or a commit; None is the main branch.
        out: folder for a copy; None keeps it only in the Hub's cache.
    """

    name: str = argument("OWNER/NAME")
    revision: str | None = None
    out: Path | None = None

    def run(self, output: Output) -> int:
        """Fetch it; the commit and the folder are the record."""
        from torchfakes_utils.hub import pull

        cached = pull.pull(self.name, self.revision)
        folder = cached if self.out is None else pull.copy(cached, self.out)
        output.record({"name": self.name, "commit": cached.name, "folder": str(folder)})
        output.line(f"{self.name} at commit {cached.name} is in {folder}")
        return DONE
