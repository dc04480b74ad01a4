"""The card is a page of text whatever names it holds, and its head stays what the Hub reads."""

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from torchfakes_utils.models.decision import Decision
from torchfakes_utils.report.model_card import card

from cases.runs import WORDS
from helpers.report import clip_scores, made_up_report


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
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert all(line.replace(r"\|", "").count("|") in (4, 5) for line in rows)
    assert "$" not in body.replace(r"\$", "")
