"""The split files of FaceForensics++ as its authors publish them: pinned, checked, and fetched once."""

from pathlib import Path, PurePosixPath

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import Patience, WrongChecksumError, download
from torchfakes_utils.io.files import sha256_of

GITHUB = "https://raw.githubusercontent.com/ondyari/FaceForensics"

# Commit and path of each, and its SHA-256.
_SPLITS = "e452f055b6eefee41289f9f4cf62718057688c5e/dataset/splits"
SPLIT_FILES = {
    f"{_SPLITS}/train.json": "e59386911255e6fb0a79a7808ec2210536b8c0474268342694c4bca766d1b347",
    f"{_SPLITS}/val.json": "b48cc511f66938e05356aaa9c67e150b1e3638c355db3d745225b0022884b36e",
    f"{_SPLITS}/test.json": "886f5a0da623c25820692e0d8dc33d197ddb1db527a7f1cfcb9bcbca60fe4f40",
    "ce4c3d6d33a8843e0995239110052ad2aba626cb/dataset/conversion_dict.json":
        "2d5e03a3d4bd47ef0e8c84881f595ca1e1ba191928fa50dcd30a470a7173612f",
}  # fmt: skip


def fetch_split_files(root: Path, patience: Patience, server: str = GITHUB) -> Path:
    """Put the official split files into the folder `splits` of a data set, where they are not there yet; return it.

    Raises:
        UnavailableError: the server does not give them.
        WrongChecksumError: it gives something else, or a file of that name is there and is another.
        InputError: the folder cannot be written to.
    """
    folder = root / "splits"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    for place, sha256 in SPLIT_FILES.items():
        path = folder / PurePosixPath(place).name
        if not path.is_file():
            download(f"{server}/{place}", path, patience, sha256)
        elif sha256_of(path) != sha256:
            raise WrongChecksumError(f"{path}: is there, and is not the official file; move it away for that one")
    return folder
