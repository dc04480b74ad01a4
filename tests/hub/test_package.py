"""What is taken out of the texts that are published."""

import shutil

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub import package
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.models.stored import store_decision

from helpers.decisions import answering
from helpers.hub import liken


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at /home/ada/data/faces.csv, twice", "at faces.csv, twice"),
        ('{"weights": "/mnt/big disk/x.pt"}', '{"weights": "/mnt/big disk/x.pt"}'.replace("/mnt/big", "big")),
        (r'{"weights": "C:\\Users\\ada\\x.pt"}', '{"weights": "x.pt"}'),
        (r"C:\Users\ada\x.pt or \\server\share\x.pt", "x.pt or x.pt"),
        ("file:///Users/ada/x.mp4", "x.mp4"),
        ("read=/root/x.mp4;/tmp/y", "read=x.mp4;y"),
        ("<td>0.5</td><br/> 3/4, AUC / loss, mistakes/01.jpg", None),
        ("see https://example.org/a/b/c or ../docs/x.md or ~/x", None),
        ("data:image/svg+xml;base64,AA+/b/c/d==", None),
    ],
)
def test_paths_of_a_machine_are_shortened_and_nothing_else(text, clean):
    found, count = package.without_paths(text)
    assert found == (text if clean is None else clean)
    assert (count == 0) == (clean is None)


def test_a_card_that_is_a_link_is_published_only_where_it_leads_to_a_card(evaluated, tmp_path):
    """As in the Hub's cache; a run that somebody has sent may hold a link to what nobody is to see."""
    run = shutil.copytree(evaluated, tmp_path / "run")
    card, secret = run / "best" / "README.md", tmp_path / "secret.txt"
    card.rename(tmp_path / "card.md")
    card.symlink_to(tmp_path / "card.md")
    assert package.package(run, "owner/name").files["README.md"].startswith(b"---\n")
    secret.write_text("nobody-else-may-read-this")
    card.unlink()
    card.symlink_to(secret)
    with pytest.raises(InputError, match=r"README\.md: a link to something else than a model card; remove it"):
        package.package(run, "owner/name")


def test_the_likeness_is_published_with_the_decision_that_speaks_of_it(bare):
    assert "likeness.safetensors" not in package.package(bare, "owner/name").files
    liken(bare / "best")
    files = package.package(bare, "owner/name").files
    assert set(files) <= set(package.FILES) and files["likeness.safetensors"] == bare / "best" / "likeness.safetensors"


def test_a_card_of_a_detector_that_was_never_evaluated_says_what_a_verdict_means(bare):
    detector = load_detector(bare)
    card = package.package(bare, "owner/name").files["README.md"].decode().replace("\\", "")
    assert detector.decision.meaning in card and "What it was trained on is not known; it says nothing of" in card
    assert "It gives no verdict: its decision was made by an older TorchFakes" not in card
    store_decision(bare / "best", answering(0.75, scope=Scope("Some data", ("Deepfakes",))))
    card = package.package(bare, "owner/name").files["README.md"].decode().replace("\\", "")
    assert "Trained on Some data: Deepfakes; it says nothing of" in card
    assert "One picture: called fake from 0.750;" in card and "called real up to 0.750;" in card
