"""The split files of FaceForensics++ as its authors publish them; `official_splits/NOTICE.md` names them."""

from pathlib import Path

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, sha256_of

FOLDER = Path(__file__).parent / "official_splits"
NAMES = ("train.json", "val.json", "test.json", "conversion_dict.json")


class WrongSplitsError(InputError):
    """A split file is there, and is another than the official one."""


def write_split_files(root: Path) -> Path:
    """Put the official split files into the folder `splits` of a data set, where they are not there yet; return it.

    Raises:
        WrongSplitsError: a file of that name is there and is another.
        InputError: the folder cannot be written to.
    """
    folder = root / "splits"
    for source in (FOLDER / name for name in NAMES):
        path = folder / source.name
        if not path.exists():
            with atomic_write(path) as temporary:
                temporary.write_bytes(source.read_bytes())
        elif not path.is_file() or sha256_of(path) != sha256_of(source):
            raise WrongSplitsError(f"{path}: is there, and is not the official file; move it away for that one")
    return folder
