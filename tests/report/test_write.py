"""The report: valid JSON by its schema, a page that needs nothing else and can be read by everybody, a model card."""

import json
import re
import shutil
from pathlib import Path

import jsonschema
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig
from torchfakes_utils.evaluation.evaluate import evaluate
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.explain import explain
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.stored import store_decision
from torchfakes_utils.report import write
from torchfakes_utils.report.schema import FILE
from torchfakes_utils.report.text import headline

from helpers.detectors import opinionated

SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))


def small(folder, seed=0):
    torch.manual_seed(seed)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64)))
    detector.decision = Decision(0.5, 1.3, {"brightness": (100.0, None)}, ("made by hand",))
    (folder / "config.json").parent.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(
        json.dumps({"recipe": "cpu", "epochs": 3, "seed": seed, "methods": None, "computed_in": "bfloat16"})
    )
    return save(detector, folder / "best").parent


@pytest.fixture(scope="module")
def whole(tiny_ffpp, tiny_faces, tmp_path_factory):
    """A run with everything that can be measured, and its report."""
    folder = tmp_path_factory.mktemp("runs")
    run, other, third = (small(folder / name, seed) for seed, name in enumerate(("mine", "other", "third")))
    shutil.copytree(tiny_faces, folder / "elsewhere" / "faces")
    explain(run, tiny_faces / "faces.csv", None, ExplanationConfig(limit=2, controls=1, data=tiny_ffpp))
    config = EvaluationConfig(
        replicates=50, seeds=(other,), against=(third,), cross=(folder / "elsewhere/faces/faces.csv",),
        perturb=True,
        robustness=RobustnessConfig(frames=1, replicates=20), films=tiny_ffpp,
    )  # fmt: skip
    return run, write.write_report(run, evaluate(run, tiny_faces / "faces.csv", config))


@pytest.fixture(scope="module")
def bare(tiny_faces, tmp_path_factory):
    """A run that was evaluated, and nothing else, on a split of one class."""
    run = small(tmp_path_factory.mktemp("runs") / "bare")
    table = (tiny_faces / "faces.csv").read_text().splitlines()
    copy = tmp_path_factory.mktemp("faces") / "faces"
    shutil.copytree(tiny_faces, copy)
    rows = [row for row in table[1:] if ",youtube," not in row]
    (copy / "faces.csv").write_text("\n".join([table[0], *rows]) + "\n")
    return run, write.write_report(run, evaluate(run, copy / "faces.csv", EvaluationConfig(replicates=50)))


