"""The way into `clips.csv` for a folder in any layout that is known here."""

from collections.abc import Sequence
from pathlib import Path

from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.datasets.other_layouts import READERS, recognise
from torchfakes_utils.datasets.splits import RULES, check_names
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import write_index


def index_clips(
    root: Path | str,
    out: Path | str | None = None,
    layout: str = "auto",
    methods: Sequence[str] | None = None,
    compressions: Sequence[str] | None = None,
    rule: str = "official",
) -> Path:
    """List a data set's videos in `clips.csv`, and split them.

    Args:
        root: the data set's folder; a partial download will do.
        out: the table to write, by default `root/clips.csv`; its paths are relative to its own folder.
        layout: "faceforensics", "celeb-df", "dfdc", or "auto", which sees it from the folders.
        methods: only these manipulations of FaceForensics++; None is all.
        compressions: only these, of "raw", "c23" and "c40"; None is all.
        rule: "official", or "strict": nobody, and no YouTube video, on two sides.

    Returns:
        The path of the table.

    Raises:
        InputError: no such layout or rule, nothing found, a choice that the layout does not have, or the table cannot
            be written.
    """
    root = Path(root)
    layout = recognise(root) if layout == "auto" else layout
    if layout == "faceforensics":
        return faceforensics.write_clips(root, out, methods, compressions, rule)
    if methods or compressions:
        raise InputError(f"--methods and --compressions are for FaceForensics++; {root} has the layout {layout}")
    check_names("layout", [layout], ["faceforensics", *READERS], "choose from")
    check_names("split", [rule], RULES, "choose from")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    return write_index(READERS[layout](root, rule), root, out)
