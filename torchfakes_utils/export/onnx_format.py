"""Detector and face networks as ONNX files: for onnxruntime on servers, in browsers, in programs of any language."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.description import FACE_NETWORK, KEY, describe, describe_face_network, read_description
from torchfakes_utils.export.face_networks import FACE_INPUTS, FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.export.graph import Network, WholeDetector, calibration_set, in_short, quiet
from torchfakes_utils.export.mtcnn_numpy import FaceCallable
from torchfakes_utils.export.onnx_graph import EXTRA, FILES, PACKAGES, need_onnx, translated, write
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.models.detector import Detector

# What a detector gives.
OUTPUTS = ("logit", "probability_fake", "distance")

# Crops of a call; each is looked at twice.
_BATCH = 16
# Operations with weights.
_WEIGHTY = ("Conv", "Gemm", "MatMul")
# Numbers of a matrix that share a scale; of 128, the error is twice as large, for a quarter less time.
_BLOCK = 32
# What onnxruntime calls an accuracy level: activations become integers, too. Else it takes longer than float32 does.
_ACTIVATIONS_TOO = 4


class OnnxRuntime:
    """ONNX files and onnxruntime; see `runtimes.Runtime`."""

    name, suffix, files, extra = "onnx", ".onnx", FILES, EXTRA
    packages: tuple[str, ...] = PACKAGES

    def export_detector(self, detector: Detector, path: Path) -> Path:
        """As of `Runtime`. The input is `crops` (B, 3, S, S) uint8; for the outputs, (B,) each, see `OUTPUTS`."""
        whole = WholeDetector(detector)
        example, free = whole.example(2), {0: torch.export.Dim("B")}  # of two: one would be taken for a constant
        name = detector.config.architecture
        with atomic_write(path) as temporary:
            model = translated(whole, example, "crops", OUTPUTS, free, name, temporary.parent)
            write(model, temporary, describe(detector, "fp32", self.packages))
        return path

    def export_int8(self, detector: Detector, crops: np.ndarray, path: Path, fp32: Path | None = None) -> Path:
        """As of `Runtime`: `quantise` on these crops."""
        description = describe(detector, "int8", self.packages)
        if fp32 is not None:
            return quantise(fp32, crops, path, description)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".torchfakes-") as folder:
            made = self.export_detector(detector, Path(folder) / "detector.fp32.onnx")
            return quantise(made, crops, path, description)

    def export_face_networks(self, folder: Path) -> dict[str, Path]:
        """As of `Runtime`. For the names of inputs and outputs, see `FACE_INPUTS` and `FACE_OUTPUTS`."""
        paths = {}
        for name, network in face_networks().items():
            letters = {2: "H", 3: "W"} if name == "pnet" else {0: "N"}
            free = {place: torch.export.Dim(letter) for place, letter in letters.items()}
            given, outputs, example = FACE_INPUTS[name], FACE_OUTPUTS[name], face_example(name, 2)
            with atomic_write(folder / f"{name}.onnx") as temporary:
                model = translated(network, example, given, outputs, free, name, temporary.parent)
                write(model, temporary, describe_face_network(name, self.packages))
            paths[name] = folder / f"{name}.onnx"
        return paths

    def open(self, path: Path | str, threads: int | None = None) -> Network:
        """As of `Runtime`."""
        session = open_session(path, threads)
        description = read_description(session.get_modelmeta().custom_metadata_map.get(KEY), path)

        def answers(crops: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.stack(session.run(["logit", "distance"], {"crops": crops.numpy()}), 1))

        return Network(description, answers, _BATCH)

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
    onnxruntime = need_onnx("onnxruntime")
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


def quantise(
    fp32_path: Path | str, crops: np.ndarray, path: Path | str, description: Mapping[str, Any] | None = None
) -> Path:
    """Write a detector in 8-bit integers, in about a quarter of the size: one of convolutions as `_in_ranges` does, one
    whose numbers lie in matrices, as a transformer's do, as `_in_blocks` does.

    Args:
        fp32_path: what `OnnxRuntime.export_detector` wrote.
        crops: (N, 3, S, S) uint8, of validation and not of test; some of them are used, see `calibration_set`.
        path: the new file, which is also what is returned.
        description: what is written into it; that of the other file where not given.

    Raises:
        InputError: it is no exported detector, onnx or onnxruntime is not installed, or its operations cannot be
            quantised.
    """
    model = need_onnx("onnx").load(fp32_path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    theirs = read_description(properties.get(KEY), fp32_path)
    with atomic_write(path) as temporary:
        try:
            with quiet():
                in_blocks = _is_of_matrices(model)
                model = _in_blocks(model) if in_blocks else _in_ranges(model, crops, temporary.with_name("new.onnx"))
        except Exception as error:  # anything, from deep inside
            raise InputError(
                f"{Path(fp32_path).name}: cannot be quantised ({in_short(error)}); use --precision fp32"
            ) from error
        write(model, temporary, description or theirs | {"precision": "int8"})
    return Path(path)


def _is_of_matrices(model: Any) -> bool:
    """Whether more of its network's numbers are multiplied as matrices than are folded over a picture."""
    sizes = {one.name: math.prod(one.dims) for one in model.graph.initializer}
    numbers, apart = {"MatMul": 0, "Conv": 0}, set(_beside_the_network(model))
    for node in model.graph.node:
        if node.op_type in numbers and node.name not in apart:
            numbers[node.op_type] += sizes.get(node.input[1], 0)
    return numbers["MatMul"] > numbers["Conv"]


