"""The app: a page on which anybody can have a photo or a video judged, and endpoints for programs.

Nothing is kept: an upload is deleted when it has been judged (`uploads.Uploads`), pictures go back inside the page
and not as files, and nothing is sent elsewhere or written to a log. What is on the page stands in `page`.
"""

import atexit
import contextlib
import errno
import functools
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torchfakes_utils import language as spoken
from torchfakes_utils.app import listening, pictures, views
from torchfakes_utils.app import page as the_page
from torchfakes_utils.app.access import AUTH_VARIABLE, Hosts, credentials, is_loopback
from torchfakes_utils.app.answers import Answers
from torchfakes_utils.app.asgi import note_unexpected
from torchfakes_utils.app.config import AppConfig
from torchfakes_utils.app.examples import put_examples
from torchfakes_utils.app.gate import Rules, gate
from torchfakes_utils.app.scratch import Scratch
from torchfakes_utils.app.uploads import Uploads, repeated
from torchfakes_utils.app.visitors import Visitors
from torchfakes_utils.audio.judging import VoiceJudge
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.language import tr
from torchfakes_utils.report import write
from torchfakes_utils.report.contents import Report

# Gradio's own habits: it counts its users, keeps in their browsers what they did, and may start further servers.
_HABITS = {
    "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False", "GRADIO_SSR_MODE": "False",
    "GRADIO_NUM_WORKERS": "0", "HF_HUB_DISABLE_TELEMETRY": "1",
}  # fmt: skip

logger = logging.getLogger(__name__)


def _note_error() -> None:
    """What Gradio does instead of printing a traceback, which repeats what a visitor sent: be it the name of a file."""
    if isinstance(error := sys.exception(), Exception):
        note_unexpected(error)


_WITHOUT_WORDS = SimpleNamespace(**vars(traceback) | {"print_exc": _note_error})

# How long the last answer stays in memory, for heat maps, after a visitor's last click; seconds. The page promises ten
# minutes, and it is looked every minute.
REMEMBERED = 540


class Served(contextlib.ExitStack):
    """The app while it runs: until `close`, or the end of its `with` block, which delete what is not judged yet.

    Attributes:
        url: the page's address.
        shared: its public address; None where there is none.
        uploads: what is there to be judged.
    """

    def __init__(self, predictor: Predictor, config: AppConfig | None = None, measured: Report | None = None) -> None:
        """Make the page, judge a first picture, and listen; what comes then is answered at once.

        Args:
            predictor: whose verdicts are shown; its `limits` are what decides.
            config: the usual one where not given.
            measured: of this very detector; None where it was not.

        Raises:
            InputError: gradio is missing, the port is taken, or there are no examples where they should be.
        """
        super().__init__()
        config = config or AppConfig()
        spoken.use(config.language)
        check_address(config.host, config.port)
        users = credentials(config.auth)
        self.uploads = Uploads(config.limits, config.gate)
        with contextlib.ExitStack() as stack:
            stack.callback(self.uploads.close)
            gradio = _gradio()
            stack.enter_context(_uploads_in(self.uploads.folder))
            shown = Scratch("torchfakes-app-")
            stack.callback(shown.close)
            gradio.set_static_paths(shown.folder)
            examples = [] if config.examples is None else put_examples(config.examples, shown.folder)
            voice = None
            if config.audio is not None:
                voice = VoiceJudge.from_run(config.audio, str(predictor.device), config.limits.seconds)
            answers = Answers(predictor, self.uploads, config.frames, voice)
            self._page = the_page.build(answers, config.limits, examples, shown.folder, measured, config.share)
            self._visitors = Visitors(self._page)
            answers.warm_up()
            stack.callback(self._page.close, verbose=False)
            self._launch(gradio, shown.folder, config, users)
            stack.enter_context(repeated(self.tidy))
            self.push(stack.pop_all())
        if users is None and (config.share or not is_loopback(config.host)):
            logger.warning("whoever reaches this app may use it; --auth, or %s, asks for a password", AUTH_VARIABLE)

    def _launch(self, gradio: Any, folder: Path, config: AppConfig, users: list[tuple[str, str]] | None) -> None:
        self.url: str
        self.shared: str | None
        with listening.instead_of_gradios(functools.partial(self._serve, config, folder)):
            _, self.url, self.shared = self._page.launch(
                server_name=config.host,
                server_port=config.port,
                auth=users,
                auth_message=tr("Ask whoever runs this page for the password.") if users else None,
                share=config.share,
                inbrowser=config.browser,
                inline=False,  # not into the notebook that it may be started from
                max_file_size=config.limits.media.bytes,
                # Fonts of whoever looks at it: none is fetched from elsewhere.
                theme=gradio.themes.Default(
                    primary_hue="sky", neutral_hue="gray", font=["system-ui", "sans-serif"], font_mono=["monospace"]
                ),
                css=views.style(),
                head=views.script(config.limits),
                favicon_path=pictures.favicon(folder),
                footer_links=["api", "settings"],
                state_session_capacity=100,
                enable_monitoring=False,
                mcp_server=False,
                pwa=False,
                prevent_thread_lock=True,
                quiet=True,
            )
        if not isinstance(self._page.server, listening.Server):  # else there would be nothing before Gradio
            raise InputError(
                f"gradio {gradio.__version__} serves pages in a way that is not known here; try an older one"
            )
        self._page.share = False  # its page for a shared app takes its scripts from elsewhere

    def _serve(self, config: AppConfig, folder: Path, app: Any, **_: Any) -> tuple[str, int, str, listening.Server]:
        """What Gradio's own `start_server` does, with the gate before `app`."""
        listener = listening.listener_at(config.host, config.port)
        port = listener.getsockname()[1]
        further = (*(config.hosts or ()), *(("*.gradio.live",) if config.share else ()))
        proxied = config.proxied or config.share
        rules = Rules(
            Hosts(config.host, further),
            self.uploads.folder,
            config.gate,
            shown=frozenset(path.as_posix() for path in folder.iterdir()),
            waiting=self._visitors.waiting,
            places=config.limits.places_of_one,
            largest=int(config.limits.megabytes * 1e6),
            proxied=proxied,
            framed_by=config.framed_by,
            scripts=views.inline_scripts(config.limits),
        )
        of_one = None if proxied else listening.connections_at_most(config.gate) // 2
        server = listening.Server(gate(self.uploads.middleware(app), rules), listener, config.gate, of_one)
        host = "localhost" if config.host in ("0.0.0.0", "::") else config.host
        return config.host, port, f"http://{f'[{host}]' if ':' in host else host}:{port}/", server

    def tidy(self) -> None:
        """Forget visitors who have not asked for anything for a while, and uploads that nobody asks about."""
        self.uploads.sweep()
        self._visitors.forget(REMEMBERED)


