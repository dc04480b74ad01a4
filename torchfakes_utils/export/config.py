"""What is exported, and how. Imports nothing heavy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import InputError, check_counts

FP32, INT8 = "fp32", "int8"
PRECISIONS = (FP32, INT8)
# Bytes a number in a file; of 8 bits with the scales that belong to them.
BYTES = {FP32: 4.0, INT8: 1.15}


@dataclass(frozen=True)
class ExportConfig:
    """What is exported, and how.

    Attributes:
        format: onnx, executorch (phones) or web (a page that judges in the browser).
        precisions: of fp32 and int8.
        faces: the faces.csv whose validation crops int8 is calibrated on, and whose test crops all is checked on; None
            looks for the run's own near it.
        out: the folder; None is RUN/export/FORMAT.
        crops: test crops that files are compared on, at most, spread evenly over the clips; and of validation crops, by
            which distances get their limit, as many or 1,000.
        threads: that compute a crop while times are taken; with one, files and PyTorch meet alike what else runs.
        say: told what is being done, a line each.

    Raises:
        InputError: an unknown format or precision, or none; crops or threads below 1.
    """

    format: str = "onnx"
    precisions: tuple[str, ...] = PRECISIONS
    faces: Path | None = None
    out: Path | None = None
    crops: int = 3000
    threads: int = 1
    say: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        from torchfakes_utils.export.runtimes import FORMATS  # only to check: options need no torch

        check_counts(self, "crops", "threads")
        if self.format not in FORMATS:
            raise InputError(f"no format {self.format!r}; choose one of {', '.join(FORMATS)}")
        wrong = [name for name in self.precisions if name not in PRECISIONS]
        if wrong or not self.precisions:
            raise InputError(f"no precision {(wrong or [''])[0]!r}; choose of {', '.join(PRECISIONS)}")
