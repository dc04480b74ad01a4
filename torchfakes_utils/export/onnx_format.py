"""Detector and face networks as ONNX files: for onnxruntime on servers, in browsers, in programs of any language."""

import importlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.graph import (
    FACE_INPUTS,
    FACE_NETWORK,
    FACE_OUTPUTS,
    FORMAT,
    KEY,
    WholeDetector,
    at_size,
    calibration_set,
    describe,
    face_example,
    face_networks,
    quiet,
    read_description,
    versions,
)
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.models.detector import Detector

_OUTPUTS = ("logit", "probability_fake")
_BATCH = 32


class OnnxNetwork:
    """An exported detector, run by onnxruntime.

    Attributes:
        path: the file.
        description: what `export_graph.describe` said of it.
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        """Load the file; `threads` compute one crop (None: as many as PyTorch would take).

        Raises:
            InputError: not an exported detector, or onnxruntime is not installed.
        """
        self.path = Path(path)
        self._session = open_session(path, threads)
        self.description = read_description(_embedded(self._session), path)

    def __call__(self, crops: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
        """Logits (B,) float32 of crops (B, 3, S, S) uint8: a tensor for a tensor, an array for an array."""
        parts = at_size(torch.as_tensor(crops), self.description).cpu().split(_BATCH)
        found = [self._session.run(["logit"], {"crops": part.numpy()})[0] for part in parts if len(part)]
        logits = np.concatenate(found) if found else np.zeros(0, np.float32)
        return torch.from_numpy(logits) if isinstance(crops, torch.Tensor) else logits


def open_session(path: Path | str, threads: int | None = None) -> Any:
    """An onnxruntime session on the CPU.

    Raises:
        InputError: no such file, no ONNX model, or onnxruntime is not installed.
    """
    onnxruntime = _need("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    # Threads that wait for work by running in circles would take the cores from whoever else computes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; make it with `torchfakes export`")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds are not public
        raise InputError(f"{path}: not an ONNX model that can be run; export it again") from error


def face_callable(path: Path | str, threads: int | None = None) -> Callable[[np.ndarray], Sequence[np.ndarray]]:
    """An exported face network, as `cascade.FaceNetworks` wants it.

    Raises:
        InputError: not an exported face network.
    """
    session = open_session(path, threads)
    read_description(_embedded(session), path, FACE_NETWORK)
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})


def _embedded(session: Any) -> str | None:
    """The description that a model brings along."""
    return session.get_modelmeta().custom_metadata_map.get(KEY)


def export_detector(detector: Detector, path: Path | str) -> Path:
    """Write the detector in float32.

    Args:
        detector: of any architecture; it is left as it is.
        path: the file. Its input is `crops` (B, 3, S, S) uint8, its outputs `logit` (B,) and `probability_fake` (B,).

    Returns:
        The path.

    Raises:
        InputError: onnx or onnxscript is not installed, or the architecture cannot be translated.
    """
    whole = WholeDetector(detector)
    # A batch of two: one would be taken for a constant.
    model = _translated(
        whole, whole.example(2), "crops", _OUTPUTS, {0: torch.export.Dim("B")}, detector.config.architecture
    )
    return _write(_simplified(model), path, describe(detector, "fp32"))


def export_face_networks(folder: Path | str) -> dict[str, Path]:
    """Write `pnet.onnx`, `rnet.onnx` and `onet.onnx`; see `cascade.FaceNetworks` for their shapes, by name here.

    The input is `image` of the first and `patches` of the others; the outputs are `probability`, `offsets` and, of the
    third, `landmarks`.

    Raises:
        InputError: onnx or onnxscript is not installed.
    """
    paths = {}
    for name, network in face_networks().items():
        free = {2: "H", 3: "W"} if name == "pnet" else {0: "N"}
        dimensions = {place: torch.export.Dim(letter) for place, letter in free.items()}
        model = _translated(network, face_example(name, 2), FACE_INPUTS[name], FACE_OUTPUTS[name], dimensions, name)
        description = {"format": FORMAT, "kind": FACE_NETWORK, "name": name}
        paths[name] = _write(_simplified(model), Path(folder) / f"{name}.onnx", description)
    return paths


def export_int8(detector: Detector, crops: np.ndarray, path: Path | str) -> Path:
    """Write the detector in 8-bit integers: `export_detector`, and `quantise` on these crops.

    Raises:
        InputError: as of both.
    """
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder:
        return quantise(export_detector(detector, Path(folder) / "detector.fp32.onnx"), crops, path)


def quantise(fp32_path: Path | str, crops: np.ndarray, path: Path | str) -> Path:
    """Write a detector in 8-bit integers: a quarter of the size, and a third of the time.

    Static quantisation, weights by channel. Chosen on validation crops of Mini-FF++ (InceptionResnetV1): the root of
    the mean square of the logit's error, on people that it was not calibrated on, is 0.065 as it is here, at 36 % of
    float32's time. The alternatives:

    - First convolution and last dense layer in integers, too: 0.089, in no less time; and logits beyond those of
      calibration are cut off. Three or six convolutions in float32: 0.052 and 0.046, but 58 % of the time.
    - Ranges without the farthest 0.01 % or 0.001 % of values: 0.40 and 0.11, for those are what matters. By entropy:
      the same ranges, found more slowly.
    - Weights of 8 bits, not 7: 0.061, but on processors without VNNI sums of them overflow.
    - Signed activations: 0.066, in twice the time.


    Args:
        fp32_path: what `export_detector` wrote.
        crops: (N, 3, S, S) uint8, of validation and not of test; some of them are used, see `calibration_set`.
        path: the new file.

    Returns:
        The path.

    Raises:
        InputError: it is no exported detector, onnx or onnxruntime is not installed, or its operations cannot be
            quantised.
    """
    onnx = _need("onnx")
    _need("onnxruntime")
    from onnxruntime import quantization

    model = onnx.load(fp32_path)
    description = read_description(_metadata(model).get(KEY), fp32_path)
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder, quiet():
        written = Path(folder) / "int8.onnx"
        try:
            quantization.quantize_static(
                model,
                written,
                _reader(calibration_set(crops)),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=_kept_in_float(model),
                calibrate_method=quantization.CalibrationMethod.MinMax,
            )
        except Exception as error:  # anything, from deep inside
            why = " ".join(str(error).split())[:200]
            raise InputError(f"{fp32_path}: cannot be quantised ({why}); use --precision fp32") from error
        model = onnx.load(written)
    return _write(model, path, description | {"precision": "int8"})


def made_with() -> dict[str, str]:
    """Versions of the packages that made a file."""
    return versions("torch", "onnx", "onnxscript", "onnxruntime")


def _kept_in_float(model: Any) -> list[str]:
    """Names of the nodes up to the first convolution, and from the last dense layer on."""
    nodes = list(model.graph.node)  # in an order in which they can be computed
    weighty = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "Gemm", "MatMul")]
    if not weighty:
        return []
    return [node.name for place, node in enumerate(nodes) if place <= weighty[0] or place >= weighty[-1]]


def _reader(crops: np.ndarray) -> Any:
    """The crops, as onnxruntime's calibration asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Some crops at a time; None ends it."""

        def __init__(self) -> None:
            self._parts: Iterator[np.ndarray] = (
                crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH)
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            part = next(self._parts, None)
            return None if part is None else {"crops": part}

    return Reader()


