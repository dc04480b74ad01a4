"""What is explained, and how. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExplanationConfig:
    """What is explained, and how.

    Attributes:
        split: which rows of faces.csv.
        limit: pictures that are drawn, one a clip.
        frames: crops of a clip that are measured, spread evenly over it; None is all.
        layer: a name from `Detector.feature_layers`; None is the usual one.
        method: one of `heat_maps.METHODS`.
        data: the data set's folder, for the masks; None looks for it above the table.
        controls: networks with random weights that are measured beside.
        random_labels: a run that was trained on random labels, measured beside.
        checks: make the sanity checks, and measure every layer and method.
        device: "auto", "cpu", "cuda", …
        progress: show bars on a terminal.
    """

    split: str = "test"
    limit: int = 24
    frames: int | None = None
    layer: str | None = None
    method: str = "grad-cam"
    data: Path | None = None
    controls: int = 3
    random_labels: Path | None = None
    checks: bool = True
    device: str = "auto"
    progress: bool = False
