"""What is explained, and how. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import check_counts


@dataclass(frozen=True)
class ExplanationConfig:
    """What is explained, and how.

    Attributes:
        split: which rows of faces.csv.
        limit: pictures at most, one a clip.
        frames: crops of a clip at most that are measured, spread evenly over it; None is all.
        layer: of the network, a name from `Detector.feature_layers`; deeper is coarser. None is the usual one of the
            architecture, repeat_2 of InceptionResnetV1.
        method: grad-cam, grad-cam++ or layer-cam.
        data: the data set's folder, for its masks; None looks for it above the table.
        controls: networks with random weights that are measured beside.
        random_labels: a run of `train --random-labels`, measured beside as a control.
        checks: make the sanity checks and measure every layer and method.
        device: auto, cpu, cuda, …
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

    def __post_init__(self) -> None:
        check_counts(self, "limit", "frames")
