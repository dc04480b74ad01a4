"""Lessons in other languages are the English ones but for their words, and what is out of step is told."""

import copy
import json
import re
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils import language as spoken
from torchfakes_utils.course import build, practice, predictions, quizzes, translation
from torchfakes_utils.course.lesson_00_exercises import RIGHT_ALARMS
from torchfakes_utils.course.lesson_00_figures import PARTS
from torchfakes_utils.errors import InputError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LANGUAGES = [folder.name for folder in build.translations(NOTEBOOKS)]
TWINS = sorted(NOTEBOOKS.glob("[a-z][a-z]/source/*.py"))
NOTEBOOKS_THERE = sorted(NOTEBOOKS.glob("[a-z][a-z]/*.ipynb"))


def named(path):
    return f"{path.parts[-3] if path.suffix == '.py' else path.parts[-2]}/{path.stem}"


@pytest.fixture
def spanish():
    spoken.use("es")
    yield
    spoken.use("en")


# --- what is there is in step


def test_there_are_languages():
    assert "es" in LANGUAGES and set(LANGUAGES) <= set(spoken.languages())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_in_step_with_english(language):
    assert translation.problems(language, NOTEBOOKS) == []


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_a_translated_notebook_matches_its_twin(twin):
    target = twin.parents[1] / f"{twin.stem}.ipynb"
    language = twin.parents[1].name
    assert target.is_file(), f"python -m torchfakes_utils.course.build --language {language} {twin.stem}"
    assert build.differences(build.from_twin(twin), nbformat.read(target, as_version=4)) == []


@pytest.mark.parametrize("path", NOTEBOOKS_THERE, ids=named)
def test_a_translated_notebook_is_fit_to_publish(path):
    notebook = nbformat.read(path, as_version=4)
    assert (path.parent / "source" / f"{path.stem}.py").is_file(), f"{path} has no text twin"
    nbformat.validate(notebook)
    build.check(notebook, path.stat().st_size, path)
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            for kind in {"image/png", "image/jpeg"} & set(output.get("data", {})):
                assert output.metadata.get(kind, {}).get("alt", "").strip(), f"cell {index}: a picture without alt text"


def test_links_of_a_translated_lesson_lead_somewhere():
    for twin in TWINS:
        for cell in build.from_twin(twin).cells:
            for target in re.findall(r"\]\(((?!https?:)[^)#]+)", cell.source):
                assert (twin.parents[1] / target).exists(), f"{named(twin)}: {target}"


# --- what is out of step is told


def lesson(*cells):
    made = [nbformat.v4.new_markdown_cell(text) if text[0] != ">" else nbformat.v4.new_code_cell(text[1:])
            for text in cells]  # fmt: skip
    return nbformat.v4.new_notebook(cells=made)


SETUP, SPANISH_SETUP = ">course.begin()", '>course.begin("es")'
TEXT = "# One\n\n*5 min, difficulty 1 of 3.* {= a['x'] : .2f =} and {= b =} <!-- holds: a['x'] > 1 -->"
SPANISH_TEXT = "# Uno\n\n*5 min, dificultad 1 de 3.* {= b =} y {= a['equis'] : .2f =} <!-- holds: a['equis'] > 1 -->"
CODE = '>a = {"x": f"{b:.1f} of {c}"}  # why'
SPANISH_CODE = '>a = {"equis": f"de {c}, {b:.1f}"}  # por qué'


def test_words_comments_and_their_order_are_each_languages_own():
    there = lesson(SETUP, TEXT, CODE), lesson(SPANISH_SETUP, SPANISH_TEXT, SPANISH_CODE)
    assert translation.lesson(*there, "es") == []


@pytest.mark.parametrize(
    ("cells", "part"),
    [
        ([SPANISH_SETUP, SPANISH_TEXT], "2 cells, the English lesson has 3"),
        ([SPANISH_SETUP, SPANISH_CODE, SPANISH_CODE], "cell 1: of another type"),
        ([SETUP, SPANISH_TEXT, SPANISH_CODE], 'cell 0: the lesson is to begin with course.begin("es")'),
        ([SPANISH_SETUP, SPANISH_TEXT.replace("# ", "## "), SPANISH_CODE], "cell 1: other headings"),
        ([SPANISH_SETUP, SPANISH_TEXT.replace("*5", "*8"), SPANISH_CODE], "cell 1: other minutes or difficulty"),
        ([SPANISH_SETUP, SPANISH_TEXT.replace("d 1", "d 2"), SPANISH_CODE], "cell 1: other minutes or difficulty"),
        ([SPANISH_SETUP, SPANISH_TEXT.replace(".2f", ".1f"), SPANISH_CODE], "cell 1: other values"),
        ([SPANISH_SETUP, SPANISH_TEXT.replace("{= b =} ", ""), SPANISH_CODE], "cell 1: other values"),
        ([SPANISH_SETUP, SPANISH_TEXT.replace("> 1", "> 0"), SPANISH_CODE], "cell 1: other conditions"),
        ([SPANISH_SETUP, f"{SPANISH_TEXT}\n\n```python\n1\n```", SPANISH_CODE], "cell 1: other code"),
        ([SPANISH_SETUP, f"{SPANISH_TEXT} Seguro?", SPANISH_CODE], "cell 1: 0 “¿” and 1 “?”"),
        ([SPANISH_SETUP, f'{SPANISH_TEXT} "así"', SPANISH_CODE], "cell 1: a quote of another language"),
        ([SPANISH_SETUP, SPANISH_TEXT, SPANISH_CODE.replace(".1f", ".2f")], "cell 2: other code"),
        ([SPANISH_SETUP, SPANISH_TEXT, SPANISH_CODE.replace("a =", "d =")], "cell 2: other code"),
    ],
)
def test_a_lesson_out_of_step_is_told(cells, part):
    found = translation.lesson(lesson(SETUP, TEXT, CODE), lesson(*cells), "es")
    assert len(found) == 1 and part in found[0]


