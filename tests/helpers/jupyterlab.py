"""A real JupyterLab in a headless Chromium: open a notebook, run all of it, act on its widgets."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat

from torchfakes_utils.course import folders

from helpers.app import free_port

SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # else cells out of sight are not in the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
# Of the notebook that is open; `jupyterapp` is there because of --expose-app-in-browser.
PANEL = "window.jupyterapp.shell.currentWidget"
CELLS = f"{PANEL}.content.model.cells"
OUTPUTS = f"Array.from({{length: {CELLS}.length}}, (_, number) => {CELLS}.get(number).toJSON().outputs || [])"
# What `widgets.explore` has made: controls, and a picture of which a screen reader is told. Handles are noUiSlider's in
# ipywidgets 8 and jQuery UI's in 7.
EXPLORED = ".jp-OutputArea-output .widget-vbox:has(> .jupyter-widgets [role=status])"
HANDLES = ".noUi-handle, .ui-slider-handle"
CONTROLS = f"{HANDLES}, select, input"
TROUBLE = (
    ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'], "
    ".jp-OutputArea-output:text-matches('Error (displaying|creating) widget|Loading widget')"
)


def without_outputs(notebook: Path, folder: Path) -> Path:
    """A copy of a notebook as a learner gets it before anything was run: what is shown then was made then."""
    cells = nbformat.read(notebook, as_version=4)
    for cell in cells.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(cells, folder / notebook.name)
    return folder / notebook.name


def this_checkout(home: Path | None = None) -> dict[str, str]:
    """What a kernel needs to run this checkout's package, in a home of its own where there is one."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TORCHFAKES_HOME": str(home or folders.paths().home)}


