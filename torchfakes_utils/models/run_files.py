"""What lies in the folder of a run, by name. Whoever writes one takes its name from here.

    config.json             how it was trained, on which table (SHA-256), by which program; by it a run is known
    last.safetensors        where training is, to go on from there
    history.csv, steps.csv  a row an epoch; a row every few steps
    tensorboard/, wandb/    what a tracker writes, if one was asked for
    best/                   the best detector, complete in itself
        model.safetensors     its weights
        detector.json         what they are: network, preprocessing, decision, SHA-256
        likeness.safetensors  by which it is told how unlike the faces of training a face is
        README.md             its model card, once it was evaluated
    scores.csv              a row a crop of the split that was evaluated
    report.json, .html      what the scores say, for machines and for people
    mistakes/               pictures of the worst mistakes, which the page shows
    robustness.json         measurements on changed crops that are done
    stability.json          answers to changed photos that are given
    explanations/           what `torchfakes explain` measured: explanation.json; explanations.csv, regions.csv,
                            masks.csv, layers.csv, maps.npz and overlays/
    windows.csv             of a detector of films: a row a window; film_report.json, what these say
    export/FORMAT/          what `torchfakes export` made: detector.json; parity.json and parity.md; the networks

A folder of a detector alone (one that was pulled from the Hub) holds what lies in `best`, and is taken wherever a run
is asked for.
"""

from pathlib import Path

TRAINING_FILE = "config.json"
STATE_FILE = "last.safetensors"
HISTORY_FILE = "history.csv"
STEPS_FILE = "steps.csv"
TENSORBOARD_FOLDER, WANDB_FOLDER = "tensorboard", "wandb"

BEST_FOLDER = "best"
WEIGHTS_FILE = "model.safetensors"
DETECTOR_FILE = "detector.json"
VIDEO_KIND = "video"  # as the `kind` in the description of a detector of films; one of crops has none
LIKENESS_FILE = "likeness.safetensors"
CARD_FILE = "README.md"
# No more is read of a detector, which may be a stranger's, nor fetched from the Hub. The largest networks of the field
# have some 300 million numbers, 1.2 GB of them.
MOST_BYTES = {WEIGHTS_FILE: 2 * 10**9, DETECTOR_FILE: 10**6, LIKENESS_FILE: 10**7}

SCORES_FILE = "scores.csv"
REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
MISTAKES_FOLDER = "mistakes"
ROBUSTNESS_FILE = "robustness.json"
STABILITY_FILE = "stability.json"
WINDOWS_FILE, FILM_REPORT_FILE = "windows.csv", "film_report.json"

EXPLANATIONS_FOLDER = "explanations"
EXPLANATION_FILE = "explanation.json"
EXPLANATIONS_FILE = "explanations.csv"
REGIONS_FILE = "regions.csv"
MASKS_FILE = "masks.csv"
LAYERS_FILE = "layers.csv"
MAPS_FILE = "maps.npz"
OVERLAYS_FOLDER = "overlays"

EXPORT_FOLDER = "export"
PARITY_FILE = "parity.json"
PARITY_PAGE_FILE = "parity.md"


def best_folder(run: Path | str) -> Path:
    """Where in a run's folder its best detector is: in `best`, unless the folder is a detector's own."""
    run = Path(run)
    best = run / BEST_FOLDER
    return best if not (run / DETECTOR_FILE).is_file() and (best / DETECTOR_FILE).is_file() else run
