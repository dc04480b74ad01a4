"""Lesson 09's app in the notebook: shown inline while it runs, and a photo of the learner's own."""

import contextlib
import html
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from torchfakes_utils.app.config import AppConfig
from torchfakes_utils.app.server import Served
from torchfakes_utils.course import colab, plots, widgets
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.predictor import Predictor

# The page as it looks, for those who read the saved notebook; it lies in a checkout, and not in the package.
PICTURE = Path("../docs/pictures/app.jpg")
# The notebook comes from another port of this machine, and may put the page into a frame.
_NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*")
_LONGEST = 1280  # pixels of a photo's longer edge; of a larger one nothing more is seen, and it takes longer
_FRAME = '<iframe src="{url}" width="100%" height="{height}" style="border: 1px solid #ccc" title="the app"></iframe>'
_BELOW = '<p>Nothing above? Open <a href="{url}" target="_blank" rel="noopener">{url}</a> in a tab of its own.</p>'
_AWAY = (
    "<p>The app runs at {url} on the machine of this notebook, which is not yours: its page cannot be shown here.</p>"
)
_CLOSED = "<p>The app is closed. Run the cell that opened it to have it back.</p>"


_ALT = "The app as a page: a fake clip, its face in a box, the verdict with the band, and the score over time."


class ShownApp:
    """The package's app, running, with its page in the notebook; a picture of it where no kernel runs.

    Attributes:
        served: the app; its `url` has the port that was free, and `uploads.folder` what waits to be judged.
    """

    def __init__(self, predictor: Predictor, examples: Path | None = None, frames: int = 8, height: int = 900) -> None:
        """Serve a detector to this machine alone.

        Args:
            predictor: judges.
            examples: a folder of Mini-FF++, of which the page shows some; None shows none.
            frames: of a video that are looked at.
            height: of the page in the notebook, pixels.

        Raises:
            InputError: as `Served`.
        """
        self.served = Served(predictor, AppConfig(frames=frames, examples=examples, framed_by=_NOTEBOOKS))
        words = _AWAY if colab.on_colab() else _FRAME + _BELOW
        self._page = ipywidgets.HTML(words.format(url=html.escape(self.served.url), height=height))
        self._shown = widgets.Shown(self._page, _picture(), _ALT)

    def close(self) -> None:
        """End the app and delete what it has; the frame says so."""
        self.served.close()
        self._page.value = _CLOSED

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return self._shown._repr_mimebundle_(include, exclude)


def _picture() -> bytes:
    """The page as a picture, or words where there is none, as PNG."""
    figure, ax = plt.subplots(figsize=(7.0, 1.0))
    ax.set_axis_off()
    with contextlib.suppress(OSError), Image.open(PICTURE) as image:
        figure.set_size_inches(7.0, 7.0 * image.height / image.width)
        ax.imshow(np.asarray(image.convert("RGB")), interpolation="antialiased")
        return widgets.png(plots.finish(figure))
    ax.text(0, 0.5, "(the app’s page stands here while this notebook runs)", va="center")
    return widgets.png(plots.finish(figure))


class OwnPhoto:
    """A photo that the learner chooses, or the course's own: a button to upload one, or a path.

    Attributes:
        path: of a photo, for those who type; None takes what was uploaded, if anything was.
    """

    def __init__(self, predictor: Predictor, instead: np.ndarray) -> None:
        """Ask for one.

        Args:
            predictor: opens it, and must find a face in it.
            instead: the course's own, (H, W, 3) uint8.
        """
        self.path: Path | str | None = None
        self._predictor, self._instead = predictor, instead
        self.button = ipywidgets.FileUpload(accept="image/*", multiple=False, description="a photo of yours")
        picture = plots.images([instead], ["the course’s own"], inches=2.2)
        self._shown = widgets.with_picture(self.button, picture)

    def photo(self) -> np.ndarray:
        """The photo to go on with, (H, W, 3) uint8, upright; in a line it is said which."""
        source = self.path or uploaded(self.button.value)
        if source is None:
            print("No photo of yours, so this goes on with the course's own.")
            return self._instead
        try:
            found = self._predictor.examine(source, 1)
        except (InputError, OSError) as error:
            print(f"{error}. This goes on with the course's own.")
            return self._instead
        if not found.prediction.faces:
            print(f"{found.prediction.reason}. This goes on with the course's own.")
            return self._instead
        print(f"Your photo. What the detector says of it: {found.prediction.verdict} ({found.prediction.reason}).")
        return small(found.media.pictures[0])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return self._shown._repr_mimebundle_(include, exclude)


def uploaded(value: Any) -> bytes | None:
    """What a FileUpload holds, the last file of it; None where nothing is. ipywidgets 7 gives a dict, 8 a tuple."""
    files = list(value.values()) if isinstance(value, dict) else list(value)
    return bytes(files[-1]["content"]) if files else None


def small(photo: np.ndarray, longest: int = _LONGEST) -> np.ndarray:
    """A photo (H, W, 3) uint8 no larger than so many pixels."""
    image = Image.fromarray(photo)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image)


def at_once(ask: Callable[[], object], count: int) -> np.ndarray:
    """How long each of `count` askers waits who all ask in the same moment; seconds, in the order of the answers."""
    ready = threading.Barrier(count)

    def one(_: int) -> float:
        ready.wait()
        started = time.perf_counter()
        ask()
        return time.perf_counter() - started

    with ThreadPoolExecutor(count) as pool:
        return np.sort(list(pool.map(one, range(count))))