@contextmanager
def server(folder: Path, scratch: Path, *, python: str = sys.executable, **environment: str):
    """A JupyterLab over a folder; nothing of this machine's user is read or written.

    Args:
        folder: of the notebooks.
        scratch: an empty folder for its settings.
        python: whose JupyterLab.
        **environment: for the server and its kernels, beside what there is.

    Yields:
        Its address.
    """
    for name, values in SETTINGS.items():
        file = scratch / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    # The kernel keeps the user's own folders: caches of fonts and weights are there, and a lesson does not touch them.
    home = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    _kernel(scratch / "data" / "kernels" / "python3", home | environment)
    own = {
        "HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }  # fmt: skip
    variables = os.environ | {name: str(scratch / place) for name, place in own.items()}
    variables |= {"JUPYTER_PREFER_ENV_PATH": "0"}
    port = free_port()
    log = scratch / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [python, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser", "--allow-root",
             f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.root_dir={folder}", "--ServerApp.token=", "--ServerApp.password="],
            env=variables, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()  # which ends its kernels
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _kernel(folder: Path, environment: dict[str, str]) -> None:
    """The kernel of these tests' own Python, whichever JupyterLab starts it."""
    folder.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": words, "display_name": "Python 3", "language": "python", "env": environment}
    (folder / "kernel.json").write_text(json.dumps(spec))


def _wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = 120) -> None:
    import urllib.error
    import urllib.request

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, f"JupyterLab ended:\n{log.read_text()[-2000:]}"
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab does not answer:\n{log.read_text()[-2000:]}")


class Explored:
    """A widget of `explore`: its controls, by the text beside them, and its picture.

    Attributes:
        box: the locator of all of it.
    """

    def __init__(self, box) -> None:
        self.box = box

    @property
    def _rows(self):
        return self.box.locator(":scope > .jupyter-widgets").filter(has=self.box.page.locator(CONTROLS))

    def labels(self) -> list[str]:
        """What stands beside its controls."""
        return [row.locator("label:visible").first.inner_text().strip() for row in self._rows.all()]

    def control(self, label: str):
        """What takes the keyboard of a slider, a menu or a check box."""
        return self._rows.filter(has=self.box.page.get_by_text(label, exact=True)).locator(CONTROLS).first

    @property
    def picture(self) -> str:
        """Where the picture stands; other bytes have another address."""
        return self.box.locator("img").first.get_attribute("src")

    @property
    def spoken(self) -> str:
        """What a screen reader is told of the picture."""
        return self.box.locator("[role=status]").inner_text()

    def move(self, label: str, keys: str = "", seconds: float = 60) -> float:
        """Move a control and wait until the picture is another one.

        Args:
            label: the text beside it.
            keys: to press, one after the other; by default, whatever moves this control farthest.
            seconds: to wait.

        Returns:
            Seconds from the last key to the new picture.
        """
        control = self.control(label)
        control.scroll_into_view_if_needed()
        before = self.picture
        started = self._moved(control, keys)
        while self.picture == before:
            assert time.perf_counter() - started < seconds, f"{label}: the picture stays as it was"
            control.page.wait_for_timeout(10)
        return time.perf_counter() - started

    def _moved(self, control, keys: str) -> float:
        if control.evaluate("element => element.tagName") == "SELECT":
            # JupyterLab takes the arrow keys for itself here, and goes to another cell; the choice is made as by mouse.
            chosen, choices = control.evaluate("element => [element.selectedIndex, element.length]")
            control.select_option(index=chosen + 1 if chosen + 1 < choices else 0)
            return time.perf_counter()
        if control.get_attribute("type") == "checkbox":
            keys = "Space"
        elif not keys:
            at, end = (control.get_attribute(f"aria-value{name}") for name in ("now", "max"))
            keys = "Home" if at == end else "End"
        control.focus()
        for key in keys.split():
            control.press(key)
        return time.perf_counter()


class Notebook:
    """A notebook that is open in JupyterLab.

    Attributes:
        page: Playwright's.
        problems: exceptions that nobody caught in the page.
    """

    def __init__(self, page, address: str, name: str) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(f"{address}/lab/tree/{name}?reset", timeout=120_000)
        page.wait_for_function(
            f"window.jupyterapp && {PANEL} && {PANEL}.sessionContext && {PANEL}.sessionContext.isReady "
            f"&& {PANEL}.sessionContext.session && {PANEL}.sessionContext.session.kernel "
            f"&& {PANEL}.sessionContext.session.kernel.status === 'idle'",
            timeout=120_000,
        )  # before the kernel is idle, nothing would be run, without a word

    def run_all(self, seconds: float = 300) -> None:
        """Run every cell, and wait for the last."""
        self.page.evaluate(
            "() => { window.ran = null; window.jupyterapp.commands.execute('notebook:run-all-cells')"
            ".then(() => { window.ran = 'done' }, error => { window.ran = String(error) }) }"
        )
        self.page.wait_for_function("window.ran", timeout=1000 * seconds)
        assert self.page.evaluate("window.ran") == "done"

    def outputs(self) -> list[list[dict]]:
        """The outputs of each cell, as the notebook has them."""
        return self.page.evaluate(OUTPUTS)

    def errors(self) -> list[str]:
        """What went wrong anywhere: in cells, in widgets, in the page."""
        cells = [f"cell {number}: {output['ename']}: {output['evalue']}"
                 for number, outputs in enumerate(self.outputs())
                 for output in outputs if output["output_type"] == "error"]  # fmt: skip
        return cells + self.page.locator(TROUBLE).all_inner_texts() + self.problems

    def save(self) -> None:
        """Write the notebook as it is, outputs included."""
        saved = "window.jupyterapp.commands.execute('docmanager:save').then(() => true)"
        assert self.page.evaluate(saved)

    def kinds(self) -> list[str]:
        """The MIME types of what is to be seen of the outputs, one an output."""
        return self.page.locator(".jp-OutputArea-output").evaluate_all(
            "outputs => outputs.map(output => output.dataset.mimeType)"
        )

    def close(self) -> None:
        """End the kernel."""
        self.page.evaluate(f"{PANEL}.sessionContext.shutdown()")

    def explored(self) -> list[Explored]:
        """What `widgets.explore` shows, in the order of the notebook."""
        return [Explored(box) for box in self.page.locator(EXPLORED).all()]
