"""A network as an ONNX graph: translated, simplified, and written without a trace of the machine that did it.

A detector may have 300 million numbers, which are copied no more often than need be: in memory, and in files on the way
to the one that is kept, which lie on the same disk as that one.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.description import KEY
from torchfakes_utils.export.graph import in_short, need, quiet

FILES, EXTRA = "ONNX files", "export"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")

# Up to so many nodes, onnxscript looks for what it can write otherwise, such as batch norms after dense layers. Its
# time grows with the square: 2 s for 780 nodes, 30 s for the 2,900 of an encoder, where it finds next to nothing.
_FEW_NODES = 1000


def translated(
    network: torch.nn.Module,
    example: torch.Tensor,
    given: str,
    outputs: Sequence[str],
    free: dict[int, Any],
    what: str,
    scratch: Path,
) -> Any:
    """A network as an ONNX model of any size in its `free` dimensions, without what can be computed beforehand.

    Args:
        network: whose weights are not copied.
        example: crops or pixels to trace it with.
        given: name of the input.
        outputs: names of the outputs.
        free: by axis.
        what: how it is called, should it not work.
        scratch: a folder; for a moment twice the network's size lies in it.

    Raises:
        InputError: it cannot be translated, or a package is not installed.
    """
    for package in ("onnx", "onnxscript"):
        need_onnx(package)
    traced = scratch / "traced.onnx"
    try:
        with quiet():
            program: Any = torch.onnx.export(
                network.eval(), (example,), dynamo=True, verbose=False, input_names=[given],
                output_names=list(outputs), dynamic_shapes=(free,), optimize=False,
            )  # fmt: skip
            _fold(program)
    except Exception as error:  # anything, from deep inside
        raise InputError(f"{what} cannot be translated to ONNX ({in_short(error)})") from error
    with quiet():
        program.save(traced, external_data=False)
    del program
    return _simplified(traced, scratch / "simple.onnx")


def _fold(program: Any) -> None:
    """Compute beforehand what can be, and of a small graph more than that (see `_FEW_NODES`)."""
    from onnxscript import optimizer

    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    if sum(1 for _ in program.model.graph) <= _FEW_NODES:
        program.optimize()


def _simplified(traced: Path, simple: Path) -> Any:
    """The model after those of onnxruntime's steps that fit every processor; batch norms go into convolutions.

    Both files are gone afterwards.
    """
    onnx, onnxruntime = need_onnx("onnx"), need_onnx("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = os.fspath(simple)
    options.log_severity_level = 3
    # Nothing is computed: without a second copy of all matrices in the order that this processor likes.
    options.add_session_config_entry("session.disable_prepacking", "1")
    onnxruntime.InferenceSession(traced, options, providers=["CPUExecutionProvider"])
    traced.unlink()
    model = onnx.load(simple)
    simple.unlink()
    return model


def write(model: Any, path: Path, description: Mapping[str, Any]) -> None:
    """Write a model with its description in it, and nothing else beside the graph."""
    onnx = need_onnx("onnx")
    _strip(model)
    onnx.helper.set_model_props(model, {KEY: json.dumps(description, ensure_ascii=False)})
    model.producer_name, model.producer_version = "torchfakes", description.get("torchfakes", "")
    path.write_bytes(model.SerializeToString())


def _strip(message: Any) -> None:
    """Take out what exporters note beside the graph, at every node: stack traces, with paths of this machine."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _strip(part)


def need_onnx(package: str) -> ModuleType:
    """One of the packages that ONNX files take, or an `InputError` that says what brings it."""
    return need(package, FILES, EXTRA)
