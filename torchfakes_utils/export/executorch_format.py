"""Detector and face networks as ExecuTorch programs: for phones, computed by XNNPACK, which every processor has.

ExecuTorch is what became of PyTorch Mobile and PyTorch Live. A program takes any number of crops up to the bound that
it was made for, because its memory is planned beforehand.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.graph import (
    DETECTOR,
    FACE_NETWORK,
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

# Crops a call. (From 16 on PyTorch chooses other kernels, notes that, and the bound becomes the only size there is.)
BATCH = 8
# Patches a call of the second and third face network.
PATCHES = 64
# Pixels of either edge that the first face network takes; the coarsest level of a pyramid has 13.
LEAST_EDGE, MOST_EDGE = 13, 640


class PteNetwork:
    """An exported detector, run by ExecuTorch.

    Attributes:
        path: the file.
        description: what `export_graph.describe` said of it.
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        """Load the file.

        Args:
            path: the .pte file.
            threads: compute one crop (None: as many as PyTorch would take). They are shared by all programs of the
                process; the last one loaded decides.

        Raises:
            InputError: not an exported detector, or executorch is not installed.
        """
        self.path = Path(path)
        self._method, self.description = _load(path, threads, DETECTOR)

    def __call__(self, crops: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
        """Logits (B,) float32 of crops (B, 3, S, S) uint8: a tensor for a tensor, an array for an array."""
        tensor = at_size(torch.as_tensor(crops), self.description).cpu().contiguous()
        found = [self._method.execute([part])[0] for part in tensor.split(BATCH) if len(part)]
        logits = torch.cat(found) if found else torch.zeros(0)
        return logits if isinstance(crops, torch.Tensor) else logits.numpy()


def face_callable(path: Path | str, threads: int | None = None) -> Callable[[np.ndarray], list[np.ndarray]]:
    """An exported face network, as `cascade.FaceNetworks` wants it.

    Raises:
        InputError: not an exported face network.
    """
    method, description = _load(path, threads, FACE_NETWORK)
    is_map = description["name"] == "pnet"

    def run(pixels: np.ndarray) -> list[np.ndarray]:
        if is_map and max(pixels.shape[2:]) > MOST_EDGE:
            raise InputError(f"{path}: takes pictures of up to {MOST_EDGE} px, not {pixels.shape[2:]}; look coarser")
        parts = torch.from_numpy(np.ascontiguousarray(pixels)).split(PATCHES)
        found = [[output.numpy() for output in method.execute([part])] for part in parts]
        return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]

    return run


def export_detector(detector: Detector, path: Path | str) -> Path:
    """Write the detector in float32.

    Args:
        detector: of any architecture; it is left as it is.
        path: the file. `forward` takes crops (B, 3, S, S) uint8, B up to `BATCH`, and gives the logits and P(fake),
            (B,) each; the method `torchfakes` gives the description, and `threshold` the threshold, for programs that
            read no JSON.

    Returns:
        The path.

    Raises:
        InputError: executorch is not installed, or the architecture cannot be translated.
    """
    whole = WholeDetector(detector)
    program = _traced(whole, whole.example(2), {0: _upto("B", BATCH)}, detector.config.architecture)
    return _lower(program, path, describe(detector, "fp32"), detector)


def export_int8(detector: Detector, crops: np.ndarray, path: Path | str) -> Path:
    """Write the detector in 8-bit integers: a quarter of the size.

    Static quantisation after training (PT2E), weights by channel. The first convolution and the last dense layer stay
    in float32, and ranges come from minimum and maximum, as in `export_onnx.quantise` and for the same reasons: on
    validation people of Mini-FF++ that it was not calibrated on, the root of the mean square of a logit's error is
    0.07, and was 0.10 with ranges from histograms, XNNPACK's usual ones.

    Args:
        detector: of any architecture; it is left as it is.
        crops: (N, 3, S, S) uint8, of validation and not of test; some of them are used, see `calibration_set`.
        path: the file, as of `export_detector`.

    Returns:
        The path.

    Raises:
        InputError: executorch is not installed, or the architecture cannot be translated.
    """
    _need()
    with quiet():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e import MinMaxObserver
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    whole, name = WholeDetector(detector), detector.config.architecture
    dimensions = {0: _upto("B", BATCH)}
    graph = _traced(whole, whole.example(2), dimensions, name).module()
    kept = _kept_in_float(graph)
    config = get_symmetric_quantization_config(is_per_channel=True)
    ranges = dataclasses.replace(
        config.input_activation, observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=2**-12)
    )
    config = dataclasses.replace(config, input_activation=ranges, output_activation=ranges)
    quantizer = XNNPACKQuantizer().set_global(config)
    quantizer.set_filter_function(lambda node: node.name not in kept)
    try:
        with quiet(), torch.no_grad():
            watched = prepare_pt2e(graph, quantizer)
            for part in torch.from_numpy(calibration_set(crops)).split(BATCH):
                watched(part)
            converted = convert_pt2e(watched)
    except Exception as error:  # anything, from deep inside
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{name} cannot be quantised for ExecuTorch ({why}); use --precision fp32") from error
    program = _traced(converted, whole.example(2), dimensions, name)
    return _lower(program, path, describe(detector, "int8"), detector)


