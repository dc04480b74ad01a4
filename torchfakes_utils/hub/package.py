"""What of a run is published: the best detector, its model card and its report. No face, no clip's name, no path.

A report shows faces of the data set that it was measured on, whose terms forbid to pass them on (those of
FaceForensics++ do), and names their clips. Both stay on the machine; the numbers go.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.text import markdown
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.provenance import made_by_others
from torchfakes_utils.models.run_files import (
    CARD_FILE,
    DETECTOR_FILE,
    LIKENESS_FILE,
    PAGE_FILE,
    REPORT_FILE,
    WEIGHTS_FILE,
    best_folder,
)
from torchfakes_utils.report import write
from torchfakes_utils.report.model_card import card, card_facts
from torchfakes_utils.report.text import limits, sentence

# All that is ever published.
FILES = (DETECTOR_FILE, CARD_FILE, REPORT_FILE, PAGE_FILE, LIKENESS_FILE, WEIGHTS_FILE)

# A path from the root, of two parts or more, on any system; the last part is kept. The end of an HTML tag is none, and
# what follows the host in an address.
_PATH = re.compile(
    r"""(?:file:/+|(?<![\w.~/\\<-])(?:[A-Za-z]:[\\/]{1,2}|\\{2,4}|/(?!/)))   # a root
    (?:[^\s"'`<>|:*?\\/,;()\[\]]+[\\/]{1,2})+                                # folders
    ([^\s"'`<>|:*?\\/,;()\[\]]*)""",
    re.VERBOSE,
)
_DATA_ADDRESS = re.compile(r"(data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*)")
_MISTAKES = re.compile(r'(<section id="mistakes"[^>]*>\s*<h2[^>]*>[^<]*</h2>).*?(</section>)', re.DOTALL)
_LEFT_OUT = "<p>Left out where it is published: these are faces and names of clips of somebody's data set.</p>"

_BARE_CARD = """---
{facts}
---

# {0}

A detector of manipulated faces: {1} at {detector.preprocessing.size} px, one logit,
fake = 1, {2}.

**It was never evaluated.** Nobody knows how often it is wrong, on any data. Do not call anybody's film fake, or real,
because of it; run `torchfakes evaluate` on data that you know first.

{meaning}

{scope}

P(fake) is sigmoid(logit / {detector.decision.temperature:.3f}). {limits} The preprocessing is there, too. Its training
faces are personal data under terms of their own: see those before you pass it on.
"""


@dataclass(frozen=True)
class Package:
    """What is published of a run.

    Attributes:
        files: of `FILES`, those that there are, by name: a file to read, or what is in it.
        detector: what it holds.
        notes: what whoever publishes it has to know, a line each.
    """

    files: dict[str, Path | bytes]
    detector: Detector
    notes: list[str]


def package(run: Path | str, name: str) -> Package:
    """Put together what is published of a run; its folder stays as it is.

    Args:
        run: the folder of a run, or of a detector.
        name: what a card that has to be made is to call it.

    Raises:
        InputError: no detector there, or one that cannot be trusted; a report of other weights.
    """
    run, best = Path(run), best_folder(run)
    detector = load_detector(best)
    texts, notes = {DETECTOR_FILE: _read(best / DETECTOR_FILE)}, []
    written = write.read(run) if (run / REPORT_FILE).is_file() else None
    if written is not None:
        if written.detector.sha256 != detector.sha256:
            raise InputError(
                f"{run / REPORT_FILE}: measured with other weights; run `torchfakes evaluate` again, or delete it, "
                f"{PAGE_FILE} and {best / CARD_FILE}"
            )
        mistakes = tuple(replace(one, clip_id="") for one in written.mistakes)  # these count, but not whose they are
        texts[REPORT_FILE] = write.as_text(replace(written, mistakes=mistakes))
        if (run / PAGE_FILE).is_file():
            shown, found = _MISTAKES.subn(rf"\1\n{_LEFT_OUT}\n\2", _read(run / PAGE_FILE))
            if found == 1 and "data:image/jpeg" not in shown:
                texts[PAGE_FILE] = shown
            else:
                notes.append(f"{PAGE_FILE} is left out: it shows faces in a way that is not known here")
    if (best / CARD_FILE).is_file():
        texts[CARD_FILE] = _read(best / CARD_FILE)
        # In the Hub's cache all files are links; a stranger's may lead to what nobody is to see.
        if (best / CARD_FILE).is_symlink() and not write.CARD_BEGINNING.match(texts[CARD_FILE]):
            raise InputError(f"{best / CARD_FILE}: a link to something else than a model card; remove it")
    elif written is not None:
        texts[CARD_FILE] = card(written)
    else:
        texts[CARD_FILE] = _bare_card(name, detector)
        notes.append("it was never evaluated, and its card says so: run `torchfakes evaluate`, then push again")
    notes += detector.decision.cautions
    numbers = (WEIGHTS_FILE,) if detector.likeness is None else (WEIGHTS_FILE, LIKENESS_FILE)
    files: dict[str, Path | bytes] = {file: best / file for file in numbers}
    for file, text in texts.items():
        clean, paths = without_paths(text)
        if paths:
            notes.append(f"{file}: {paths} paths of a machine are shortened to their last part")
        files[file] = clean.encode()
    return Package(files, detector, notes)


def without_paths(text: str) -> tuple[str, int]:
    """A text in which only the last part of every absolute path is left, and how many there were.

    Pictures inside a page are passed over.
    """
    parts, count = _DATA_ADDRESS.split(text), 0
    for index in range(0, len(parts), 2):  # the others are pictures, in letters among which slashes mean nothing
        parts[index], found = _PATH.subn(r"\1", parts[index])
        count += found
    return "".join(parts), count


def _bare_card(name: str, detector: Detector) -> str:
    facts = card_facts(detector.config.architecture, "not-evaluated").to_yaml()
    others = made_by_others(detector.extra)
    made = f"made by others ({'; '.join(f'{what}: {told}' for what, told in others.items())})" if others else ""
    called = [markdown(name.rpartition("/")[2]), markdown(detector.config.architecture)]
    called.append(markdown(made) if others else "trained with TorchFakes")
    decision = detector.decision
    words = {"meaning": decision.meaning, "scope": sentence(decision.scope.line), "limits": _limits(decision)}
    words = {name: markdown(word) for name, word in words.items()}
    return _BARE_CARD.format(*called, facts=facts, detector=detector, **words)


def _limits(decision: Decision) -> str:
    """What is called fake and real, for a card, in sentences."""
    if decision.silence:
        return f"It gives no verdict: {decision.silence}."
    names, films, photos = zip(*limits(decision), strict=True)
    told = [f"{what}: {'; '.join(f'{name} {value}' for name, value in zip(names, values, strict=True))}."
            for what, values in (("A film of 4 frames or more", films), ("One picture", photos))]  # fmt: skip
    return " ".join([*told, f"These limits are in {DETECTOR_FILE}."])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
