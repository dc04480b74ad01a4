"""Answers that look right, and are not, are told so; answers that look odd, and are right, are not refused."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch.nn import functional as F

from torchfakes_utils.course import lesson_01_exercises as lesson_01
from torchfakes_utils.course import lesson_02b, lesson_05, lesson_05b, lesson_06b
from torchfakes_utils.course import lesson_04_exercises as lesson_04
from torchfakes_utils.course import lesson_09_exercises as lesson_09
from torchfakes_utils.course.practice import State

from helpers.exercises import assert_line


def strict(fake, usable, real_to, fake_from):
    means = [row[good].mean() if good.any() else np.nan for row, good in zip(fake, usable, strict=True)]
    return "fake" if np.max(np.nan_to_num(means)) > fake_from else "real" if max(means) < real_to else "cannot tell"


def anew(network, images, labels, steps):
    network.train()
    losses = []
    for _ in range(steps):
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        loss = F.binary_cross_entropy_with_logits(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def eleven(labels, scores):
    at = np.digitize(scores, np.linspace(0, 1, 11))
    return sum(abs((scores - labels)[at == k].sum()) for k in range(1, 12)) / len(scores)


def lifted(logits, labels):
    p = torch.sigmoid(logits)
    return -(labels * torch.log(p + 1e-8) + (1 - labels) * torch.log(1 - p + 1e-8)).mean()


def clamped(logits, labels):
    return F.binary_cross_entropy(torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7), labels)


def saved(data, kind="JPEG", **more):
    file = io.BytesIO()
    ImageOps.exif_transpose(Image.open(io.BytesIO(data))).save(file, kind, **more)
    return file.getvalue()


def floats(box, scale=1.3):
    return np.array(lesson_02b.square(box, scale)) + 0.4


def oblong(box, scale=1.3):
    return np.add(lesson_02b.square(box, scale), [1, 0, 0, 0])


def added(x, branches, mix, scale):
    return torch.relu(x + scale * mix(sum(branch(x) for branch in branches)))


def unexplained(x, branches, mix, scale):
    raise RuntimeError("boom")


def named(edges):
    return {group[0]: group for group in lesson_01.islands(edges)}


@pytest.mark.parametrize(
    ("exercise", "answer", "part"),
    [
        (lesson_09.VERDICT, strict, "exactly at a limit"),
        (lesson_05.MEMORISE, anew, "anew in each step"),
        (lesson_06b.ECE, eleven, "an eleventh"),
        (lesson_05.CROSS_ENTROPY, lifted, "Clipping p hides how wrong"),
        (lesson_05.CROSS_ENTROPY, clamped, "Clipping p hides how wrong"),
        (lesson_09.WITHOUT_NOTE, lambda data: saved(data, "PNG"), "in the format PNG, and a JPEG"),
        (lesson_09.WITHOUT_NOTE, lambda data: saved(data, comment="Zurich"), "still holds a comment"),
        (lesson_09.WITHOUT_NOTE, lambda data: saved(data, xmp=b"<x>47.22</x>"), "still holds XMP"),
        (lesson_09.WITHOUT_NOTE, lambda data: saved(data) + data, "goes on behind its picture"),
        (lesson_02b.SQUARE, floats, "whole pixels are expected"),
        (lesson_02b.SQUARE, oblong, "and a square is expected"),
        (lesson_05b.RESIDUAL, unexplained, "boom"),
        (lesson_05b.RESIDUAL, added, "stopped with"),
        (lesson_01.ISLANDS, named, "yours is a dict"),
        (lesson_01.ISLANDS, lambda edges: [" ".join(group) for group in lesson_01.islands(edges)], "holds texts"),
        (lesson_01.ISLANDS, lambda edges: [*lesson_01.islands(edges), ()], "islands is empty"),
        (lesson_01.ISLANDS, lambda edges: [(*group, group[0]) for group in lesson_01.islands(edges)], "is twice on"),
    ],
)
def test_an_answer_is_refused(exercise, answer, part):
    for seed in range(2):
        assert_line(exercise, answer, seed, State.WRONG, part)


def test_rows_are_a_set():
    def as_sets(*words):
        return tuple(set(side.tolist()) for side in lesson_04.hold_out(*words))

    for answer in (as_sets, lambda *words: [side[::-1] for side in lesson_04.hold_out(*words)]):
        assert_line(lesson_04.HOLD_OUT, answer, 0, State.RIGHT)


def test_a_progressive_picture_is_one():
    assert_line(lesson_09.WITHOUT_NOTE, lambda data: saved(data, progressive=True), 0, State.RIGHT)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("On Mini-FF++, 16 real and 64 fake clips: AUC 0.95 (0.90 to 0.99), beside 0.80 for always fake.", "Right"),
        ("On Mini-FF++, 64 real and 16 fake clips: AUC 0.95 (0.90 to 0.99), beside 0.80 for always fake.", "16 real"),
        ("On Mini-FF++, 16 real and 64 fake clips: AUC 0.95 (0.99 to 0.90), beside 0.80 for always fake.", "ends"),
        ("On Mini-FF++, 16 real and 64 fake clips: AUC 0.90 (0.95 to 0.99), beside 0.80 for always fake.", "AUC by"),
        ("Not on Mini-FF++, 16 real and 64 fake clips: AUC 0.95 (0.90 to 0.99), beside 0.80.", "*not* so"),
    ],
)
def test_a_line_says_what_is_so(text, line, capsys):
    clip = SimpleNamespace(
        n_real=16, n_fake=64, auc=0.953, auc_interval=(0.9, 0.99), balanced_accuracy=0.85, always_fake_accuracy=0.8
    )
    lesson_06b.check_line(text, clip)
    assert line in capsys.readouterr().out
