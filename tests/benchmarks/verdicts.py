"""What a detector answers about what it knows, and about what it does not: films, faces of others, portraits, drawings.

    python tests/benchmarks/verdicts.py RUN --mini data/mini [--photos FOLDER] [--crops "DFDC=faces.csv" …]
        [--crowds data/mini/faces/faces.csv] [--out FILE --name NAME]

Films, drawings and portraits are judged by `predict`, as anybody's files are. `--mini` names a Mini-FF++: its test
films, and drawings made of their frames. `--photos` names photographs in which nothing is forged. `--crops` names
tables of faces that were cut before: each crop of the test split is judged as a photo's face is, such as crops of the
Deepfake Detection Challenge, which do not leave the machine (`tests/benchmarks/dfdc.py` makes their table). `--crowds`
draws photos of ten real people each from the crops of such a table, 10,000 times, and counts how often one of the ten
makes the file fake. With `--out` the counts go into that file, beside those of other names.
"""

import argparse
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from matplotlib import cbook
from PIL import Image
from skimage import data

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.evaluation.evaluate import score
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.tables import CLIP_COLUMNS, CLIPS_FILE, read_table
from torchfakes_utils.io.video import read_frames, spread
from torchfakes_utils.models.decision import DISTANCE, LIMITS
from torchfakes_utils.models.detector import load_detector

# Of a set, at most.
MOST = 200
SIZES = (0.8, 0.9, 1.0, 1.1, 1.25)


def main() -> None:
    """Judge every set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--mini", type=Path, required=True)
    parser.add_argument("--crops", nargs="+", default=[], metavar="NAME=FACES.CSV")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--crowds", type=Path)
    parser.add_argument("--most", type=int, default=MOST)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--name", default="detector")
    args = parser.parse_args()
    predictor = Predictor.from_run(args.run, "cpu")
    sets = dict(mini_films(args.mini, args.most)) | {"drawings of these people": drawings(args.mini, args.most)}
    sets |= {f"the {name} portrait, {size:g} times its size": [jpeg(resized(picture, size))]
             for name, picture in portraits().items() for size in SIZES}  # fmt: skip
    if args.photos:
        sets["photographs of others"] = sorted(args.photos.iterdir())[: args.most]
    rows: dict[str, dict[str, float]] = {}
    for name, files in sets.items():
        rows[name] = answers(predictor, files)
        print(line(name, rows[name]), flush=True)
    for given in args.crops:
        about, _, table = given.partition("=")
        for name, row in of_crops(args.run, about, Path(table), args.most):
            rows[name] = row
            print(line(name, row), flush=True)
    if args.crowds:
        for split in ("val", "test"):
            rows[f"ten people of {split}"] = row = crowds(args.run, args.crowds, split)
            print(line(f"ten people of {split}", row), flush=True)
    if args.out:
        known = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
        args.out.write_text(json.dumps(known | {args.name: rows}, indent=1) + "\n", encoding="utf-8")


def line(name: str, row: Mapping[str, float]) -> str:
    """A row of the table."""
    return f"{name}: {', '.join(f'{what} {count:g}' for what, count in row.items())}"


def answers(predictor: Predictor, files: list[bytes | Path]) -> dict[str, int]:
    """How many of some files get each answer, and of those without one, why."""
    counts: Counter[str] = Counter()
    for prediction in predictor.predict_many(files):
        if prediction.verdict != "cannot tell":
            counts[prediction.verdict] += 1
        elif prediction.probability_fake is not None:
            counts["cannot tell by the score"] += 1
        elif "unlike the faces" in prediction.reason:
            counts["unlike training"] += 1
        else:
            counts["no face, or not such a face"] += 1
    return dict(counts)


def mini_films(root: Path, most: int) -> Iterator[tuple[str, list[bytes | Path]]]:
    """Test films, real and fake, by compression."""
    clips = read_table(root / CLIPS_FILE, CLIP_COLUMNS)
    for (compression, label), own in clips[clips["split"] == "test"].groupby(["compression", "label"]):
        name = f"Mini-FF++, test films, {compression}, {('real', 'fake')[label]}"
        yield name, [root / path for path in own["path"]][:most]


def drawings(root: Path, most: int) -> list[bytes | Path]:
    """Pencil drawings and paintings, by filters, of a frame of each real test film and of the two portraits."""
    clips = read_table(root / CLIPS_FILE, CLIP_COLUMNS)
    own = clips[(clips["split"] == "test") & (clips["label"] == 0) & (clips["compression"] == "c23")]
    pictures = [read_frames(root / path, [0])[1][0] for path in own["path"]] + list(portraits().values())
    made = []
    for picture in pictures:
        bgr = np.ascontiguousarray(picture[..., ::-1])
        grey, coloured = cv2.pencilSketch(bgr, sigma_s=60, sigma_r=0.07, shade_factor=0.05)
        made += [cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), coloured, cv2.stylization(bgr, sigma_s=60, sigma_r=0.45)]
    return [jpeg(one[..., ::-1]) for one in made][:most]


def portraits() -> dict[str, np.ndarray]:
    """The two people of whom Mini-FF++ is made, as they were photographed."""
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        hopper = np.asarray(image.convert("RGB"))
    return {"Collins": data.astronaut(), "Hopper": hopper}


def resized(picture: np.ndarray, times: float) -> np.ndarray:
    """As a photo editor would."""
    height, width = (round(edge * times) for edge in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def of_crops(run: Path, about: str, table: Path, most: int) -> Iterator[tuple[str, dict[str, int]]]:
    """What is said of test crops, real and fake, evenly spread over their table, each judged as a photo's face is."""
    detector, faces = load_detector(run), load_faces(table, "test")
    for label, name in ((0, "real"), (1, "fake")):
        own = faces[faces["label"] == label]
        some = own.iloc[spread(most, len(own))]
        scores = score(detector, some.reset_index(drop=True))
        said = detector.decision.band(1).answers(scores["probability_fake"].to_numpy())
        counts: Counter[str] = Counter()
        for outside, answer in zip(scores["cannot_tell"], said, strict=True):
            if outside:
                counts["unlike training" if outside.startswith(LIMITS[DISTANCE].above) else "not such a face"] += 1
            else:
                counts["cannot tell by the score" if np.isnan(answer) else "fake" if answer else "real"] += 1
        yield f"test crops, {about}, {name}", dict(counts)


def crowds(run: Path, table: Path, split: str, people: int = 10, draws: int = 10_000) -> dict[str, float]:
    """How often a file of ten different real people is called fake, as it is judged and as it was: each by itself."""
    detector, faces = load_detector(run), load_faces(table, split)
    scores = score(detector, faces[faces["label"] == 0].reset_index(drop=True))
    band, generator = detector.decision.band(1), np.random.default_rng(0)
    own = [group for _, group in scores.groupby("target_id")]
    counts: Counter[str] = Counter()
    for _ in range(draws):
        some = [own[number].iloc[generator.integers(len(own[number]))]
                for number in generator.choice(len(own), people, replace=False)]  # fmt: skip
        usable = np.array([one["probability_fake"] for one in some if one["cannot_tell"] == ""])
        counts["fake"] += bool((usable >= band.from_of(len(usable))).any())
        counts["fake, were each judged by itself"] += bool((usable >= band.from_of(1)).any())
    return {what: count / draws for what, count in counts.items()} | {"people": len(own)}


def jpeg(picture: np.ndarray) -> bytes:
    """A photo's file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=95)
    return file.getvalue()


if __name__ == "__main__":
    main()
