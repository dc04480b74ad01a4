"""The folder of the web page: every file listed, whole, from nowhere else, and what the page says of its network."""

import json
import re
import shutil

import pytest

from torchfakes_utils.export import web_page
from torchfakes_utils.export.description import describe
from torchfakes_utils.export.parity import Exported
from torchfakes_utils.faces.tracking import FINER
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.files import sha256_of

from helpers.report import made_up_report
from helpers.web import FP32_ONLY, listed, passed

pytestmark = pytest.mark.slow  # an export takes some twenty seconds


def test_every_file_is_listed_with_its_digest(site):
    there = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    digests = listed(site)
    assert there - set(digests) == {"sw.js", "README.txt"} and set(digests) <= there
    assert all(sha256_of(site / name) == digest for name, digest in digests.items())


def test_every_part_that_is_named_is_there(site):
    for path in [*site.glob("*.js"), site / "index.html", site / "manifest.webmanifest"]:
        text = path.read_text()
        named = re.findall(r'(?:from|import|href=|src=|"src": |new URL\()\s*"(?:\./)?([\w./-]+\.\w+)"', text)
        for name in named:
            assert (site / name).is_file(), f"{path.name} names {name}"


def test_nothing_comes_from_elsewhere(site):
    """No address in what we wrote, but of this machine and of SVG's grammar."""
    for path in site.glob("*"):
        if path.suffix in (".js", ".html", ".css", ".svg", ".webmanifest", ".json"):
            found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'<]*|https?://\w+", path.read_text()))
            assert found <= {"http://localhost", "http://www.w3.org/2000/svg", "http://www"}, path.name


def test_the_version_changes_with_any_file(site, tmp_path, detector, package, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    copy = shutil.copytree(site, tmp_path / "copy")

    def version(folder):
        return re.search(r'VERSION = "(\w+)"', (folder / "sw.js").read_text())[1]

    web_page.write_web(tmp_path, copy, detector, FP32_ONLY)
    assert version(copy) == version(site)
    (copy / "detector.json").write_text((copy / "detector.json").read_text() + "\n")
    web_page.write_web(tmp_path, copy, detector, FP32_ONLY)
    assert version(copy) != version(site)


def test_faces_are_looked_for_as_predict_does(detector):
    expected = [
        {"min_face": one.config.min_face, "lines": finer * one.config.detect_lines}
        for one in Predictor(detector, "cpu").face_detectors
        for finer in (1, FINER)
    ]
    found = describe(detector, "fp32", ())["face_detection"]
    far = [{name: one[name] for name in ("min_face", "lines")} for one in found["far_passes"]]
    assert found["search_passes"] + far == expected
    assert [one["from_lines"] for one in found["far_passes"]] == [0, 0, 1200, 1200]


def test_int8_is_taken_where_it_passed_and_the_other_left_out(site, tmp_path, detector, package, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    folder = shutil.copytree(site, tmp_path / "int8")
    shutil.copy(folder / "detector.fp32.onnx", folder / "detector.int8.onnx")
    web_page.write_web(tmp_path, folder, detector, Exported([passed("fp32"), passed("int8")]))
    page = json.loads((folder / "page.json").read_text())
    assert page["detector"]["file"] == "detector.int8.onnx" and not (folder / "detector.fp32.onnx").exists()
    assert page["measured"] == [
        "This page computes in 8 bits: AUC by crop 0.900, where the detector that was measured has 0.910."
    ]
    assert '"detector.int8.onnx"' in (folder / "sw.js").read_text()


def test_why_the_page_has_the_larger_network_is_said(site, tmp_path, detector, package, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    folder = shutil.copytree(site, tmp_path / "copy")
    web_page.write_web(tmp_path, folder, detector, Exported([passed("fp32")], refused={"int8": "its AUC fell"}))
    page = json.loads((folder / "page.json").read_text())
    assert page["detector"]["note"] == "int8 was refused: its AUC fell" and page["measured"] == []


@pytest.mark.parametrize(
    ("sha256", "lines"), [("a" * 64, ["On “mini”, split “test”: AUC 0.9.", "It missed 2."]), ("def", [])]
)
def test_what_was_measured_is_said_of_these_weights_only(site, tmp_path, detector, package, monkeypatch, sha256, lines):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    monkeypatch.setattr(web_page.write, "read", lambda run: made_up_report())
    monkeypatch.setattr(web_page, "headline", lambda report: ["AUC 0.9.", "It missed 2."])
    monkeypatch.setattr(detector, "sha256", sha256)
    folder = shutil.copytree(site, tmp_path / "copy")
    web_page.write_web(tmp_path, folder, detector, FP32_ONLY)
    assert json.loads((folder / "page.json").read_text())["measured"] == lines