def test_a_text_out_of_step_is_told():
    needed = {"{n} pictures", "yes"}
    assert translation.texts(needed, {"{n} pictures": "{n} imágenes", "yes": "sí"}) == []
    assert translation.texts(needed, {"yes": "sí"}) == ["no text for '{n} pictures'"]
    assert translation.texts({"yes"}, {"yes": "sí", "no": "no"}) == ["nobody asks for 'no'"]
    assert translation.texts({"yes"}, {"yes": " "}) == ["nothing is said for 'yes'"]
    for other in ("imágenes", "{m} imágenes", "{n:.1f} imágenes", "{n!r} imágenes", "{n} de {n}"):
        assert "other {names}" in translation.texts({"{n} pictures"}, {"{n} pictures": other})[0]


def test_what_the_code_asks_for_is_found(tmp_path):
    (tmp_path / "a.py").write_text(
        'X = {mark("in data"): 1}\n\ndef f(n):\n    said = "by a {name}"\n    other = "not asked for"\n'
        '    return tr("here"), tr(said, name=n), tr(n), other\n'
    )
    assert translation.asked(tmp_path) == {"in data", "here", "by a {name}"}


def test_a_quiz_with_another_right_answer_is_told():
    english = quizzes.read()
    other = {"00": copy.deepcopy(english["00"])}
    assert translation.quiz(english, other) == []
    choices = other["00"][1]["choices"]
    choices[0], choices[1] = choices[1], choices[0]
    assert translation.quiz(english, other) == ["lesson 00: other choices, or another right one"]
    assert "2 questions, and 3 are asked" in translation.quiz(english, {"00": english["00"][:2]})[0]


def test_a_new_language_begins_with_what_is_missing(tmp_path, capsys, monkeypatch):
    (tmp_path / "source").mkdir()
    assert translation.main(["pt", "--missing", "--notebooks", str(tmp_path)]) == 0
    given = json.loads(capsys.readouterr().out)
    assert "Not yet: {text}" in given and set(given.values()) == {""}
    assert translation.main(["pt", "--notebooks", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- the course speaks it


def test_checks_predictions_and_quizzes_speak_spanish(spanish, capsys):
    guess = predictions.predict("¿Dónde?", options=list(PARTS), value="nariz")
    guess.answer("nariz y mejillas")
    practice.check(RIGHT_ALARMS, lambda truth, said: None)
    practice.check(RIGHT_ALARMS, lambda truth, said: (truth == said).mean())
    practice.check(RIGHT_ALARMS, RIGHT_ALARMS.reference)
    out = capsys.readouterr().out
    assert out.startswith("Predice: ¿Dónde? (ojos y frente; nariz y mejillas; boca y barbilla; fuera de la cara)")
    for said in ("Dijiste nariz y mejillas: correcto.", "Aún sin intentar: ", "Todavía no: Esa es la proporción",
                 "Correcto: `right_alarms` da lo que debe con 3 entradas al azar."):  # fmt: skip
        assert said in out
    assert quizzes.quiz("00").questions[1].text == "Acertaste siete caras de diez. ¿Qué sabes de tu habilidad?"
    assert quizzes.quiz("00").choose(0, 1).startswith("Correcto. ")


def test_a_quiz_that_a_language_lacks_is_asked_in_english(spanish):
    assert quizzes.quiz("05").questions == quizzes.questions("05")
    with pytest.raises(InputError, match="no quiz"):
        quizzes.quiz("99")


# --- folders


def test_a_language_is_built_from_its_own_folder(tmp_path):
    for place in ("source/00_a.py", "source/01_b.py", "es/source/00_a.py", ".ipynb_checkpoints/source/x.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("")
    assert build.of_languages(tmp_path) == [tmp_path, tmp_path / "es"]
    assert build.of_languages(tmp_path, ["00"]) == [tmp_path, tmp_path / "es"]
    assert build.of_languages(tmp_path, ["00", "01"]) == [tmp_path]
    assert build.of_languages(tmp_path, ["00"], "es") == [tmp_path / "es"]
    assert build.of_languages(tmp_path, None, "en") == [tmp_path]
    with pytest.raises(InputError, match="no lessons in 'fr'; there are en, es"):
        build.of_languages(tmp_path, None, "fr")
