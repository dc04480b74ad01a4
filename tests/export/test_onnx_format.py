"""ONNX files: what is in the graph, what is in integers, and every architecture."""

from pathlib import Path

import numpy as np
import pytest

from torchfakes_utils.export import onnx_format
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.export.runtimes import load_network
from torchfakes_utils.models.detector import load_detector

from helpers.export import answers_of, build, logits_of, noise

pytestmark = pytest.mark.slow  # an export takes some twenty seconds


def test_the_graph_holds_normalisation_and_temperature_and_takes_any_batch(run, exported):
    import onnx

    folder, _ = exported
    session = onnx_format.open_session(folder / "detector.fp32.onnx")
    for count in (1, 2, 5):
        crops = noise(count)
        logit, probability, distance = session.run(["logit", "probability_fake", "distance"], {"crops": crops})
        assert logit.shape == probability.shape == distance.shape == (count,)
        expected = answers_of(load_detector(run), crops)
        assert np.allclose(logit, expected[:, 0], rtol=0, atol=1e-5)
        assert np.allclose(distance, expected[:, 1], rtol=1e-4) and distance.min() > 0
        assert np.allclose(probability, 1 / (1 + np.exp(-logit / 1.7)), rtol=0, atol=1e-6)
    nodes = onnx.load(folder / "detector.fp32.onnx").graph.node
    first = [node.op_type for node in nodes if "crops" in node.input and node.op_type != "Shape"]
    assert first == ["Cast"] and [node.op_type for node in nodes].count("Sigmoid") == 1


def test_int8_computes_in_integers_but_at_both_ends(exported):
    import onnx

    folder, _ = exported
    graph = onnx.load(folder / "detector.int8.onnx").graph
    made_by = {output: node for node in graph.node for output in node.output}
    weights = [made_by.get(node.input[1]) for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    integers = [node is not None and node.op_type == "DequantizeLinear" for node in weights]
    # Convolutions and two dense layers; the matrix of the distance lies among them, or behind.
    names = [node.op_type for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    assert integers.count(False) == 3 and not integers[0] and len(integers) == 4 + 2 + 1, names


def test_the_distance_is_computed_in_float32(exported):
    """No rounding lies between the features of its layer and the distance."""
    import onnx

    graph = onnx.load(exported[0] / "detector.int8.onnx").graph
    made_by = {output: node for node in graph.node for output in node.output}
    waiting, kinds = [made_by["logit"], made_by["distance"]], []
    last = next(node for node in graph.node if node.op_type == "Gemm" and not made_by.get(node.input[1]))
    roots = [node for node in graph.node if node.op_type == "Sqrt"]
    assert len(roots) == 1 + 4  # the distance, and the spread in each quarter of the crop
    for node in [*roots, last]:
        kinds += [user.op_type for user in graph.node if set(node.output) & set(user.input)]
    assert waiting and "QuantizeLinear" not in kinds


@pytest.mark.parametrize("architecture", ["InceptionResnetV1", "MesoInception4"])
def test_other_architectures(architecture, tmp_path):
    import onnx

    detector = build(architecture, 80)
    path = OnnxRuntime().export_detector(detector, tmp_path / "detector.fp32.onnx")
    crops = noise(3, 80)
    assert np.allclose(load_network(path)(crops)[:, 0], logits_of(detector, crops), rtol=0, atol=1e-5)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    if architecture == "InceptionResnetV1":  # there every batch norm follows a convolution
        assert "BatchNormalization" not in kinds
    assert load_network(path).description["source"]["architecture"] == architecture


def test_no_exported_file_holds_a_path_or_a_stack_trace_of_this_machine(exported):
    import onnx

    folder, _ = exported
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert {"pnet.onnx", "rnet.onnx", "onet.onnx", "detector.fp32.onnx", "detector.int8.onnx"} <= {
        path.name for path in files
    }
    machine = [Path(onnx.__file__).parents[1], Path(onnx_format.__file__).parents[2], Path.home(), folder.parents[3]]
    for path in files:
        content = path.read_bytes()
        for mark in (
            *(f"{one}/".encode() for one in machine if one != Path("/")),
            b"site-packages",
            b'File "',
            b".py:",
        ):
            assert mark not in content, (path.name, mark)
        if path.suffix == ".onnx":
            model = onnx.load(path)
            assert [entry.key for entry in model.metadata_props] == ["torchfakes"]
            assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
