import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.training.config import TrainingConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0}, {"learning_rate": float("nan")}, {"dropout": 1.0},
        {"weight_decay": -1}, {"patience": 0}, {"crops_per_epoch": 1}, {"augmentation": "mixup"},
        {"val_frames_per_clip": 0}, {"sampling": "random"}, {"seed": -1}, {"mixed_precision": "int4"},
        {"accumulate": 0}, {"schedule": "cosines"}, {"clip_norm": 0}, {"average": 1.0}, {"tracker": "paper"},
        {"cache": "ram"}, {"image_size": 0}, {"log_every": 0}, {"processes": 0}, {"checkpoint_minutes": -1},
        {"head_learning_rate": -1}, {"warmup_epochs": 1}, {"warmup_epochs": -0.5, "schedule": "cosine"},
        {"warmup_epochs": 5, "schedule": "cosine"}, {"min_sharpness": -1.0}, {"min_sharpness": float("nan")},
        {"min_sharpness": float("inf")},
    ],
)  # fmt: skip
def test_settings_that_cannot_work(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)).replace("_", " ")):
        TrainingConfig(**wrong)


def test_runs_that_are_best_at_their_end_are_not_stopped_on_the_way():
    assert TrainingConfig().stops_after == TrainingConfig(schedule="cosine").stops_after == float("inf")
    assert TrainingConfig(schedule="plateau").stops_after == 5 and TrainingConfig(patience=2).stops_after == 2


def test_unknown_choices_are_told_with_those_there_are():
    with pytest.raises(InputError, match="tracker 'paper'; choose one of auto, none, trackio, wandb, tensorboard"):
        TrainingConfig(tracker="paper")


@pytest.mark.parametrize(
    ("field", "value", "takes"),
    [
        ("min_sharpness", -3, "0, which keeps all crops, or more"),
        ("learning_rate", -1.0, "numbers above 0"),
        ("batch_size", 1, "2 or more"),
        ("seed", -1, "0 or more"),
        ("dropout", 1.0, "0 or more, and less than 1"),
        ("average", 1.0, "0 or more, and less than 1"),
        ("weight_decay", -1.0, "0 or more"),
        ("epochs", 0, "1 or more"),
        ("warmup_epochs", 9.0, "the schedule cosine"),
    ],
)
def test_what_a_number_may_be_is_said(field, value, takes):
    with pytest.raises(InputError, match=f"cannot use {field.replace('_', ' ')} {value}; it takes {takes}"):
        TrainingConfig(**{field: value})
