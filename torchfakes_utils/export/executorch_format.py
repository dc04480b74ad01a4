"""Detector and face networks as ExecuTorch programs: for phones, computed by XNNPACK, which every processor has.

ExecuTorch is what became of PyTorch Mobile and PyTorch Live. A program takes any number of crops up to the bound that
it was made for, because its memory is planned beforehand.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.description import (
    FACE_NETWORK,
    KEY,
    describe,
    describe_face_network,
    limit_of,
    read_description,
)
from torchfakes_utils.export.face_networks import face_example, face_networks
from torchfakes_utils.export.graph import Network, WholeDetector, calibration_set, in_short, need, quiet
from torchfakes_utils.export.mtcnn_numpy import FaceCallable
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.metrics.band import MOST_FACES
from torchfakes_utils.models.decision import FAKE, FEWEST_FRAMES, REAL
from torchfakes_utils.models.detector import Detector

# Crops a call, each of them looked at twice. (From 16 on PyTorch chooses other kernels, notes that, and the bound
# becomes the only size there is.)
BATCH = 7
# Patches a call of the second and third face network.
PATCHES = 64
# Pixels of either edge that the first face network takes; the coarsest level of a pyramid has 13.
LEAST_EDGE, MOST_EDGE = 13, 640
# A P(fake) and a distance that none reaches.
_NEVER, _NO_LIMIT = 2.0, 1e30


class ExecutorchRuntime:
    """ExecuTorch programs and ExecuTorch; see `runtimes.Runtime`.

    The threads of a network that is opened are shared by all programs of the process: the last one opened decides.
    """

    name, suffix, files, extra = "executorch", ".pte", "ExecuTorch programs", "phone"
    packages: tuple[str, ...] = ("executorch", "torchao")

    def export_detector(self, detector: Detector, path: Path) -> Path:
        """As of `Runtime`.

        `forward` takes crops (B, 3, S, S) uint8, B up to `BATCH`, and gives logits, P(fake) and distances, (B,) each;
        the method `torchfakes` gives the description, and those of `_constants` what a verdict takes, for programs that
        read no JSON.
        """
        whole = WholeDetector(detector)
        program = _traced(whole, whole.example(2), _upto("B", BATCH), detector.config.architecture)
        return _lower(program, path, describe(detector, "fp32", self.packages), detector)

    def export_int8(self, detector: Detector, crops: np.ndarray, path: Path, fp32: Path | None = None) -> Path:  # noqa: ARG002
        """As of `Runtime`: static quantisation after training (PT2E), weights by channel.

        The first convolution and the last dense layer stay in float32, and ranges come from minimum and maximum, as in
        `onnx_format.quantise` and for the same reasons: on validation people of Mini-FF++ that it was not calibrated
        on, the root of the mean square of a logit's error is 0.07, and was 0.10 with ranges from histograms, XNNPACK's
        usual ones.
        """
        whole, name, dimensions = WholeDetector(detector), detector.config.architecture, _upto("B", BATCH)
        graph = _traced(whole, whole.example(2), dimensions, name).module()
        try:
            with quiet(), torch.no_grad():
                from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

                watched = prepare_pt2e(graph, _quantizer())
                for part in torch.split(torch.from_numpy(calibration_set(crops)), BATCH):
                    watched(part)
                converted = convert_pt2e(watched)
        except Exception as error:  # anything, from deep inside
            why = f"{name} cannot be quantised for ExecuTorch ({in_short(error)}); use --precision fp32"
            raise InputError(why) from error
        program = _traced(converted, whole.example(2), dimensions, name)
        return _lower(program, path, describe(detector, "int8", self.packages), detector)

    def export_face_networks(self, folder: Path) -> dict[str, Path]:
        """As of `Runtime`. The first takes pictures of 13 to 640 px either way; the others up to 64 patches a call."""
        high, wide = (torch.export.Dim(letter, min=LEAST_EDGE, max=MOST_EDGE) for letter in "HW")
        paths = {}
        for name, network in face_networks().items():
            dimensions = {2: high, 3: wide} if name == "pnet" else _upto("N", PATCHES)
            # Traced with as many patches as there may be, see BATCH: with fewer, fifteen would become the bound.
            program = _traced(network, face_example(name, PATCHES), dimensions, name)
            paths[name] = _lower(program, folder / f"{name}.pte", describe_face_network(name, self.packages))
        return paths

    def open(self, path: Path | str, threads: int | None = None) -> Network:
        """As of `Runtime`."""
        method, text = _load(path, threads)

        def answers(crops: torch.Tensor) -> torch.Tensor:
            logit, _, distance = method.execute([crops])
            return torch.stack([logit, distance], 1)

        return Network(read_description(text, path), answers, BATCH)

    def open_face_network(self, path: Path | str, threads: int | None = None) -> FaceCallable:
        """As of `Runtime`."""
        method, text = _load(path, threads)
        name = read_description(text, path, FACE_NETWORK)["name"]

        def run(pixels: np.ndarray) -> list[np.ndarray]:
            height, width = pixels.shape[2:]
            if name == "pnet" and max(height, width) > MOST_EDGE:
                raise InputError(f"{path}: takes pictures of up to {MOST_EDGE} px, not {height, width}; look coarser")
            parts = torch.split(torch.from_numpy(np.ascontiguousarray(pixels)), PATCHES)
            found = [[output.numpy() for output in method.execute([part])] for part in parts]
            return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]

        return run


def _quantizer() -> Any:
    """XNNPACK's, with ranges from minimum and maximum, which leaves the nodes of `_kept_in_float` as they are."""
    with quiet():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e import MinMaxObserver
        from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    class Quantizer(XNNPACKQuantizer):  # type: ignore[misc]
        def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
            kept = set(_kept_in_float(model))
            self.set_filter_function(lambda node: node not in kept)
            annotated: torch.fx.GraphModule = super().annotate(model)
            for node in kept:  # the filter is not asked about all kinds: `cat` is quantised whatever it says
                node.meta.pop(Q_ANNOTATION_KEY, None)
            return annotated

    config = get_symmetric_quantization_config(is_per_channel=True)
    observer = MinMaxObserver.with_args(eps=2**-12)
    ranges = dataclasses.replace(config.input_activation, observer_or_fake_quant_ctr=observer)
    config = dataclasses.replace(config, input_activation=ranges, output_activation=ranges)
    return Quantizer().set_global(config)


