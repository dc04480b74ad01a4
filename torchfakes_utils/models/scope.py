"""What a detector was trained on, and so what it can say anything about: one line, beside every verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from torchfakes_utils.io.values import checked_text, checked_texts

# Names under which data sets hold faces that are generated whole, after DF40 (Yan et al., NeurIPS 2024), FaceForensics'
# successors and the services themselves; compared without case, blanks and signs.
_GENERATED = frozenset(
    {
        "entirefacesynthesis", "generated", "gan", "stylegan", "stylegan2", "stylegan3", "styleganxl", "progan",
        "stargan", "vqgan", "ddim", "ddpm", "ldm", "dalle", "midjourney", "stablediffusion", "sd15", "sd21", "sdxl",
        "flux", "pixart", "dit", "sit", "rddm", "whichfaceisreal",
    }
)  # fmt: skip
# Kinds of forgery that are named in a line.
_NAMED = 6
# Letters of a name, at most.
MOST_IN_NAME = 300


@dataclass(frozen=True)
class Scope:
    """Where a detector's experience ends.

    Attributes:
        data: the data set's name; "" where it is not known.
        methods: kinds of forgery among its training fakes.
        compressions: of its training clips.
        practice: the data shows no real person, such as Mini-FF++: what is learned from it holds for it alone.
    """

    data: str = ""
    methods: tuple[str, ...] = ()
    compressions: tuple[str, ...] = ()
    practice: bool = False

    def __post_init__(self) -> None:
        """Refuse what are no words; JSON knows lists only.

        Raises:
            TypeError: something else, or a `practice` that is neither True nor False.
            ValueError: more words, or longer ones, than belong into a line.
        """
        checked_text(self.data, "a scope's data", MOST_IN_NAME)
        if not isinstance(self.practice, bool):
            raise TypeError("a scope whose practice is neither true nor false")
        for name in ("methods", "compressions"):
            object.__setattr__(self, name, checked_texts(getattr(self, name), f"a scope's {name}", MOST_IN_NAME))

    @property
    def line(self) -> str:
        """What a reader of a verdict has to know of it: the same words everywhere."""
        if not self.data and not self.methods:
            return f"what it was trained on is not known; {self._silent_on}"
        kinds = _listed(self.methods) or "no kind of forgery that is named"
        compressions = f" at {_listed(self.compressions)}" if any(self.compressions) else ""
        practice = ", practice data that shows no real person" if self.practice else ""
        return f"trained on {self.data or 'data without a name'}{practice}: {kinds}{compressions}; {self._silent_on}"

    @property
    def _silent_on(self) -> str:
        knows = any("".join(filter(str.isalnum, name.lower())) in _GENERATED for name in self.methods)
        return "it says nothing of " + ("sound" if knows else "wholly generated faces, nor of sound")


def _listed(words: Sequence[str]) -> str:
    """Some words, as people list them."""
    words = [word for word in words if word]
    some = words[:_NAMED] if len(words) <= _NAMED else [*words[: _NAMED - 1], f"{len(words) - _NAMED + 1} more"]
    return " and ".join(filter(None, (", ".join(some[:-1]), *some[-1:])))
