"""ExecuTorch programs, run by ExecuTorch: the same answers, any number of crops, and files that are none."""

import json

import numpy as np
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.export.executorch_format import BATCH, ExecutorchRuntime
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.face_networks import FACE_NETWORKS, face_example, face_networks
from torchfakes_utils.export.mtcnn_numpy import FaceNetworks
from torchfakes_utils.export.runtimes import load_face_detector, load_network
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import load_detector

from helpers.browser import require_package
from helpers.export import SIZE, answers_of, build, crops_of, noise

pytestmark = pytest.mark.slow  # an export takes some twenty seconds


@pytest.fixture(scope="module")
def programs(run, tmp_path_factory):
    require_package("executorch")
    return export_run(run, ExportConfig("executorch", out=tmp_path_factory.mktemp("programs") / "out"))


def test_programs_run_and_answer_as_the_detector_does(run, table, programs):
    from executorch.runtime import Runtime

    folder, detector = programs.folder, load_detector(run)
    assert {path.suffix for path in folder.iterdir()} == {".pte", ".json", ".md"}
    fp32, int8 = programs.files
    assert fp32.max_logit_difference <= 1e-3 < int8.max_logit_difference and int8.points["crop"] >= -0.5
    program = Runtime.get().load_program(folder / "detector.fp32.pte")
    check_constants(program, detector)
    described = json.loads(program.load_method("torchfakes").execute([])[0])
    assert described["source"]["weights_sha256"] == detector.sha256 and "executorch" in described["made_with"]
    forward = program.load_method("forward")
    for count in (1, 3, BATCH):
        crops = noise(count)
        logit, probability, distance = forward.execute([torch.from_numpy(crops)])
        expected = answers_of(detector, crops)
        assert np.allclose(logit.numpy(), expected[:, 0], rtol=0, atol=1e-4)
        assert np.allclose(distance.numpy(), expected[:, 1], rtol=1e-4) and distance.min() > 0
        assert np.allclose(probability.numpy(), 1 / (1 + np.exp(-logit.numpy() / 1.7)), rtol=0, atol=1e-6)
    test = crops_of(load_faces(table, "test"))
    network = load_network(folder / "detector.int8.pte")
    assert len(test) > BATCH
    answers, expected = network(test), answers_of(detector, test)
    off = np.abs(answers - expected)
    assert off[:, 0].max() == pytest.approx(int8.max_logit_difference, abs=1e-4)
    assert (off / expected)[:, 1].max() == pytest.approx(int8.distances.largest_difference, abs=1e-4)


def check_constants(program, detector):
    """What programs get that read no JSON."""

    def value(name):
        (one,) = program.load_method(name).execute([])
        return one

    decision = detector.decision
    assert value("size") == SIZE and value("distance_limit") == pytest.approx(decision.ranges["distance"][1])
    assert (value("fewest_frames"), value("most_faces")) == (4, 32)
    for name, band in (("photo", decision.photo), ("film", decision.film)):
        assert value(f"{name}_fake_from").tolist() == list(band.fake_from)
        assert value(f"{name}_real_to") == band.real_to
        assert value(f"{name}_rate_fake") == decision.rate("fake", band) != ""
    assert (value("scope"), value("meaning"), value("silence")) == (decision.scope.line, decision.meaning, "")


def test_without_bands_and_a_likeness_no_score_reaches_a_limit(tmp_path):
    from executorch.runtime import Runtime

    detector = build()
    detector.decision = Decision()
    path = ExecutorchRuntime().export_detector(detector, tmp_path / "detector.fp32.pte")
    program = Runtime.get().load_program(path)
    found = {name: program.load_method(name).execute([])[0] for name in (
        "photo_fake_from", "photo_real_to", "distance_limit", "silence",
    )}  # fmt: skip
    assert found["photo_fake_from"].min() > 1 and found["photo_real_to"] < 0 and found["silence"] != ""
    assert (load_network(path)(noise(3))[:, 1] == 0).all() and found["distance_limit"] > 1e6


def test_programs_find_the_faces_that_the_original_finds(programs, portraits):
    from torchfakes_utils.faces.detection import FaceDetector

    ours, original = load_face_detector(programs.folder), FaceDetector("cpu")
    for portrait in portraits:
        (found,), (expected,) = ours.detect([portrait]), original.detect(portrait[None])
        assert len(found) == len(expected) == 1 and np.allclose(found.boxes, expected.boxes, rtol=0, atol=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 65])
def test_programs_of_face_networks_take_any_number_of_patches(programs, count):
    callables = FaceNetworks(*(ExecutorchRuntime().open_face_network(programs.folder / f"{name}.pte") for name in
                               FACE_NETWORKS))  # fmt: skip
    networks = face_networks()
    for name in ("rnet", "onet"):
        pixels = face_example(name, count)
        with torch.inference_mode():
            expected = networks[name](pixels)
        for value, own in zip(getattr(callables, name)(pixels.numpy()), expected, strict=True):
            assert np.allclose(value, own.numpy(), rtol=0, atol=1e-4)
    for shape in ((13, 13), (14, 40), (81, 640)):
        pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, *shape)).astype(np.float32)
        with torch.inference_mode():
            expected = networks["pnet"](torch.from_numpy(pixels))
        assert np.allclose(callables.pnet(pixels)[0], expected[0].numpy(), rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="up to 640 px"):
        callables.pnet(np.zeros((1, 3, 20, 641), np.float32))


def test_foreign_programs_are_refused_in_one_line(programs, tmp_path):
    (tmp_path / "noise.pte").write_bytes(b"no program" * 100)
    cut = (programs.folder / "detector.fp32.pte").read_bytes()
    (tmp_path / "cut.pte").write_bytes(cut[: len(cut) // 2])
    cases = {"noise.pte": "not an ExecuTorch program", "cut.pte": "not an ExecuTorch program", "no.pte": "no such file"}
    for name, words in cases.items():
        with pytest.raises(InputError, match=words):
            load_network(tmp_path / name)
    with pytest.raises(InputError, match="not a torchfakes detector"):
        load_network(programs.folder / "rnet.pte")
