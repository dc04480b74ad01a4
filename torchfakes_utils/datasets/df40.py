"""DF40 as its authors give it out: forty ways of forging, of the films of FaceForensics++ and Celeb-DF.

Yan et al., "DF40: Toward Next-Generation Deepfake Detection", NeurIPS 2024. A folder a method (`simswap`, `sadtalker`,
`ddim`, …), in it `ff` and `cdf` by whose films were forged, and in these frames of faces, a folder a film
(`simswap/ff/frames/000_003/012.png`; some without `frames`, some with films, and generated faces one by one). It holds
fakes only: their originals are put beside them as they come, in `FaceForensics++` and `Celeb-DF-v2`. Nine methods whose
films are of neither hold `real` and `fake` themselves.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets import split_files, splits
from torchfakes_utils.datasets.own_table import UNKNOWN
from torchfakes_utils.io.clips import below, clips_in, is_picture
from torchfakes_utils.io.tables import INDEX_COLUMNS

logger = logging.getLogger(__name__)

_FF, _CDF = ("ff",), ("cdf", "cdfv2")
# Where originals lie beside the methods, by kind.
_ORIGINALS = {
    "youtube": ("FaceForensics++", "original_sequences", "youtube", "c23"),
    "Celeb-real": ("Celeb-DF-v2", "Celeb-real"),
    "YouTube-real": ("Celeb-DF-v2", "YouTube-real"),
}
# Parts of the name of a fake of Celeb-DF: target, source, film.
_PARTS = 3


def is_df40(root: Path) -> bool:
    """Whether folders in it hold `ff` or `cdf`."""
    return root.is_dir() and any(_domains(folder) for folder in _folders(root))


def df40(root: Path, rule: str = "official") -> pd.DataFrame:
    """List what there is of DF40.

    Fakes of FaceForensics++'s films, and these, are split as it is, officially; all else is for testing.
    """
    del rule  # there is only one
    rows = [*_originals(root), *_fakes(root)]
    clips = pd.DataFrame(rows, columns=INDEX_COLUMNS)
    of_ff = clips["split"] == ""
    pairs = splits.read_splits(split_files.FOLDER)
    named = clips.assign(method=clips["method"].where(clips["label"] == 0, "Deepfakes"))  # whose pairs these are
    clips["split"] = clips["split"].where(~of_ff, splits.assign_splits(named[of_ff], pairs)["split"])
    known = set(clips.loc[clips["label"] == 0, "clip_id"])
    clips["original_id"] = clips["original_id"].where(clips["original_id"].isin(known), "")
    if not (clips["label"] == 0).any():
        logger.warning(
            "%s: no real clips; put FaceForensics++ and Celeb-DF-v2 beside the methods, with the originals in them",
            root,
        )
    return clips.sort_values(["label", "method", "clip_id"], ignore_index=True)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _domains(folder: Path) -> dict[str, Path]:
    """Its `ff` and `cdf`, where they are there; some archives hold a folder of their own name."""
    inside = below(folder, folder.name)
    found = {}
    for names in (_FF, _CDF):
        places = [below(place, name) for place in (folder, inside) for name in names]
        if there := next((place for place in places if place.is_dir()), None):
            found[names[0]] = there
    return found


def _clips(folder: Path) -> dict[str, Path]:
    """Films, folders of frames and single photos in a folder, by name."""
    found, _ = clips_in(folder)
    if found:
        return found
    place = below(folder, "frames") if below(folder, "frames").is_dir() else folder
    films = {path.name: path for path in _folders(place) if any(map(is_picture, path.iterdir()))}
    return films or {path.stem: path for path in sorted(place.iterdir()) if is_picture(path)}


def _originals(root: Path) -> Iterator[tuple[object, ...]]:
    """The `INDEX_COLUMNS` of each original."""
    for kind, places in _ORIGINALS.items():
        folder = below(root, *places)
        for name, path in (_clips(folder) if folder.is_dir() else {}).items():
            person = f"youtube {name}" if kind == "YouTube-real" else name.split("_")[0]
            split = "" if kind == "youtube" else "test"
            yield name, path.relative_to(root).as_posix(), 0, kind, UNKNOWN, person, "", split, ""


def _fakes(root: Path) -> Iterator[tuple[object, ...]]:
    """The same of each fake, and of the reals that methods bring along."""
    originals = {places[0].casefold() for places in _ORIGINALS.values()}
    for folder in (folder for folder in _folders(root) if folder.name.casefold() not in originals):
        for domain, place in _domains(folder).items():
            for name, path in _clips(place).items():
                target, source, original = _pair(name, domain)
                relative = path.relative_to(root).as_posix()
                split = "" if domain == "ff" and source else "test"
                yield name, relative, 1, folder.name, UNKNOWN, target, source, split, original
        for label, kind in enumerate(("real", "fake")):
            place = below(folder, kind)
            for name, path in (_clips(place) if place.is_dir() else {}).items():
                method = folder.name if label else f"{folder.name} real"
                relative = path.relative_to(root).as_posix()
                yield name, relative, label, method, UNKNOWN, f"{folder.name} {name}", "", "test", ""


def _pair(name: str, domain: str) -> tuple[str, str, str]:
    """Target, source and original, where a name tells them: `000_003`, `id0_id1_0000`."""
    parts = name.split("_")
    if domain == "ff" and len(parts) == _PARTS - 1:
        return parts[0], parts[1], parts[0]
    if domain != "ff" and len(parts) == _PARTS:
        return parts[0], parts[1], f"{parts[0]}_{parts[2]}"
    return name, "", name
