"""A model card in the Hugging Face Hub's format, filled in with what was measured.

Source: Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils.io.text import markdown
from torchfakes_utils.report import text
from torchfakes_utils.report.contents import Report
from torchfakes_utils.training.recipes import RECIPES

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

_TEMPLATE = Path(__file__).parent / "templates" / "model_card.md"

# Our metrics by the names of the Hub's `evaluate` library.
_HUB_METRICS = {
    "auc": "roc_auc", "accuracy": "accuracy", "average_precision": "average_precision", "brier": "brier_score",
}  # fmt: skip


def card_facts(architecture: str, *tags: str, **more: Any) -> "ModelCardData":
    """What the head of every card says; `more` are fields of `ModelCardData`."""
    from huggingface_hub import ModelCardData

    return ModelCardData(
        language="en",
        license="other",  # whose pictures the weights learned from decides what may be done with them; we do not
        license_name="terms-of-the-training-data",
        library_name="torchfakes",
        pipeline_tag="image-classification",
        tags=["deepfake-detection", "face-forensics", *tags, architecture.lower()],
        **more,
    )


def card(report: Report) -> str:
    """The card, as the README.md of a model's repository."""
    import jinja2
    from huggingface_hub import EvalResult

    results = [
        EvalResult(
            task_type="image-classification",
            task_name="Deepfake detection",
            dataset_type=report.data.name,
            dataset_name=report.data.name,
            dataset_split=report.split,
            metric_type=kind,
            metric_name=f"{name.replace('_', ' ')} by clip",
            metric_value=round(value, 4),
        )
        for name, kind in _HUB_METRICS.items()
        if (value := getattr(report.clip, name)) is not None
    ]
    facts = card_facts(report.detector.architecture, model_name=report.name, eval_results=results)
    # Names of methods, of data and of runs are whatever somebody has called them: what is filled in is text.
    environment = jinja2.Environment(finalize=lambda value: markdown(value) if isinstance(value, str) else value)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    recipe = RECIPES.get(str(report.detector.training.get("recipe")))
    filled = template.render(report=report, text=text, programs=vars(report.environment), recipe=recipe)
    return f"---\n{facts.to_yaml()}\n---\n\n{filled.strip()}\n"
