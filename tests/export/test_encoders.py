"""What large encoders ask of an export, on small ones of the same making: few copies, no search, 8 bits in blocks."""

import numpy as np
import pytest
import torch

from torchfakes_utils.export import onnx_format, onnx_graph
from torchfakes_utils.export.graph import WholeDetector
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.export.runtimes import load_network

from helpers.export import logits_of, noise
from helpers.gend import NAMES, WIDTH, detector_of, randomised, with_large_channels

pytest.importorskip("timm", minversion="1.0.20")

SIZE = {"GenD-CLIP-L14": 56, "GenD-PE-L": 56, "GenD-DINOv3-L": 64}  # four patches a side


def encoder(name="GenD-PE-L", width=WIDTH):
    detector = randomised(detector_of(name, SIZE[name], 64, width))
    with torch.no_grad():
        detector.classifier.weight.mul_(3)
    return detector


def onnx_nodes(path):
    import onnx

    return onnx.load(path).graph.node


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_are_on_the_cpu_are_shared_and_not_copied(name):
    detector = encoder(name).train()
    whole = WholeDetector(detector)
    own, theirs = ({value.data_ptr() for value in one.state_dict().values()} for one in (detector, whole))
    assert own and own == theirs
    assert detector.training and not any(part.training for part in whole.modules())  # another network all the same


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_graph_of_many_nodes_is_folded_and_not_searched(name, tmp_path, monkeypatch):
    def search(self):
        pytest.fail("this takes half a minute of a large encoder, and finds nothing")

    monkeypatch.setattr(onnx_graph, "_FEW_NODES", 10)
    monkeypatch.setattr(torch.onnx.ONNXProgram, "optimize", search)
    detector, crops = encoder(name), noise(3, SIZE[name])
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    path = OnnxRuntime().export_detector(detector, tmp_path / "detector.fp32.onnx")
    assert np.allclose(load_network(path)(crops)[:, 0], logits_of(detector, crops), rtol=0, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in detector.state_dict().items())
    kinds = [node.op_type for node in onnx_nodes(path)]
    # What can be computed beforehand, such as the roots of the attention's scale, is gone.
    assert not {"Constant", "Sqrt", "SplitToSequence", "SequenceAt"} & set(kinds)
    assert kinds.count("Gather") <= 1


@pytest.mark.slow
def test_what_is_needed_on_the_way_lies_on_the_disk_of_the_file_and_goes(tmp_path, monkeypatch):
    really, places = onnx_graph._simplified, []
    monkeypatch.setattr(
        onnx_graph, "_simplified", lambda *paths: places.extend(path.parent.parent for path in paths) or really(*paths)
    )
    OnnxRuntime().export_detector(encoder(), tmp_path / "detector.fp32.onnx")
    assert places == [tmp_path, tmp_path] and [path.name for path in tmp_path.iterdir()] == ["detector.fp32.onnx"]


@pytest.fixture(scope="module", params=[False, True], ids=["even channels", "large channels"])
def large_channels(request):
    return request.param


@pytest.fixture(scope="module")
def quantised(large_channels, tmp_path_factory):
    """A detector, its files in float32, in blocks of 8 bits and in ranges."""
    detector, folder = encoder(width=256), tmp_path_factory.mktemp("quantised")
    if large_channels:
        with_large_channels(detector)
    crops = noise(24, detector.preprocessing.size)
    paths = {kind: folder / f"detector.{kind}.onnx" for kind in ("fp32", "blocks", "ranges")}
    OnnxRuntime().export_detector(detector, paths["fp32"])
    onnx_format.quantise(paths["fp32"], crops, paths["blocks"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_format, "_is_of_matrices", lambda model: False)
        onnx_format.quantise(paths["fp32"], crops, paths["ranges"])
    return detector, crops, paths


@pytest.mark.slow
def test_8_bits_in_blocks_withstand_large_channels(large_channels, quantised):
    detector, crops, paths = quantised
    own = logits_of(detector, crops)
    off = {kind: np.sqrt(np.mean((load_network(path)(crops)[:, 0] - own) ** 2)) / own.std()
           for kind, path in paths.items()}  # fmt: skip
    # Random weights answer all crops nearly alike, so that the same error is a larger share here than of a trained one.
    most = 0.35 if large_channels else 0.1
    assert off["fp32"] < 1e-4 < off["blocks"] < most and off["blocks"] < off["ranges"] / 2.5
    assert load_network(paths["blocks"]).description["precision"] == "int8"


@pytest.mark.slow
def test_all_matrices_of_an_encoder_are_in_blocks_and_the_rest_stays(quantised):
    _, _, paths = quantised
    before, after = (list(onnx_nodes(paths[kind])) for kind in ("fp32", "blocks"))
    import onnx

    known = {one.name for one in onnx.load(paths["fp32"]).graph.initializer}
    matrices = sum(node.op_type == "MatMul" and node.input[1] in known for node in before)
    kinds = [node.op_type for node in after]
    assert kinds.count("MatMulNBits") == matrices >= 4 * 4 and kinds.count("Conv") == kinds.count("Gemm") == 1
    assert paths["blocks"].stat().st_size < 0.5 * paths["fp32"].stat().st_size


@pytest.mark.slow
def test_no_answer_depends_on_the_crops_beside_it(quantised):
    _, crops, paths = quantised
    network = load_network(paths["blocks"])
    assert np.allclose(network(crops[:1]), network(crops)[:1], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_int8_is_made_of_the_float32_file_that_is_there(quantised, tmp_path, monkeypatch):
    detector, crops, paths = quantised
    monkeypatch.setattr(OnnxRuntime, "export_detector", lambda *words: pytest.fail("translated once more"))
    path = OnnxRuntime().export_int8(detector, crops, tmp_path / "detector.int8.onnx", paths["fp32"])
    assert path.read_bytes() == paths["blocks"].read_bytes()
