"""A training run that draws itself in a notebook."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from torchfakes_utils.course import lesson_05_figures
from torchfakes_utils.models.run_files import HISTORY_FILE


class LivePlot:
    """The course of a run, drawn anew after every epoch; give one to `training.run.train` as `on_epoch`.

        train("faces/faces.csv", "runs/mine", config, on_epoch=LivePlot("runs/mine"))

    Attributes:
        rows: the history so far.
    """

    def __init__(self, run: Path | str | None = None) -> None:
        """Begin with what the run folder holds already, if there is one: a run that goes on."""
        history = None if run is None else Path(run) / HISTORY_FILE
        there = history is not None and history.is_file()
        self.rows: list[dict[str, Any]] = pd.read_csv(history).to_dict("records") if there else []
        self._shown: Any = None  # IPython's handle of what is displayed

    def __call__(self, row: dict[str, Any]) -> None:
        """Take in a row of the history, and show it."""
        from IPython.display import display

        self.rows.append(row)
        if self._shown is None:
            self._shown = display(self.figure(), display_id=True)
        else:
            self._shown.update(self.figure())

    def figure(self) -> Figure:
        """The picture as it is now."""
        return lesson_05_figures.history_figure(pd.DataFrame(self.rows))