def serve_run(run: Path | str, config: AppConfig, device: str, ready: Callable[[Served], None]) -> None:
    """Serve the best detector of a run until Ctrl-C, or until the system wishes the program to end.

    Args:
        run: the folder, with its report.json where it was measured.
        config: how.
        device: "auto", "cpu", "cuda", …
        ready: called when the page answers.

    Raises:
        InputError: no detector there, or as `Served` says.
    """
    check_address(config.host, config.port)
    _check_gradio()  # before the detector is loaded
    predictor = Predictor.from_run(run, device, limits=config.limits.media)
    measured = None
    with contextlib.suppress(InputError):
        report = write.read(run)
        if report.detector.sha256 == predictor.detector.sha256:  # else it speaks of an earlier detector
            measured = report
    stop = threading.Event()
    ends = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):  # the terminal was closed
        ends.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in ends}
    try:
        with Served(predictor, config, measured) as served:
            ready(served)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_address(host: str, port: int | None) -> None:
    """See that the app could listen there, before anything slow is done.

    Raises:
        InputError: the port is taken or out of range, or the host is not this machine.
    """
    if port is not None and not 0 < port < 2**16:
        raise InputError(f"port {port}: give one from 1 to 65535")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is taken; choose another one with --port, or stop what uses it") from error
        where = host if port is None else f"{host}, port {port}"
        raise InputError(f"cannot listen at {where} ({error.strerror}); --host 127.0.0.1 is this machine") from error


def _check_gradio() -> None:
    if importlib.util.find_spec("gradio") is None:
        raise InputError("the app needs gradio; try: pip install 'torchfakes[app]'")


def _gradio() -> Any:
    """Gradio, without its own habits; these are fixed when it is imported, as is a folder that it makes things in."""
    _check_gradio()
    os.environ.update(_HABITS)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of each form that breaks off
    if "gradio" not in sys.modules:
        home = Scratch("torchfakes-gradio-")
        atexit.register(home.close)
        with _uploads_in(home.folder):
            import gradio
    import gradio
    from gradio import queueing, route_utils, routes

    for module in (queueing, route_utils, routes):
        module.traceback = _WITHOUT_WORDS  # type: ignore[attr-defined]  # it is what they import
    return gradio


@contextlib.contextmanager
def _uploads_in(folder: Path | str) -> Iterator[None]:
    """Where Gradio puts what is uploaded, for the time of the block."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("GRADIO_TEMP_DIR")
        if before is not None:
            os.environ["GRADIO_TEMP_DIR"] = before
