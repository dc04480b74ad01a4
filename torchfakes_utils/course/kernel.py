"""How a lesson begins in its kernel: the course's look, and a word on names that are not there.

Cells run out of order, or after a restart of the kernel, end in a NameError. Python's word for it says what is missing
and not what to do; here both stand in one line.
"""

from types import TracebackType
from typing import Any

from torchfakes_utils import language as spoken
from torchfakes_utils.language import tr


def begin(language: str = spoken.ENGLISH, drive: bool = False) -> None:
    """What the first cell of every lesson calls; called again, it changes nothing more.

    Args:
        language: in which the lesson speaks, such as "es".
        drive: on Colab, keep what the lessons make in the learner's Google Drive.

    Raises:
        InputError: there is no such language.
    """
    from torchfakes_utils.course import colab, plots

    spoken.use(language)
    colab.prepare(drive)
    plots.use_style()
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((NameError,), _explain)


def advice(error: NameError) -> str:
    """What to do about a name that is not there, in one line."""
    return tr(
        "{error}. If a cell further up makes it, run that first (Run > Run All Above Selected Cell); after a restart, "
        "begin with the first cell. Otherwise look at the spelling.",
        error=error,
    )


def _explain(
    shell: Any, kind: type[BaseException], error: NameError, trace: TracebackType | None, tb_offset: int | None = None
) -> list[str]:
    """IPython's handler: the cell has failed all the same, so that "run all" ends there.

    Where the name is missing within a function, which may be the package's own, the way to it is worth seeing.
    """
    if _depth(trace) > 1:
        lines: list[str] = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    else:
        lines = [f"{kind.__name__}: {advice(error)}"]
    shell._showtraceback(kind, error, lines)  # noqa: SLF001 - the public one would show the whole way to it
    return lines


def _depth(trace: TracebackType | None) -> int:
    """How many calls below the cell's own lines an error was raised, itself included."""
    frames = 0
    while trace is not None:
        frames += trace.tb_frame.f_globals.get("__name__") != "IPython.core.interactiveshell"
        trace = trace.tb_next
    return frames
