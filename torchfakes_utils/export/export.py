"""Take a detector along: ONNX files, ExecuTorch programs for phones, or a web page; checked before they are kept.

A folder of an export is whole: it is made beside its place, checked against the detector, and then takes the place of
what was there before.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import check, parity, web_page, web_runtime
from torchfakes_utils.export.config import BYTES, FP32, INT8, PRECISIONS, ExportConfig
from torchfakes_utils.export.description import describe, limit_of, with_limit
from torchfakes_utils.export.graph import need
from torchfakes_utils.export.parity import Exported
from torchfakes_utils.export.runtimes import WEB, load_network, runtime_for
from torchfakes_utils.hub.package import without_paths
from torchfakes_utils.io.files import check_room, check_writable
from torchfakes_utils.io.folders import Stamp, owned, replaced_folder
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.provenance import find_faces, trained_on
from torchfakes_utils.models.run_files import DETECTOR_FILE, EXPORT_FOLDER, PARITY_FILE, PARITY_PAGE_FILE

logger = logging.getLogger(__name__)

# Numbers of a network from which on nobody should expect an export to be done at once.
_MANY = 100_000_000

# Distances of an 8-bit file may be off by this share before it gets a limit of its own.
MOST_SHIFTED = 0.01

_STAMP = Stamp("an export", "torchfakes export", 1)


def export_run(run: Path | str, config: ExportConfig = ExportConfig()) -> Exported:
    """Export the best detector of a run (or of a detector's own folder), and check what came out.

    Returns:
        The figures of every file. An int8 file that did not pass is in `refused`, with the reason, and not in the
        folder; `raise_for_refused` makes an error of it.

    Raises:
        InputError: the detector, the table or a package is not there, or no file passed, or float32 did not; what was
            exported before is then as it was.
    """
    run = Path(run)
    detector = load_detector(run)
    out = config.out or run / EXPORT_FOLDER / config.format
    owned(out, _STAMP)
    check_writable(out)
    runtime = runtime_for(config.format)
    for package in runtime.packages:  # what is missing is missed before minutes have gone by
        need(package, runtime.files, runtime.extra)
    numbers = sum(one.numel() for one in detector.parameters())
    if config.format == WEB:
        web_page.check_size(numbers, config.precisions)
        web_runtime.fetch_package()
    check_room(out, _room(numbers, config.precisions))
    if numbers > _MANY:
        config.say(f"{numbers / 1e6:.0f} million numbers: each step may take minutes")
    data = _data(run, detector, config)
    exported = Exported(notes=[*data.notes, *detector.decision.cautions], threads=config.threads)
    for note in exported.notes:
        logger.warning("%s", note)
    with replaced_folder(out, _STAMP) as folder:
        _Export(folder, detector, config, data, exported).fill()
        if config.format == WEB:
            config.say("web page")
            web_page.write_web(run, folder, detector, exported)
    exported.folder = out
    return exported


def _room(numbers: int, precisions: tuple[str, ...]) -> int:
    """Bytes that the files of so many numbers take, and what lies beside them while they are made: two in float32."""
    return round(sum(numbers * BYTES[name] for name in precisions) + 2 * numbers * BYTES[FP32])


def _data(run: Path, detector: Detector, config: ExportConfig) -> check.CheckData:
    faces = config.faces or find_faces(run)
    if faces is not None:
        config.say(f"crops are those of {faces}")
        return check.read_data(detector, faces, trained_on(run), INT8 in config.precisions, config.crops)
    if INT8 in config.precisions:
        raise InputError(
            f"{run}: int8 needs validation and test crops, and the run's table is not near it; give --faces FACES.CSV, "
            "or export --precision fp32 alone"
        )
    return check.noise_data(detector)


@dataclass
class _Export:
    """An export while its folder, in which nothing is yet, is filled; `exported` gets what is found."""

    folder: Path
    detector: Detector
    config: ExportConfig
    data: check.CheckData
    exported: Exported

    def __post_init__(self) -> None:
        self.runtime = runtime_for(self.config.format)
        wanted = (name for name in PRECISIONS if name in self.config.precisions)
        self.limits: dict[str, float] = {}  # of distances, where a file has its own
        self.paths = {name: self.folder / f"detector.{name}{self.runtime.suffix}" for name in wanted}

    def fill(self) -> None:
        """Make and check everything."""
        self.config.say("face networks")
        files = self.runtime.export_face_networks(self.folder)
        self.exported.face_networks = check.compare_faces(
            {name: self.runtime.open_face_network(path, self.config.threads) for name, path in files.items()}
        )
        self.detectors()
        self.judge()
        self.write_texts()

    def detectors(self) -> None:
        """The detector's files. That int8 cannot be made is noted, where float32 is there."""
        if FP32 in self.paths:
            self.config.say(self.paths[FP32].name)
            self.runtime.export_detector(self.detector, self.paths[FP32])
        if INT8 in self.paths and self.data.calibration is not None:
            self.config.say(self.paths[INT8].name)
            try:
                self.int8(self.data.calibration)
            except InputError as error:
                if FP32 not in self.paths:
                    raise
                self.exported.refused[INT8] = without_paths(str(error))[0]  # it is published with the files

    def int8(self, calibration: np.ndarray) -> None:
        """Make the file of 8 bits, with a limit of distances of its own where they lie elsewhere in it."""
        path, made = self.paths[INT8], self.paths.get(FP32)
        self.runtime.export_int8(self.detector, calibration, path, made)
        network, own = load_network(path, self.config.threads), limit_of(self.detector.decision)
        limit = check.own_limit(self.detector, network, self.data, self.config.say)
        if limit is None or own is None or abs(limit / own - 1) <= MOST_SHIFTED:
            return
        self.limits[INT8] = limit
        note = f"{path.name} refuses crops from a distance of {limit:.4g} on, the detector from {own:.4g}: in 8 bits "
        self.exported.notes.append(note + "distances are others, and its limit is fixed by its own on validation")
        self.config.say(f"{path.name}, with a limit of distances of its own")
        self.runtime.export_int8(with_limit(self.detector, limit), calibration, path, made)

    def judge(self) -> None:
        """Keep what passes its check, and delete what does not.

        Raises:
            InputError: float32 does not pass, or nothing does.
        """
        threads, made = self.config.threads, {name: path for name, path in self.paths.items() if path.is_file()}
        networks = {name: (path, load_network(path, threads)) for name, path in made.items()}
        for one in check.compare(networks, self.detector, self.data, threads, self.config.say):
            why = parity.why_refused(one)
            if why and one.precision == FP32:
                raise InputError(why)
            if why:
                self.exported.refused[one.precision] = why
                self.exported.rejected.append(one)
                self.paths[one.precision].unlink()
            else:
                self.exported.files.append(one)
        if not self.exported.files:
            raise InputError("; ".join(self.exported.refused.values()))

    def write_texts(self) -> None:
        """The description, and the figures for machines and for people."""
        kept = [one.precision for one in self.exported.files]
        kept = kept[-1:] if self.config.format == WEB else kept  # the page has one
        detector = with_limit(self.detector, self.limits.get(kept[0])) if len(kept) == 1 else self.detector
        description = describe(detector, " and ".join(kept), self.runtime.packages)
        if limit_of(detector.decision) is not None:
            description["distance_limits"] = {name: self.limits.get(name, limit_of(detector.decision)) for name in kept}
        title = f"Exported {self.detector.config.architecture} beside the detector"
        texts = {
            DETECTOR_FILE: json.dumps(description, indent=2, ensure_ascii=False) + "\n",
            PARITY_FILE: json.dumps(self.exported.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
            PARITY_PAGE_FILE: parity.page(self.exported, title),
        }
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
