"""What a table's texts may become on disk, and where a path that a table or a record names may lead.

Tables and records are other people's: a clip may be called `/home/me/holiday`, `..`, `CON` or "" as well as `000_003`.
Whoever makes a file or a folder by such a text asks `components` for its name, and whoever follows a path of theirs
asks `path_below` for the place.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PureWindowsPath

from torchfakes_utils.errors import InputError

# Of a name in UTF-8. File systems take 255 bytes, those that encrypt names 143; an ending comes after it.
MOST_BYTES = 120
# Of a text that cannot be a name, what is kept for people to recognise it by.
_READABLE = 40

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9]) *(\..*)?", re.DOTALL)
_QUOTED = re.compile(r"~[0-9a-f]{32}\Z")


def components(texts: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """The name on disk of each of the texts of a table: one component of a path, another one for every text.

    A text that is a plain name stays as it is. Any other, and all those that differ by no more than case, Unicode form
    or invisible characters, which some file systems take for one, get what can be read of them and a digest.

    Args:
        texts: all that are to lie side by side, such as a table's methods.
        taken: names that lie there already.

    Returns:
        By text, a name of at most `MOST_BYTES` bytes that every system takes.
    """
    texts = set(texts)
    alike = Counter(map(_folded, texts))
    alike.update({_folded(name) for name in taken})
    return {text: text if alike[_folded(text)] == 1 and _is_plain(text) else _quoted(text) for text in texts}


def leads_down(path: str) -> bool:
    """Whether a path is one to something below the folder it is taken from, links aside: on any system."""
    pure = PureWindowsPath(path)  # takes "/" and "\\", and knows drives
    parts = pure.parts
    return bool(parts) and not pure.anchor and ".." not in parts and "\0" not in path


def path_below(folder: Path, path: str | Path) -> Path:
    """Where a relative path leads in a folder, and not out of it, whether by `..`, by a drive or by a link.

    Raises:
        InputError: it leads elsewhere, or is no path.
    """
    try:
        inside = leads_down(str(path)) and (folder / path).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that is too long, a loop of links
        inside = False
    if not inside:
        raise InputError(f"{folder}: the path {str(path)[:200]!r} leads out of this folder; only what is in it is used")
    return folder / path


def _is_plain(text: str) -> bool:
    """Whether every system takes a text as a name, as it is; hidden ones are ours to choose."""
    try:
        fits = 0 < len(text.encode()) <= MOST_BYTES
    except UnicodeEncodeError:  # half a character
        return False
    folded = _folded(text)
    usual = text[:1] not in (" ", ".") and text[-1:] not in (" ", ".") and not _FORBIDDEN.search(text)
    return fits and usual and not _DEVICE.fullmatch(folded) and not _QUOTED.search(folded)


def _folded(text: str) -> str:
    """The same for all texts that some file system takes for the same name, and for some that none does."""
    seen = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
    # By capitals first: NTFS compares these. A second form, for letters whose other case has one of its own.
    return unicodedata.normalize("NFKC", seen.upper().casefold())


def _quoted(text: str) -> str:
    # Without dots, for what comes before one may be a device.
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_")[:_READABLE]
    return f"{readable}~{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"
