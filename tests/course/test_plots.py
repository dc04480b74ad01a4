"""The figures that every lesson shares show what they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from torchfakes_utils.course import plots


@pytest.fixture
def faces(tmp_path):
    rows = []
    for person in ("000", "001"):
        for label, method, clip in ((0, "youtube", person), (1, "Deepfakes", f"{person}_005")):
            for frame in (0, 10):
                file = tmp_path / f"{clip}_{frame}.png"
                Image.new("RGB", (160, 160), (200, 30 * label, frame)).save(file)
                rows.append((clip, label, method, "c23", person, frame, file))
    return pd.DataFrame(rows, columns=["clip_id", "label", "method", "compression", "target_id", "frame", "file"])


def test_faces_grid_sets_a_fake_below_its_real_face(faces):
    pairs = plots.face_pairs(faces)
    assert len(pairs) == 4 and (pairs["clip_id_fake"].str[:3] == pairs["clip_id_real"]).all()
    figure = plots.faces_grid(faces, columns=2)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["real 000", "real 001", "Deepfakes", "Deepfakes"]
    with pytest.raises(ValueError, match="no real face"):
        plots.faces_grid(faces[faces["label"] == 1])


def test_figures_return_what_they_show():
    figure = Figure()
    ax = figure.subplots()
    assert plots.roc(ax, [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]) == pytest.approx(0.75)
    assert any("AUC 0.75" in text.get_text() for text in ax.texts)
    ax = figure.subplots()
    plots.histogram(ax, [1, 2, 3, 4], [0, 0, 1, 1], bins=4, threshold=2.5)
    assert [text.get_text().strip() for text in ax.texts] == ["real", "fake"]
    ax = figure.subplots()
    plots.curves(ax, [0, 1], {"loss": [1, 0.5]})
    assert ax.texts[0].get_text() == " loss"
    assert plots.images([np.zeros((4, 4), np.uint8)] * 3, columns=2, labels=[0, 1, 0]).axes[3].get_visible() is False
