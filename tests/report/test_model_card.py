"""The card is a page of text whatever names it holds, and its head stays what the Hub reads."""

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.report.model_card import card

from cases.runs import WORDS
from helpers.report import clip_scores, made_up_report


def bars(body):
    """How many bars divide each row of the tables."""
    return [line.replace(r"\|", "").count("|") for line in body.splitlines() if line.startswith("| ")]


@pytest.mark.slow
@pytest.mark.parametrize("words", WORDS.values())
def test_names_are_text(words):
    report = made_up_report(clip_scores().replace("FaceSwap", words), decision=Decision(caution=words, notes=(words,)))
    data = replace(report.data, name=words, table=words, fake_clips={words: 2}, compressions=(words,))
    text = card(replace(report, name=words, data=data))
    assert ModelCard(text).data.model_name == words
    _, body = text.split("\n---\n", 1)
    _, plain = card(made_up_report()).split("\n---\n", 1)
    body = body.replace(r"\[", "").replace(r"\]", "")
    for mark in ("<", "](", "\x1b", "\n# ", "\n---"):
        assert body.count(mark) == plain.count(mark), mark
    assert bars(body) == bars(plain), "a name adds no cell and no row"
    assert "$" not in body.replace(r"\$", "")


def test_the_card_says_what_a_verdict_means_and_counts_the_answers():
    band = Band((0.55,), 0.25, Rate(0.05, 0.001, 0.249, 1, 22, 20))
    decision = Decision(photo=band, film=band, scope=Scope("Some data", ("Deepfakes",), ("c23",)))
    text = card(made_up_report(decision=decision)).replace("\\", "")
    assert decision.meaning in text and "Trained on Some data: Deepfakes at c23; it says nothing of" in text
    assert "| called fake from | 0.550 | 0.550 |" in text
    assert "| real ones called fake | 1 of 22 real clips: 5.0 % (0.1 to 24.9 %), 20 people or pairs |" in text
    assert "| real clips | 1 of 4: 25.0 % (0.6 to 80.6 %) | 1 of 4:" in text
    assert "It never gives a verdict" not in text
    assert "**It never gives a verdict**: its thresholds" in card(made_up_report()).replace("\\", "")


def test_the_card_of_a_detector_that_has_met_no_forgery():
    report = made_up_report()
    for share, said in ((1.0, True), (0.5, False)):
        training = report.detector.training | {"self_blended": share}
        text = card(replace(report, detector=replace(report.detector, training=training)))
        assert ("real faces alone, blended with themselves: it has met no manipulation" in text) == said
        assert ("not those of tomorrow" in text) != said and "self blended" in text.replace("\\", "").replace("_", " ")
