"""The arguments of `data_download.sh`.

By hand: argparse has words of its own for each of these errors, which are part of what the script promises.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torchfakes_utils.errors import InputError


class UsageError(InputError):
    """Wrong usage, or TorchFakes is not installed."""


@dataclass
class Words:
    """The arguments of a command: values of options, options without one, and what stands by itself."""

    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, command: str, argv: Sequence[str], valued: Sequence[str] = (), flags: Sequence[str] = ()) -> "Words":
        """Sort the words of a command line.

        Raises:
            UsageError: an option is unknown, or has no value.
        """
        found, words = cls(), iter(argv)
        for word in words:
            if word in valued:
                value = next(words, None)
                if value is None:
                    raise UsageError(f"{word} needs a value (see --help)")
                found.values[word] = value
            elif word in flags:
                found.flags.add(word)
            elif word.startswith("-"):
                raise UsageError(f"{command} has no option '{word}' (see --help)")
            else:
                found.places.append(word)
        return found

    def folder(self, command: str, default: Path) -> Path:
        """The only word by itself."""
        if len(self.places) > 1:
            first, second, *_ = self.places
            raise UsageError(f"{command} takes one folder, not '{first}' and '{second}' (see --help)")
        return Path(self.places[0]) if self.places else default

    def count(self, name: str) -> int | None:
        """A value that is a whole number above 0."""
        text = self.values.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and int(text)):
            raise UsageError(f"{name} needs a whole number above 0")
        return None if text is None else int(text)

    def several(self, name: str, default: Sequence[str], known: Collection[str], noun: str) -> tuple[str, ...]:
        """A value that is known words with blanks between them."""
        words = tuple(self.values[name].split()) if name in self.values else tuple(default)
        for word in words:
            if word not in known:
                raise UsageError(f"there is no {noun} '{word}' (see --help)")
        return words