def _translated(
    network: torch.nn.Module,
    example: torch.Tensor,
    input_name: str,
    outputs: Sequence[str],
    dimensions: Mapping[int, Any],
    what: str,
) -> Any:
    """A network as an ONNX model, batch norms folded into convolutions where one follows the other."""
    for package in ("onnx", "onnxscript"):
        _need(package)
    try:
        with quiet():
            program = torch.onnx.export(
                network.eval(), (example,), dynamo=True, verbose=False, input_names=[input_name],
                output_names=list(outputs), dynamic_shapes=(dict(dimensions),), external_data=False,
            )  # fmt: skip
    except Exception as error:  # anything, from deep inside
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{what} cannot be translated to ONNX ({why})") from error
    return program.model_proto


def _simplified(model: Any) -> Any:
    """The model without what can be computed beforehand, by those of onnxruntime's steps that fit every processor."""
    onnx, onnxruntime = _need("onnx"), _need("onnxruntime")
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder:
        written = Path(folder) / "simple.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = os.fspath(written)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(written)


def _write(model: Any, path: Path | str, description: Mapping[str, Any]) -> Path:
    onnx = _need("onnx")
    text = json.dumps({**description, "made_with": made_with()}, ensure_ascii=False)
    onnx.helper.set_model_props(model, {KEY: text})
    model.producer_name, model.producer_version = "torchfakes", description.get("torchfakes", "")
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return Path(path)


def _metadata(model: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def _need(package: str) -> Any:
    """An optional package.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(f"ONNX files need {package}: pip install 'torchfakes[export]'") from error