def export_face_networks(folder: Path | str) -> dict[str, Path]:
    """Write `pnet.pte`, `rnet.pte` and `onet.pte`; see `cascade.FaceNetworks` for their shapes, by name here.

    The first takes pictures of 13 to 640 px either way; the others up to 64 patches a call.

    Raises:
        InputError: executorch is not installed.
    """
    edges = {place: torch.export.Dim(letter, min=LEAST_EDGE, max=MOST_EDGE) for place, letter in ((2, "H"), (3, "W"))}
    paths = {}
    for name, network in face_networks().items():
        dimensions = edges if name == "pnet" else {0: _upto("N", PATCHES)}
        # Traced with as many patches as there may be, see BATCH: with fewer, fifteen would become the bound.
        program = _traced(network, face_example(name, PATCHES), dimensions, name)
        description = {"format": FORMAT, "kind": FACE_NETWORK, "name": name}
        paths[name] = _lower(program, Path(folder) / f"{name}.pte", description)
    return paths


def made_with() -> dict[str, str]:
    """Versions of the packages that a file depends on: a phone's runtime has to be as new as `executorch` here."""
    return versions("torch", "executorch", "torchao")


def _upto(letter: str, most: int) -> Any:
    return torch.export.Dim(letter, min=1, max=most)


def _kept_in_float(graph: torch.fx.GraphModule) -> set[str]:
    """Names of the first convolution and the last dense layer."""
    weighty = [
        node.name
        for node in graph.graph.nodes
        if node.op == "call_function" and any(word in str(node.target) for word in ("conv", "linear", "addmm"))
    ]
    return {weighty[0], weighty[-1]} if weighty else set()


def _traced(network: torch.nn.Module, example: torch.Tensor, dimensions: Mapping[int, Any], what: str) -> Any:
    try:
        with quiet():
            return torch.export.export(network, (example,), dynamic_shapes=(dict(dimensions),))
    except Exception as error:  # anything, from deep inside
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{what} cannot be translated for ExecuTorch ({why})") from error


def _lower(program: Any, path: Path | str, description: Mapping[str, Any], detector: Detector | None = None) -> Path:
    """Hand all that XNNPACK can do to it, and write the program."""
    _need()
    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

    text = json.dumps({**description, "made_with": made_with()}, ensure_ascii=False)
    constants: dict[str, Any] = {KEY: text}
    if detector is not None:
        constants |= {"threshold": detector.decision.threshold, "size": detector.preprocessing.size}
    try:
        with quiet():
            lowered = to_edge_transform_and_lower(
                program, partitioner=[XnnpackPartitioner()], constant_methods=constants
            ).to_executorch()
    except Exception as error:  # anything, from deep inside
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{Path(path).name} cannot be made for ExecuTorch ({why})") from error
    with atomic_write(path) as temporary:
        temporary.write_bytes(lowered.buffer)
    return Path(path)


def _load(path: Path | str, threads: int | None, kind: str) -> tuple[Any, dict[str, Any]]:
    """A program's `forward`, and its description."""
    _need()
    with quiet():
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; make it with `torchfakes export`")
    # Private, and the only way there is.
    if portable_lib._threadpool_get_thread_count() != (wanted := threads or torch.get_num_threads()):  # noqa: SLF001
        portable_lib._unsafe_reset_threadpool(wanted)  # noqa: SLF001
    try:
        program = Runtime.get().load_program(os.fspath(path))
        known = KEY in program.method_names
        text = program.load_method(KEY).execute([])[0] if known else None
        method = program.load_method("forward")
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{path}: not an ExecuTorch program that can be run; export it again") from error
    return method, read_description(text, path, kind)


def _need() -> None:
    """Make sure that executorch is there.

    Raises:
        InputError: it is not installed.
    """
    try:
        with quiet():
            import executorch.exir  # noqa: F401
            import torchao  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError("ExecuTorch programs need executorch: pip install 'torchfakes[phone]'") from error
