"""Labeled Faces in the Wild: 13,233 photos of 5,749 public figures, from the press of 2002 to 2004, without a form.

Source: Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild: A Database for Studying Face Recognition in
Unconstrained Environments", University of Massachusetts, Amherst, Technical Report 07-49, 2007. Its first home is gone
(torchvision no longer fetches from there); address and checksum are those of scikit-learn's `fetch_lfw_people`, which
makes arrays of the pictures, and not files.

Nobody on these photos was asked. They are people who were written about, three men for each woman and most of them
white: what is learned from them is learned about such faces, and may be worth less on others.
"""

import tarfile
from pathlib import Path, PurePosixPath

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.clips import is_picture
from torchfakes_utils.io.downloads import Patience, UnavailableError, WrongChecksumError, download
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.folders import Stamp, owned, replaced_folder
from torchfakes_utils.io.names import leads_down

URL = "https://ndownloader.figshare.com/files/5976018"
# By SHA-256: the photos as they are, and the same turned upright ("funneled").
ARCHIVES = {
    "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0": "lfw.tgz",
    "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a": "lfw-funneled.tgz",
}
_OTHERWISE = (
    "get lfw.tgz elsewhere and give it with --archive FILE or --mirror URL, or a folder of photos instead of lfw"
)


def fetch_lfw(folder: Path | str, archive: Path | None = None, mirror: str | None = None) -> Path:
    """Get the photos, a folder a person; what is there is not fetched again.

    Args:
        folder: for the photos; appears whole or not at all.
        archive: the archive, where somebody has it; None fetches it (173 MB), and keeps it no longer than it takes.
        mirror: another address of the same file.

    Returns:
        `folder`.

    Raises:
        InputError: the archive cannot be had, or is another one; other things are in the folder, or it cannot be
            written to.
    """
    folder = Path(folder)
    stamp = Stamp("LFW's photos", "torchfakes faces", 1)
    if owned(folder, stamp) is not None:
        return folder
    if archive is not None:
        _unpack(_checked(archive), folder, stamp)
        return folder
    fetched = folder.with_name(f".{folder.name}.tgz")
    try:
        _download(mirror or URL, fetched)
        _unpack(fetched, folder, stamp)
    finally:
        fetched.unlink(missing_ok=True)
    return folder


def _download(url: str, path: Path) -> None:
    try:
        download(url, path, Patience(tries=3), check=_checked, title="LFW")
    except WrongChecksumError as error:
        raise InputError(f"{url}: is no archive of LFW that we know; {_OTHERWISE}") from error
    except UnavailableError as error:
        raise InputError(f"{error}; {_OTHERWISE}") from error


def _checked(archive: Path) -> Path:
    """The archive, if it is one of those that we know.

    Raises:
        WrongChecksumError: it is not.
        InputError: it cannot be read.
    """
    try:
        digest = sha256_of(archive)
    except OSError as error:
        raise InputError(f"{archive}: cannot be read ({error.strerror})") from error
    if digest not in ARCHIVES:
        known = " or ".join(f"{name} ({sha256[:12]}…)" for sha256, name in ARCHIVES.items())
        raise WrongChecksumError(
            f"{archive}: is not {known}, for its SHA-256 is {digest[:12]}…; a folder of photos can be given instead"
        )
    return archive


def _unpack(archive: Path, folder: Path, stamp: Stamp) -> None:
    """Write the photos that an archive holds, and nothing else of it.

    Raises:
        InputError: it holds none, or the folder cannot be written to.
    """
    with tarfile.open(archive, "r:gz") as packed, replaced_folder(folder, stamp) as fresh:
        for member in packed:
            path = PurePosixPath(member.name)
            if not (member.isfile() and len(path.parts) >= 2 and leads_down(member.name) and is_picture(Path(path))):
                continue
            file = packed.extractfile(member)
            assert file is not None  # it is a regular file
            place = fresh / path.parent.name / path.name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(file.read())
