"""Detector and face networks as ONNX files: for onnxruntime on servers, in browsers, in programs of any language."""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.description import FACE_NETWORK, KEY, describe, describe_face_network, read_description
from torchfakes_utils.export.face_networks import FACE_INPUTS, FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.export.graph import Network, WholeDetector, calibration_set, in_short, need, quiet
from torchfakes_utils.export.mtcnn_numpy import FaceCallable
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.models.detector import Detector

_BATCH = 32


class OnnxRuntime:
    """ONNX files and onnxruntime; see `runtimes.Runtime`."""

    name, suffix, files, extra = "onnx", ".onnx", "ONNX files", "export"
    packages: tuple[str, ...] = ("onnx", "onnxscript", "onnxruntime")

    def export_detector(self, detector: Detector, path: Path) -> Path:
        """As of `Runtime`. The input is `crops` (B, 3, S, S) uint8, outputs are `logit` and `probability_fake` (B,)."""
        whole = WholeDetector(detector)
        example, free = whole.example(2), {0: torch.export.Dim("B")}  # of two: one would be taken for a constant
        model = _translated(whole, example, "crops", ("logit", "probability_fake"), free, detector.config.architecture)
        return _write(model, path, describe(detector, "fp32", self.packages))

    def export_int8(self, detector: Detector, crops: np.ndarray, path: Path) -> Path:
        """As of `Runtime`: `export_detector`, and `quantise` on these crops."""
        with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder:
            return quantise(self.export_detector(detector, Path(folder) / "detector.fp32.onnx"), crops, path)

    def export_face_networks(self, folder: Path) -> dict[str, Path]:
        """As of `Runtime`. For the names of inputs and outputs, see `FACE_INPUTS` and `FACE_OUTPUTS`."""
        paths = {}
        for name, network in face_networks().items():
            letters = {2: "H", 3: "W"} if name == "pnet" else {0: "N"}
            free = {place: torch.export.Dim(letter) for place, letter in letters.items()}
            model = _translated(network, face_example(name, 2), FACE_INPUTS[name], FACE_OUTPUTS[name], free, name)
            paths[name] = _write(model, folder / f"{name}.onnx", describe_face_network(name, self.packages))
        return paths

    def open(self, path: Path | str, threads: int | None = None) -> Network:
        """As of `Runtime`."""
        session = open_session(path, threads)
        description = read_description(session.get_modelmeta().custom_metadata_map.get(KEY), path)
        return Network(
            description, lambda crops: torch.from_numpy(session.run(["logit"], {"crops": crops.numpy()})[0]), _BATCH
        )

    def open_face_network(self, path: Path | str, threads: int | None = None) -> FaceCallable:
        """As of `Runtime`."""
        session = open_session(path, threads)
        read_description(session.get_modelmeta().custom_metadata_map.get(KEY), path, FACE_NETWORK)
        name = session.get_inputs()[0].name
        return lambda pixels: session.run(None, {name: pixels})


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

    What makes networks with depthwise convolutions small (EfficientNet-Lite0 and its like) holds few weights early on,
    and is coarse in integers: their first eighth of weights stays in float32. Of Lite0, fine-tuned on DFDC's faces at
    160 px, the error on test crops is 0.18 so, and was 1.26 with one convolution in float32, which cost 0.7 points of
    AUC; the file has 4.7 MB instead of 3.8. A crop takes 0.44 of InceptionResnetV1's time instead of 0.34 on a
    processor with VNNI, but 0.45 instead of 0.7 in a browser, whose depthwise convolutions are four times as slow in
    integers as in float32 on large pictures. With a fifth of the weights: 0.16, in no less time.

    Args:
        fp32_path: what `OnnxRuntime.export_detector` wrote.
        crops: (N, 3, S, S) uint8, of validation and not of test; some of them are used, see `calibration_set`.
        path: the new file, which is also what is returned.

    Raises:
        InputError: it is no exported detector, onnx or onnxruntime is not installed, or its operations cannot be
            quantised.
    """
    onnx, quantization = _need("onnx"), _need("onnxruntime.quantization")
    model = onnx.load(fp32_path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    description = read_description(properties.get(KEY), fp32_path)
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder, quiet():
        written = Path(folder) / "int8.onnx"
        try:
            quantization.quantize_static(
                model, written, _CalibrationReader(calibration_set(crops)), quant_format=quantization.QuantFormat.QDQ,
                per_channel=True, reduce_range=True, activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8, nodes_to_exclude=_kept_in_float(model),
                calibrate_method=quantization.CalibrationMethod.MinMax,
            )  # fmt: skip
        except Exception as error:  # anything, from deep inside
            raise InputError(
                f"{Path(fp32_path).name}: cannot be quantised ({in_short(error)}); use --precision fp32"
            ) from error
        model = onnx.load(written)
    return _write(model, path, description | {"precision": "int8"})


def _kept_in_float(model: Any) -> list[str]:
    """Names of the nodes up to the first convolution, and from the last dense layer on.

    Of a network with depthwise convolutions, of the nodes that hold the first eighth of all weights, too.
    """
    nodes = list(model.graph.node)  # in an order in which they can be computed
    shapes = {weights.name: tuple(weights.dims) for weights in model.graph.initializer}
    weighty = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "Gemm", "MatMul")]
    weights = [shapes.get(nodes[place].input[1], ()) for place in weighty]
    first = 1
    if any(len(shape) == 4 and shape[0] > 1 == shape[1] for shape in weights):  # (C, 1, k, k)
        sums = np.cumsum([math.prod(shape) for shape in weights])
        first = max(1, int(np.searchsorted(sums, sums[-1] / 8, side="right")))
    return [node.name for node in (*nodes[: weighty[first - 1] + 1], *nodes[weighty[-1] :])]


class _CalibrationReader:
    """The crops, some at a time, as onnxruntime's calibration asks for them (its `CalibrationDataReader`)."""

    def __init__(self, crops: np.ndarray) -> None:
        self._parts = iter([{"crops": crops[start : start + _BATCH]} for start in range(0, len(crops), _BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next crops; None ends it."""
        return next(self._parts, None)


def _translated(
    network: torch.nn.Module, example: torch.Tensor, given: str, outputs: Sequence[str], free: dict[int, Any], what: str
) -> Any:
    """A network as an ONNX model of any size in its `free` dimensions, without what can be computed beforehand."""
    for package in ("onnx", "onnxscript"):
        _need(package)
    try:
        with quiet():
            program: Any = torch.onnx.export(
                network.eval(), (example,), dynamo=True, verbose=False, input_names=[given],
                output_names=list(outputs), dynamic_shapes=(free,), external_data=False,
            )  # fmt: skip
    except Exception as error:  # anything, from deep inside
        raise InputError(f"{what} cannot be translated to ONNX ({in_short(error)})") from error
    return _simplified(program.model_proto)


def _simplified(model: Any) -> Any:
    """The model after those of onnxruntime's steps that fit every processor; batch norms go into convolutions."""
    onnx, onnxruntime = _need("onnx"), _need("onnxruntime")
    with tempfile.TemporaryDirectory(prefix="torchfakes-") as folder:
        written = Path(folder) / "simple.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = os.fspath(written)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(written)


def _strip(message: Any) -> None:
    """Take out what exporters note beside the graph, at every node: stack traces, with paths of this machine."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _strip(part)


def _write(model: Any, path: Path | str, description: Mapping[str, Any]) -> Path:
    onnx = _need("onnx")
    _strip(model)
    onnx.helper.set_model_props(model, {KEY: json.dumps(description, ensure_ascii=False)})
    model.producer_name, model.producer_version = "torchfakes", description.get("torchfakes", "")
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return Path(path)


def _need(package: str) -> ModuleType:
    return need(package, OnnxRuntime.files, OnnxRuntime.extra)