@pytest.mark.slow
@pytest.mark.parametrize("which", ["whole", "bare"])
def test_the_json_is_what_its_schema_says(which, request):
    run, written = request.getfixturevalue(which)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    stored = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(written.to_json())) and write.read(run) == written
    jsonschema.Draft202012Validator(SCHEMA).validate(stored)
    broken = stored | {"clip": stored["clip"] | {"auc": 1.5}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(broken)


def test_one_class_is_null_with_reasons_and_still_a_report(bare):
    _, written = bare
    assert written.clip.auc is None and "only fake" in written.clip.reasons["auc"]
    assert written.curves.roc is None and written.interpretation is None and written.robustness is None


@pytest.mark.slow
@pytest.mark.parametrize("which", ["whole", "bare"])
def test_the_page_needs_nothing_else_and_names_no_place(which, request):
    run, _ = request.getfixturevalue(which)
    text = (run / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert str(run.parent) not in text and str(Path.home()) + "/" not in text
    assert str(run.parent) not in (run / "report.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_says_what_was_measured(whole):
    run, written = whole
    text = (run / "report.html").read_text(encoding="utf-8")
    for metric in ("auc", "brier", "average_precision"):
        assert f"{getattr(written.clip, metric):.3f}" in text
    assert "always answering “fake”" in text and "H.264" in text and "centre prior" in text
    assert text.count("data:image/jpeg") == len(written.mistakes) > 0
    assert "2 runs of the same recipe, by clip: these runs; other seeds may differ more" in text
    assert "a dot a run" in text
    assert f"from drawing the {written.clip.units} groups of people" in text and written.clip.drawn_by == "target"
    assert "by chance alone" in text and f"{written.calibration.clip.ece_if_calibrated:.3f}" in text
    assert f"against {written.methods['FaceSwap'].n_real} real (youtube)" in text


@pytest.mark.slow
def test_the_worst_mistakes_are_mistakes_worst_first(whole):
    run, written = whole
    threshold = written.decision.threshold
    for one in written.mistakes:
        assert (one.probability_fake >= threshold) != (one.label == 1)
        assert (run / one.picture).is_file()
    far = [abs(one.probability_fake - threshold) for one in written.mistakes]
    assert far == sorted(far, reverse=True)
    names = [(one.method, one.clip_id) for one in written.mistakes]
    assert max(names.count(name) for name in names) <= 2


@pytest.mark.slow
def test_what_speaks_against_the_detector_comes_first(tiny_faces, tmp_path):
    run = small(tmp_path / "run")
    store_decision(run / "best", Decision(0.5, 1.0, {}, ("threshold 0.5: no rise",), "it is a coin"))
    write.write_report(run, evaluate(run, tiny_faces / "faces.csv", EvaluationConfig(replicates=20)))
    page, card = ((run / name).read_text(encoding="utf-8") for name in ("report.html", "best/README.md"))
    assert page.index("Caution: it is a coin.") < page.index("By clip: AUC")
    assert card.index("**Caution**: it is a coin.") < card.index("## What it is for")
    assert " real and " in headline(write.read(run))[0], "the web page puts the split before it"
    for text in (page, card):
        assert "What has to be known of that: threshold 0.5: no rise." in text
        assert "both classes counting alike" not in text


def test_the_card_is_one_that_the_hub_reads(whole):
    from huggingface_hub import ModelCard

    run, written = whole
    card = ModelCard((run / "best" / "README.md").read_text(encoding="utf-8"))
    assert card.data.library_name == "torchfakes" and "deepfake-detection" in card.data.tags
    values = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert values["roc_auc"] == pytest.approx(written.clip.auc, abs=1e-4)
    for word in ("Not intended", "Limits and ethics", "not measured", "FaceSwap", "recipe cpu, epochs 3", "bfloat16",
                 "measured with it elsewhere:\n\n- Mini-FF++"):  # fmt: skip
        assert word in card.text


@pytest.mark.slow
def test_a_report_takes_up_what_was_explained_later(tiny_faces, tmp_path):
    run = small(tmp_path / "run")
    assert not write.refresh(run), "no report yet"
    write.write_report(run, evaluate(run, tiny_faces / "faces.csv", EvaluationConfig(replicates=20)))
    assert write.read(run).interpretation is None
    explain(run, tiny_faces / "faces.csv", None, ExplanationConfig(limit=2, controls=0, checks=False))
    assert write.refresh(run)
    assert write.read(run).interpretation.regions
    assert "share of heat" in (run / "report.html").read_text(encoding="utf-8")
    # The explanation of other weights is not this detector's.
    small(tmp_path / "run", seed=8)
    write.write_report(run, evaluate(run, tiny_faces / "faces.csv", EvaluationConfig(replicates=20)))
    assert write.read(run).interpretation is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "torchfakes evaluate"),
        ("{", "not a report"),
        ("[1]", "not a report"),
        ('{"format": 0, "environment": {"torchfakes": "0.0.9"}}', "of torchfakes 0.0.9, .*format 0.*evaluate. again"),
        ('{"format": 1}', "missing required field"),
    ],
)
def test_what_is_no_report_is_said(tmp_path, content, message):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        write.read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.browser
def test_everybody_can_read_the_page(chromium, whole):
    """In a browser: pictures with a text each, tables with heads, one first heading, nothing wider than a phone."""
    run, written = whole
    page = chromium().new_page(viewport={"width": 390, "height": 800})
    problems, asked = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.goto((run / "report.html").resolve().as_uri())
    assert page.locator("h1").count() == 1 and page.locator("html").get_attribute("lang") == "en"
    pictures = page.locator("img").all()
    assert len(pictures) > 8
    for picture in pictures:
        assert len(picture.get_attribute("alt")) > 20
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    for table in page.locator("table").all():
        assert table.locator("caption").text_content() and table.locator("th[scope=col]").count()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
    ids = page.eval_on_selector_all("[id]", "found => found.map(one => one.id)")
    assert len(ids) == len(set(ids))
    for link in page.eval_on_selector_all("nav a", "found => found.map(one => one.getAttribute('href'))"):
        assert link[1:] in ids
    page.close()
    assert not problems and not asked
    assert written.name == "mine"


@pytest.mark.slow
def test_what_was_measured_before_stays_unless_weights_or_crops_are_others(tiny_faces, tmp_path):
    run, table = small(tmp_path / "run"), tiny_faces / "faces.csv"
    jpeg = RobustnessConfig(("jpeg",), frames=1, replicates=20)
    write.write_report(run, evaluate(run, table, EvaluationConfig(replicates=20, perturb=True, robustness=jpeg)))
    again = write.write_report(run, evaluate(run, table, EvaluationConfig(replicates=20)))
    assert list(again.robustness.perturbations) == ["jpeg"]
    small(tmp_path / "run", seed=9)
    assert write.write_report(run, evaluate(run, table, EvaluationConfig(replicates=20))).robustness is None


@pytest.mark.slow
def test_films_that_have_gone_since_take_no_measurement_back(tiny_ffpp, tiny_faces, tmp_path):
    run, table = small(tmp_path / "run"), tiny_faces / "faces.csv"
    measured = write.write_report(run, evaluate(run, table, EvaluationConfig(replicates=20, films=tiny_ffpp))).own_boxes
    assert measured.reason is None and (measured.taken, measured.of) == (6, 6)
    for config in (EvaluationConfig(replicates=20), EvaluationConfig(replicates=20, own_boxes=False)):
        again = write.write_report(run, evaluate(run, table, config)).own_boxes
        assert again == measured