def _upto(letter: str, most: int) -> dict[int, Any]:
    return {0: torch.export.Dim(letter, min=1, max=most)}


def _kept_in_float(graph: torch.fx.GraphModule) -> list[torch.fx.Node]:
    """The first convolution and all on which it rests; the last dense layer, and all nodes on which that does not rest.

    These are what follows it, and the arithmetic of the distance.
    """
    below: dict[torch.fx.Node, set[torch.fx.Node]] = {}
    for node in graph.graph.nodes:
        direct = set(node.all_input_nodes)
        below[node] = direct.union(*(below[one] for one in direct))
    weighty = [node for node in below if node.op == "call_function" and any(word in str(node.target) for word in
               ("conv", "linear", "addmm"))]  # fmt: skip
    first, last = weighty[0], max(weighty, key=lambda node: len(below[node].intersection(weighty)))
    return [node for node in below if node is first or node in below[first] or node not in below[last]]


def _traced(network: torch.nn.Module, example: torch.Tensor, dimensions: dict[int, Any], what: str) -> Any:
    _need()
    try:
        with quiet():
            return torch.export.export(network, (example,), dynamic_shapes=(dimensions,))
    except Exception as error:  # anything, from deep inside
        raise InputError(f"{what} cannot be translated for ExecuTorch ({in_short(error)})") from error


def _lower(program: Any, path: Path | str, description: Mapping[str, Any], detector: Detector | None = None) -> Path:
    """Hand all that XNNPACK can do to it, and write the program."""
    constants: dict[str, Any] = {KEY: json.dumps(description, ensure_ascii=False)}
    if detector is not None:
        constants |= _constants(detector)
    try:
        with quiet():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            lowered = to_edge_transform_and_lower(
                program, partitioner=[XnnpackPartitioner()], constant_methods=constants
            ).to_executorch()
    except Exception as error:  # anything, from deep inside
        raise InputError(f"{Path(path).name} cannot be made for ExecuTorch ({in_short(error)})") from error
    with atomic_write(path) as temporary:
        temporary.write_bytes(lowered.buffer)
    return Path(path)


def _constants(detector: Detector) -> dict[str, Any]:
    """What a verdict takes, by the name of a method; where there is no limit, one that no score reaches."""
    decision, limit = detector.decision, limit_of(detector.decision)
    found: dict[str, Any] = {
        "size": detector.preprocessing.size, "fewest_frames": FEWEST_FRAMES, "most_faces": MOST_FACES,
        "distance_limit": _NO_LIMIT if limit is None else limit, "scope": decision.scope.line,
        "meaning": decision.meaning, "silence": decision.silence,
    }  # fmt: skip
    for name, frames in (("photo", 1), ("film", FEWEST_FRAMES)):
        band = decision.band(frames)
        starts = [min(band.from_of(faces), _NEVER) for faces in range(1, MOST_FACES + 1)]
        found |= {
            f"{name}_fake_from": torch.tensor(starts, dtype=torch.float64),
            f"{name}_real_to": -1.0 if band.real_to is None else band.real_to,
            f"{name}_rate_fake": decision.rate(FAKE, band), f"{name}_rate_real": decision.rate(REAL, band),
        }  # fmt: skip
    return found


def _load(path: Path | str, threads: int | None) -> tuple[Any, str | None]:
    """A program's `forward`, and the description that it brings along."""
    _need()
    with quiet():
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; make it with `torchfakes export`")
    if portable_lib._threadpool_get_thread_count() != (wanted := threads or torch.get_num_threads()):  # noqa: SLF001
        portable_lib._unsafe_reset_threadpool(wanted)  # noqa: SLF001 - private, and the only way there is
    try:
        program = Runtime.get().load_program(os.fspath(path))
        text = program.load_method(KEY).execute([])[0] if KEY in program.method_names else None
        method = program.load_method("forward")
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{path}: not an ExecuTorch program that can be run; export it again") from error
    return method, text


def _need() -> None:
    for package in ExecutorchRuntime.packages:
        need(package, ExecutorchRuntime.files, ExecutorchRuntime.extra)
