"""What a lesson does on Colab, and here instead."""

import subprocess
import sys
from pathlib import Path

import pytest

from torchfakes_utils.course import colab


@pytest.mark.slow
def test_setup_cell_works_here_and_pins_nothing():
    assert not colab.on_colab()
    subprocess.run([sys.executable, "-c", colab.SETUP_CELL], check=True, cwd=Path(__file__).parents[2])
    assert "==" not in colab.SETUP_CELL and "torchfakes @ git+https://" in colab.SETUP_CELL
    assert colab.badge("03_x").endswith("notebooks/03_x.ipynb)")
