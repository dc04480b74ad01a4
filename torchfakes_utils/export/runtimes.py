"""Where an exported detector can run: what a runtime has to offer, and those that there are.

To add one, write a class with what `Runtime` asks for, and name it in `RUNTIMES`; `torchfakes export --format`, its
checks and `torchfakes predict --network` then know it.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.executorch_format import ExecutorchRuntime
from torchfakes_utils.export.face_networks import FACE_NETWORKS
from torchfakes_utils.export.graph import Network
from torchfakes_utils.export.mtcnn_numpy import CascadeDetector, FaceCallable, FaceNetworks
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.faces.config import DEFAULTS, ExtractionConfig
from torchfakes_utils.models.detector import Detector


class Runtime(Protocol):
    """Makes files of one kind, and runs them; of each of its methods an `InputError` where a package is not installed.

    Attributes:
        name: as `torchfakes export --format` has it.
        suffix: of its files.
        files: what they are called, in the plural.
        packages: that it takes to make them, by the names under which they are imported and installed.
        extra: of ours that brings these packages.
    """

    name: str
    suffix: str
    files: str
    packages: tuple[str, ...]
    extra: str

    def export_detector(self, detector: Detector, path: Path) -> Path:
        """Write a detector in float32, and give the path; the detector is left as it is.

        Raises:
            InputError: its architecture cannot be translated.
        """

    def export_int8(self, detector: Detector, crops: np.ndarray, path: Path, fp32: Path | None = None) -> Path:
        """Write a detector in 8-bit integers, and give the path; the detector is left as it is.

        Args:
            detector: of any architecture.
            crops: (N, 3, S, S) uint8, of validation and not of test; some of them are used, see `calibration_set`.
            path: the file.
            fp32: what `export_detector` made of this detector, where it did: it need not be translated once more.

        Raises:
            InputError: its architecture cannot be translated.
        """

    def export_face_networks(self, folder: Path) -> dict[str, Path]:
        """Write the three face networks, as `mtcnn_numpy.FaceNetworks` has their shapes; gives the files by name."""

    def open(self, path: Path | str, threads: int | None = None) -> Network:
        """A detector that `export_detector` or `export_int8` wrote; `threads` compute (None: as many as PyTorch takes).

        Raises:
            InputError: it is something else.
        """

    def open_face_network(self, path: Path | str, threads: int | None = None) -> FaceCallable:
        """A network that `export_face_networks` wrote; what is raised, as by `open`."""


RUNTIMES: tuple[Runtime, ...] = (OnnxRuntime(), ExecutorchRuntime())

# The web page is made of ONNX files.
WEB = "web"
FORMATS = (*(runtime.name for runtime in RUNTIMES), WEB)


def runtime_for(format_name: str) -> Runtime:
    """The runtime that makes the files of one of `FORMATS`."""
    name = OnnxRuntime.name if format_name == WEB else format_name
    return next(runtime for runtime in RUNTIMES if runtime.name == name)


def load_network(path: Path | str, threads: int | None = None) -> Network:
    """An exported detector, to be run in the place of the detector itself.

    Args:
        path: of an export, such as detector.int8.onnx or detector.fp32.pte.
        threads: that compute one crop; None is as many as PyTorch takes.

    Raises:
        InputError: no such file, not a detector of ours, or a package is not installed.
    """
    for runtime in RUNTIMES:
        if runtime.suffix == Path(path).suffix:
            return runtime.open(path, threads)
    kinds = " nor ".join(runtime.suffix for runtime in RUNTIMES)
    raise InputError(f"{path}: neither {kinds}; give a file that `torchfakes export` made")


def load_face_detector(folder: Path | str, config: ExtractionConfig = DEFAULTS) -> CascadeDetector:
    """The face networks in the folder of an export, for `inference.Predictor.face_detectors`.

    Raises:
        InputError: they are not there, or cannot be run.
    """
    for runtime in RUNTIMES:
        paths = [Path(folder) / f"{name}{runtime.suffix}" for name in FACE_NETWORKS]
        if paths[0].is_file():
            return CascadeDetector(FaceNetworks(*map(runtime.open_face_network, paths)), config)
    raise InputError(f"{folder}: no face networks here; make them with `torchfakes export`")