def _in_ranges(model: Any, crops: np.ndarray, written: Path) -> Any:
    """Static quantisation, weights by channel, activations in the ranges that crops have shown: a third of the time.

    Chosen on validation crops of Mini-FF++ (InceptionResnetV1): the root of the mean square of the logit's error, on
    people that it was not calibrated on, is 0.065 as it is here, at 36 % of float32's time. The alternatives:

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
    """
    quantization = need_onnx("onnxruntime.quantization")
    quantization.quantize_static(
        model, written, _CalibrationReader(calibration_set(crops)), quant_format=quantization.QuantFormat.QDQ,
        per_channel=True, reduce_range=True, activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8, nodes_to_exclude=_kept_in_float(model),
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )  # fmt: skip
    return need_onnx("onnx").load(written)


def _in_blocks(model: Any) -> Any:
    """Matrices in blocks of 32 numbers, each with a scale of its own; activations likewise, while it computes.

    A transformer has a few channels that are a hundred times as large as the rest, CLIP's and DINOv2's among them (Sun
    et al., Massive Activations in Large Language Models, COLM 2024): in one range for all of a layer, the rest would be
    rounded away. Of a random encoder of four blocks and 256 channels, the root of the mean square of the logit's error
    is 0.05 of the logits' spread in blocks and 0.19 in ranges; with three channels that are 60 times as large, 0.27 and
    1.29, which is no answer at all (tests/export/test_encoders.py). Needs no crops. The operation is onnxruntime's own.
    """
    quantizer = need_onnx("onnxruntime.quantization.matmul_nbits_quantizer").MatMulNBitsQuantizer(
        model, bits=8, block_size=_BLOCK, is_symmetric=True, accuracy_level=_ACTIVATIONS_TOO,
        nodes_to_exclude=_beside_the_network(model),
    )  # fmt: skip
    quantizer.process()
    return quantizer.model.model


def _kept_in_float(model: Any) -> list[str]:
    """Names of the nodes up to the first convolution, and of those beside the network, see `_beside_the_network`.

    Of a network with depthwise convolutions, of the nodes that hold the first eighth of all weights, too.
    """
    nodes, apart = list(model.graph.node), _beside_the_network(model)
    shapes = {weights.name: tuple(weights.dims) for weights in model.graph.initializer}
    weighty = [place for place, node in enumerate(nodes) if node.op_type in _WEIGHTY and node.name not in apart[1:]]
    weights = [shapes.get(nodes[place].input[1], ()) for place in weighty]
    first = 1
    if any(len(shape) == 4 and shape[0] > 1 == shape[1] for shape in weights):  # (C, 1, k, k)
        sums = np.cumsum([math.prod(shape) for shape in weights])
        first = max(1, int(np.searchsorted(sums, sums[-1] / 8, side="right")))
    return [*(node.name for node in nodes[: weighty[first - 1] + 1]), *apart]


def _beside_the_network(model: Any) -> list[str]:
    """Names of the last dense layer, which is the first of them, and of all nodes on which it does not rest.

    These are what follows it, and the arithmetic of the distance: a matrix of this, too, may come last of all.
    """
    nodes = list(model.graph.node)  # in an order in which they can be computed
    below, weighty = _rested_on(nodes), {place for place, node in enumerate(nodes) if node.op_type in _WEIGHTY}
    last = max(weighty, key=lambda place: len(below[place] & weighty))
    return [nodes[last].name, *(node.name for place, node in enumerate(nodes) if place not in {*below[last], last})]


def _rested_on(nodes: Sequence[Any]) -> list[set[int]]:
    """Of each node, in an order in which they can be computed, the places of all whose outputs it needs."""
    made_by, below = {output: place for place, node in enumerate(nodes) for output in node.output}, list[set[int]]()
    for node in nodes:
        direct = {made_by[name] for name in node.input if name in made_by}
        below.append(direct.union(*(below[place] for place in direct)))
    return below


class _CalibrationReader:
    """The crops, some at a time, as onnxruntime's calibration asks for them (its `CalibrationDataReader`)."""

    def __init__(self, crops: np.ndarray) -> None:
        self._parts = iter([{"crops": crops[start : start + _BATCH]} for start in range(0, len(crops), _BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next crops; None ends it."""
        return next(self._parts, None)
