# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run, starts]
# ---

# %% [markdown]
# # 05 · Fine-tune
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/05_fine_tune.ipynb)
#
# **In this lesson you measure what pretrained weights are worth, fine-tune a network yourself, and learn checks that
# tell within a minute whether training works.**
#
# - **You will be able to** predict the loss before training, overfit a batch on purpose, compare ways to fine-tune at
#   the same budget, freeze layers without the usual accident, find out why a network gives everybody one answer, and
#   estimate how much fits on a graphics card.
# - **You need** lesson 04 (splits, balanced batches), and to have met a gradient before. No GPU.
# - **Time:** about an hour to read and predict; a minute and a half to run on two CPU cores once the inputs are there,
#   which takes another three minutes.
#
# The bootcamp team trained for eighty epochs. The training loss fell and the validation accuracy rose. Then every
# test image came out *Real*. The checks of this lesson would have warned them.

# %%
import sys

if "google.colab" in sys.modules:  # elsewhere, `make setup` has installed the course
    import subprocess

    package = "torchfakes @ git+https://github.com/torchfakes/torchfakes"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

plots.use_style()

# %%
import torch

from torchfakes_utils.course import lesson_05
from torchfakes_utils.crops.table import read_crop

trained = course.detector()
crop = read_crop(course.faces_table("val").query("label == 1 and sharpness > 30")["file"].iloc[0])
maps, channels = {}, []


def keep_output(name: str):
    """A hook that keeps the mean over channels of what the stage `name` puts out."""

    def hook(module, inputs, output):
        maps[name] = output[0].mean(0).numpy()
        channels.append(output.shape[1])

    return hook


stages = ["conv2d_2b", "conv2d_4b", "repeat_1", "repeat_2", "block8"]
hooks = [getattr(trained.backbone, name).register_forward_hook(keep_output(name)) for name in stages]
score = float(trained.probability(crop[None])[0])
for hook in hooks:
    hook.remove()
lesson_05.journey(crop.permute(1, 2, 0).numpy(), maps, channels, score)

# %% [markdown]
# A forged face on its way through the course's detector, InceptionResnetV1. Each grey picture is the mean over all
# channels of one stage. From left to right there is less *where* and more *what*.
#
# > **Two networks.** *InceptionResnetV1* is the first project's and the course's: 23 million parameters, from random
# > weights here; sections 1, 2 and 5 to 8 are about it. *EfficientNet-Lite0* has 3.4 million, and ImageNet's weights
# > for it are installed; sections 3 and 4 fine-tune it.

# %% [markdown]
# ## 1 · What should the loss be before training?
#
# The detector has one output, the *logit* *z*. Its sigmoid, *σ(z)* = 1 / (1 + *e*⁻ᶻ), is P(fake). The loss is the
# surprise at the truth: −ln *σ(z)* for a fake, −ln (1 − *σ(z)*) for a real face. This is *binary cross-entropy*.
#
# > **Predict first.** An untrained network knows nothing and says 0.5 to everything. What is its loss?


# %% tags=["nbval-check-output"]
import numpy as np
from torch import nn
from torch.nn import functional as F


def naive(z: float, label: int) -> float:
    """As it stands in the textbook."""
    p = 1 / (1 + np.exp(-z))
    return -np.log(p) if label else -np.log(1 - p)


def stable(z: float, label: int) -> float:
    """The same, multiplied out so that no exponential can overflow."""
    return max(z, 0) - z * label + np.log1p(np.exp(-abs(z)))


print("  z  label   naive  stable   torch")
with np.errstate(divide="ignore"):
    for z, label in [(0.0, 1), (2.0, 1), (2.0, 0), (-2.0, 0), (50.0, 0)]:
        properly = F.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(float(label))).item()
        print(f"{z:4.0f} {label:5d} {naive(z, label):8.3f} {stable(z, label):7.3f} {properly:7.3f}")
print(f"ln 2 = {np.log(2):.3f}")

# %% [markdown]
# At *z* = 0 the loss is ln 2, for either label. The textbook's formula gives *infinity* where a network is very sure
# of the wrong answer. That is why the course's network ends in a logit. Now a network, and sixteen faces, half of them
# real:

# %%
import pandas as pd

from torchfakes_utils.faces.quality import filter_blurred
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

SIZE = 96  # px; small, so that the networks of this lesson take seconds
faces = course.faces_table()
one_a_clip = filter_blurred(faces.query("split == 'train'")).drop_duplicates(["method", "clip_id"])
batch = one_a_clip.groupby("label").sample(8, random_state=0)  # 8 real, 8 fake, 16 clips
images = torch.stack([Preprocessing(size=SIZE).apply(read_crop(file)) for file in batch["file"]])
labels = torch.tensor(batch["label"].to_numpy(), dtype=torch.float32)


def fresh() -> Detector:
    """A small InceptionResnetV1 with random weights, always the same ones."""
    torch.manual_seed(0)
    config = DetectorConfig(pretrained=None, dropout=0.0, preprocessing=Preprocessing(size=SIZE))
    return Detector(config).train()


# %% tags=["nbval-check-output"]
def first_loss(detector: Detector) -> float:
    """The loss on the sixteen faces before any training."""
    with torch.no_grad():
        return F.binary_cross_entropy_with_logits(detector(images), labels).item()


usual = fresh()
nn.init.uniform_(usual.classifier.weight, -1, 1)  # as timm draws the classifier of some of its networks
print(f"classifier at zero:        {first_loss(fresh()):.3f}")
print(f"classifier from U(-1, 1):  {first_loss(usual):.1f}")

# %% [markdown]
# **What we saw.** Our classifiers start at zero, so that the first loss is exactly ln 2. A classifier of random
# numbers begins with strong opinions about faces it has never seen, and its wrong opinions push on every layer below.
#
# **Break it.** ln 2 belongs to *balanced* batches. What is the least loss of a network that gives everybody the same
# answer?

# %% tags=["nbval-check-output"]
FIRST_PROJECT = 21000 / (21000 + 5500)  # fake and real crops, from its report
worlds = {"balanced batches": 0.5, "four fakes to a real": 0.8, "the first project": FIRST_PROJECT}
for name, p in worlds.items():
    loss = -p * np.log(p) - (1 - p) * np.log(1 - p)  # the best constant answer is p itself
    print(f"{name:22s} {p:6.1%} fake: loss {loss:.3f}, accuracy {max(p, 1 - p):.1%}")

# %% [markdown]
# **What we saw.** On the team's data a loss that falls from 0.69 to 0.51 may have learned one thing only: fakes are
# common. Our training batches are balanced, so their free answer costs 0.693. Our validation clips are 4 : 1, so
# theirs costs 0.500. Never compare the two losses with each other. Compare each with its own constant.

# %% [markdown]
# ## 2 · Can it learn sixteen faces by heart?
#
# The best test of a training loop is a task that it cannot fail. This network has 23 million parameters; the loss
# on sixteen faces must go to zero. Otherwise the loop is broken, and no amount of data will help. (This check, and
# the one before, stand in Karpathy's *Recipe for Training Neural Networks*.)
#
# > **Predict first.** Two networks get the same faces. One gets the right labels, one gets shuffled labels. Which of
# > them reaches zero?


# %%
def memorise(detector: Detector, labels: torch.Tensor, steps: int = 14) -> list[float]:
    """Train on one batch, again and again; the loss of every step."""
    optimizer, losses = torch.optim.AdamW(detector.parameters(), lr=1e-3), []
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(detector(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


shuffled = labels[torch.randperm(16, generator=torch.Generator().manual_seed(3))]
network = fresh()
by_heart = {"right labels": memorise(network, labels), "shuffled labels": memorise(fresh(), shuffled)}
print(f"shuffled labels that are right by chance: {(shuffled == labels).sum():.0f} of 16")
title = "It learns the truth and a lie equally well"
lesson_05.loss_curves(by_heart, title, [lesson_05.KEPT, lesson_05.CUT])

# %% [markdown]
# **What we saw.** The loop works. But the shuffled labels were learned, too. *A falling training loss proves that the
# network can store the answers. It does not say what it stored.* Zhang et al. (ICLR 2017) showed the same with a
# million pictures.
#
# > **Predict first.** The first network knows these sixteen faces by heart. We show it *the same faces* again, in
# > evaluation mode, as in a test. How many will it get right?


# %%
def exam(detector: Detector, name: str) -> dict:
    with torch.no_grad():
        logits = detector(images)
    said_fake = logits > 0
    right = (said_fake == labels.bool()).sum()
    return {"asked in": name, "called fake": f"{said_fake.sum()} of 16", "right": f"{right} of 16"}


def recount(detector: Detector, batches) -> Detector:
    """Batch norm's averages anew, from some batches; no weight changes."""
    for module in detector.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over all batches since the reset
    detector.train()
    with torch.no_grad():
        for images, _ in batches:
            detector(images)
    return detector.eval()


exams = [exam(network.train(), "training mode"), exam(network.eval(), "evaluation mode")]
recount(network, [(images, labels)])
exams.append(exam(network, "evaluation mode, recounted"))
pd.DataFrame(exams).set_index("asked in")

# %% [markdown]
# **What we saw.** Compare the first two rows: the same weights, the same faces. In training mode batch normalisation
# uses the mean and spread of the batch at hand. In evaluation mode it uses *running averages*: each step puts in a
# tenth of the new batch. After fourteen steps with large changes, the averages belong to networks that no longer exist.
# In the last row we counted them again, and changed no weight.

# %% [markdown]
# ## 3 · What is a good start worth?
#
# *Transfer learning* begins with weights that already know something. EfficientNet-Lite0 has learned to tell a
# thousand kinds of things apart on 1.3 million photographs (ImageNet); its weights were installed with this course.
# *Fine-tuning* keeps them, puts a new classifier on top, and trains on. One can train
#
# - the **head** alone: the new classifier, a linear one, on features that stay as they are;
# - the **norms** alone: the classifier, and scale and shift of each normalisation layer (Frankle et al., ICLR 2021);
# - **all** weights.

# %% tags=["nbval-check-output"]
from torchfakes_utils.course import colab
from torchfakes_utils.models.pretrained import build_detector

colab.extra("timm")
# Pixels from -1 to 1, as this network was trained on ImageNet.
LITE0 = DetectorConfig("EfficientNet-Lite0", "imagenet", preprocessing=Preprocessing(SIZE, 127.5, 127.5))
lite0, _ = build_detector(LITE0)
for what in ("head", "norms", "all"):
    lite0.tune(what)
    here, of = (sum(column) for column in zip(*lite0.parameter_counts().values(), strict=True))
    print(f"tune({what!r}):{'':{8 - len(what)}}{of:>10,} of {here:,} parameters")

# %% [markdown]
# > **Predict first.** Sixty steps of sixteen crops each, on the training clips of Mini-FF++. Order the four ways:
# > random weights, head alone, norms alone, all. How large is the gap between the first and the last?
#
# (*Random weights* means this same small network here.) Each way was trained three times by the package's own loop,
# with the same steps, batches and crops, at 96 px. Each has its own learning rate, the better of two that we tried with
# another seed on the same validation clips, which is a little kind to all four. Nothing was chosen afterwards: this is
# the validation split after the last step. AUC is the share of pairs, one real and one fake, that are put in the right
# order; a coin gets 0.5 (lesson 06 looks into it).
#
# The dots are the three seeds, too few to be drawn from; they are there to be seen. A band is the 95 % interval of
# *their mean*, from drawing *people* with all their clips, both people of a pair together: it says how far the mean
# hangs on who was filmed, and not what a fourth seed would do.

# %%
from torchfakes_utils.course import starts

runs = starts.read_runs(course.ensure("starts"))
table = lesson_05.summary(runs)
lesson_05.starts_figure(table)

# %%
main = table[table["crops"] == 0].set_index("start")
clips = len(runs.drop_duplicates(["method", "clip_id"]))
print(f"{len(starts.SEEDS)} seeds, {clips} validation clips; 95 % intervals of the differences, on the same clips:")


def tell_gain(one: str, other: str) -> None:
    """The mean difference of two starts, seed by seed."""
    of = {start: [run for _, run in part.groupby("seed")] for start, part in runs.query("crops == 0").groupby("start")}
    gain, low, high = lesson_05.mean_gain(of[one], of[other])
    print(f"{one} against {other}: {gain:+.2f} AUC ({low:+.2f} to {high:+.2f})")


tell_gain(starts.ALL, starts.RANDOM)
tell_gain(starts.ALL, starts.NORMS)
tell_gain(starts.NORMS, starts.HEAD)
tell_gain(starts.HEAD, starts.RANDOM)
main["rate"] = [starts.STARTS[start].learning_rate for start in main.index]
main[["rate", "auc", "low", "high"]].round(3)

# %% [markdown]
# **What we saw.** After so few steps the random network is no better than a coin, and all of ImageNet's weights,
# trained on, are far above it: by 0.36, and by a quarter at least if you believe the interval. This is a statement
# about the *budget*: the course's detector, another network, also started from random weights, and it learned, in more
# steps on larger crops (section 7). What was learned from photographs helps although no photograph was a deepfake. Of
# the three ways to train it, the one in which all may change is ahead of both others; head and norms are told apart by
# nothing here. (The line of the head alone is what ImageNet's features are worth when none of them changes.) (So few
# steps have to be large ones. A longer run can take smaller ones: the recipe `cpu` has 3e-4.)
#
# How many pictures does it take? The same two starts, the same sixty steps, but fewer training crops: real ones, each
# with one fake of the same frame, from as many people as there are.
#
# > **Predict first.** Where will ImageNet's line with 32 crops be: above or below the random line with all?

# %%
every = int((faces["split"] == "train").sum())
lesson_05.few_figure(table, every)

# %%
shown = table[table["start"].isin(starts.ON_FEW)].replace({"crops": {0: every}})
shown.pivot(index="crops", columns="start", values="auc").round(2)

# %% [markdown]
# **What we saw.** ImageNet's weights with thirty-two crops are far above random weights with all. For ImageNet's, 128
# crops gave what all gave, and 32 not much less: the bands overlap, so that nothing is told about the difference. The
# random line does not rise at all. Sixty steps show 960 crops: each of thirty-two some thirty times, each of all at
# most once. So the question *how many suffice?* has one answer a budget; in a longer run more pictures have a chance to
# count.
#
# **What Mini-FF++ can and cannot show.** Its faces are warps of two portraits, and validation holds few people: the gap
# between *ImageNet, all trained* and *random* is what you may take away, not the values. Whether it holds for real
# deepfakes, the project measures on crops of the Deepfake Detection Challenge, in
# [docs/benchmarks/dfdc.md](../docs/benchmarks/dfdc.md):

# %%
real = lesson_05.on_real_deepfakes()
print("docs/benchmarks is not at hand here." if real is None else real.round(3).to_string())

# %% [markdown]
# **What we saw.** On real deepfakes, too, ImageNet's weights come first when all of them are trained: 0.2 above random
# ones (95 % intervals, by video; the differences are of the same videos). The classifier and the norms alone are worth
# a quarter of that, and on these videos just more than nothing. Their rate was low here (3e-4 for all three that begin
# with ImageNet, 1e-3 for random ones); section 3 gave them thirty and ten times as much. One seed each. The page
# says more, such as how good the recipe `cpu` is on videos that nobody chose anything by.

# %% [markdown]
# ### Weights that know faces
#
# InceptionResnetV1 can start from VGGFace2 (8,631 people; Cao et al., 2018) or CASIA-WebFace (10,575 people; Yi et al.,
# 2014). Both are on GitHub, 107 MB each. The next cell fetches VGGFace2 and makes the same short run twice, if it can.

# %%
gain = lesson_05.vggface2_gain(faces, steps=30)
print("VGGFace2 cannot be had here; with a network, this cell shows its gain." if gain is None else gain.round(2))

# %% [markdown]
# Which weights did a model of last month start from? When a download fails, `torchfakes train` goes on from random
# weights, says so in one line, *and writes it down*. The course starts from random weights, so that it is the same for
# everybody:

# %%
print("the course's detector started from:", trained.config.pretrained or "random weights")

# %% [markdown]
# ### Freezing, and the accident that comes with it
#
# > **Predict first.** We freeze everything but the classifier with `requires_grad_(False)` and run one batch in
# > training mode, without an optimiser. Has the frozen part changed?


# %% tags=["nbval-check-output"]
def changed_by_looking(detector: Detector) -> list[str]:
    """What is different after one forward pass in training mode: no loss, no step."""
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    detector.train()(images)
    return [name for name, value in detector.state_dict().items() if not torch.equal(value, before[name])]


naive_freeze, _ = build_detector(LITE0)
naive_freeze.requires_grad_(False)
naive_freeze.classifier.requires_grad_(True)
properly, _ = build_detector(LITE0)
properly.tune("head")
print(f"requires_grad_(False): {len(changed_by_looking(naive_freeze))} tensors changed")
print(f"tune('head'):          {len(changed_by_looking(properly))} tensors changed")

# %% [markdown]
# **What we saw.** `requires_grad_(False)` stops the optimiser, not batch normalisation: its running averages follow
# every batch. The tensors that changed are three in each of 49 such layers: mean, variance, and a count of batches. To
# freeze in earnest, put frozen layers into `eval()` too, after each `train()`. `Detector.tune` does both; on the
# command line it is `--tune head`, `norms`, `all` or the name of a stage.
#
# ### What the field uses now
#
# MesoNet (2018) had 28,000 weights and began from nothing. DeepfakeBench (2023) compares detectors that are mostly
# fine-tuned from ImageNet, such as Xception and EfficientNet-B4. Since then the encoders have grown: CLIP (2021) was
# trained on 400 million pictures with their captions. Trained on as a whole, such a network can lose on new kinds of
# pictures what it gains on those at hand (Kumar et al., ICLR 2022). GenD (2026) trains the *norms* of its 300 million
# weights alone, on pairs of a real face and its own fake, and scales the features to length one. The best row of our
# figure is not a law: it belongs to a small network. `torchfakes pull gend-pe-l` fetches GenD's detector (1.3 GB, and
# it asks for the licence; trained on FF++, so for research and teaching); `--architecture Meso4` trains MesoNet.

# %% [markdown]
# ## 4 · Do it yourself
#
# A training loop is five lines. The package's `Trainer` has the same five, and beside them what long runs need: half
# precision, checkpoints, resuming. Read it in
# [trainer.py](../torchfakes_utils/training/trainer.py).
#
# ```python
# for images, labels in batches:
#     loss = binary_cross_entropy_with_logits(network(images), labels)
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     scheduler.step()
# ```
#
# The scheduler is *one cycle* (Smith & Topin, 2019): up, so that new weights do not push the others about; high, to get
# somewhere; down to almost nothing, so that weights and batch norm's averages can settle.
#
# > **Predict first.** When is such a run at its best: where the rate is highest, or at its end? What does stopping
# > early do then?


# %% tags=["nbval-check-output"]
def one_cycle(step: int, total: int, top: float = 1e-3) -> float:
    """Half a cosine up, from a 25th of `top`, over 30 % of the steps; half a cosine down to almost nothing."""
    low, end, peak = top / 25, top / 25e4, 0.3 * total - 1
    start, stop, way = low, top, step / peak
    if step > peak:
        start, stop, way = top, end, (step - peak) / (total - 1 - peak)
    return stop + (start - stop) * (1 + np.cos(np.pi * way)) / 2


optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=60)
by_torch = []
for _ in range(60):
    by_torch.append(scheduler.get_last_lr()[0])
    optimizer.step()
    scheduler.step() if len(by_torch) < 60 else None
print("by hand = OneCycleLR:", np.allclose(by_torch, [one_cycle(step, 60) for step in range(60)]))
print(f"first {by_torch[0]:.0e}, highest {max(by_torch):.0e}, last {by_torch[-1]:.0e}")

# %% [markdown]
# Now fine-tune: the best start of section 3, sixty steps, with a look at the validation clips after every ten. Watch
# the curve draw itself.

# %%
from IPython.display import display

from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.trainer import Trainer

EPOCHS = 6
config = TrainingConfig(
    architecture="EfficientNet-Lite0", pretrained="imagenet", learning_rate=1e-3, augmentation="mirror",
    epochs=EPOCHS, crops_per_epoch=160, image_size=SIZE, val_frames_per_clip=1, device="cpu", mixed_precision="off",
)  # fmt: skip
trainer = Trainer(faces, LITE0.preprocessing, config)
rows = []
drawing = display(lesson_05.learning_curve([], rows, EPOCHS), display_id=True)
for _ in range(EPOCHS):
    rows.append(trainer.epoch())  # ten steps, then the validation clips
    drawing.update(lesson_05.learning_curve([row["train_loss"] for row in rows], rows, EPOCHS))

# %%
report = pd.DataFrame(rows, index=pd.RangeIndex(1, EPOCHS + 1, name="epoch"))
print(f"AUC {report['val_auc'].iloc[0]:.2f} after ten steps, {report['val_auc'].iloc[-1]:.2f} at the end")
report[["train_loss", "val_auc", "val_accuracy", "always_fake_accuracy", "predicted_fake_rate"]].round(2)

# %% [markdown]
# **What we saw.** The rate is highest in the second ten steps; from then on the steps get smaller, and the verdicts
# settle. **Near the end**, then; which of the last three looks is the best, eighty crops do not tell: one of them moves
# the AUC by a few hundredths. Stopping at the third look, which was hardly better than the second, would have missed
# the rest: that is what a short patience does to such a schedule. Look at the first rows, too: four of five are fake,
# and hardly one of three is *called fake*, beside an AUC that is above a coin's. The order of the faces is there before
# the verdicts are. The next section asks why. (Section 3's figure for this start is a mean over three seeds and four
# crops of each clip. This is one crop of each and seed 0, with which the rates were tried, so its last digits are
# others.)

# %% [markdown]
# ## 5 · A puzzle: everybody gets the same answer
#
# Here is a run that looks sick. It is the course's network, from random weights, four steps an epoch. Four suspects:
# **(a)** the learning rate is too high; **(b)** the labels are wrong; **(c)** the network has learned nothing yet;
# **(d)** batch normalisation.
#
# > **Predict first.** In the table to come, look at the column *called fake*. Who did it? Which one measurement would
# > tell?

# %%
import copy

sick = TrainingConfig(
    epochs=4, crops_per_epoch=64, image_size=SIZE, pretrained=None, val_frames_per_clip=1, device="cpu",
    augmentation="none",
)  # fmt: skip
patient = Trainer(faces, Preprocessing(SIZE), sick)
seen, copies = [], []
for _ in range(sick.epochs):
    seen.append(patient.epoch())
    copies.append(copy.deepcopy(patient.detector))
columns = {
    "train_loss": "train loss",
    "val_accuracy": "accuracy",
    "predicted_fake_rate": "called fake",
    "val_auc": "AUC",
}
pd.DataFrame(seen, index=range(1, 5)).rename_axis("epoch")[list(columns)].rename(columns=columns).round(2)

# %% [markdown]
# The evidence: keep every weight as it is, and count batch norm's averages again on the training batches of the same
# epoch. If the weights are to blame, because of (a), (b) or (c), the verdicts must stay as they are.

# %%
evidence = []
for epoch, earlier in enumerate(copies, 1):
    patient.detector = recount(earlier, [patient.prepare(one) for one in patient.data.batches(epoch)])
    again = patient.validate()
    before, after = seen[epoch - 1], again
    row = {"epoch": epoch, "called fake": before["predicted_fake_rate"], "recounted": after["predicted_fake_rate"]}
    row |= {"AUC": before["val_auc"], "AUC recounted": after["val_auc"], "still initial": 0.9 ** (4 * epoch)}
    evidence.append(row)
pd.DataFrame(evidence).set_index("epoch").round(2)

# %% [markdown]
# **The answer** is (d), wherever the two columns differ: same weights, another verdict. It has two causes. The averages
# start at mean 0 and spread 1, and every step replaces a tenth of them: after four steps two thirds are still those
# initial numbers (last column), which belong to no network. And the rest come from weights that have moved on since, as
# in section 2. But (c) is true as well: recounted, the AUC is about 0.6, and on eighty crops that is no more than a
# coin may get. (Where a value is higher before the recount, that is no better evidence: eighty crops allow it, too.)
# The network says different things to different people, but not yet the right ones.
#
# An accuracy of 0.80 beside *called fake* 1.00 is only the share of fakes. With *called fake* 0.00 the screen reads
# *Real, Real, Real*. Who picks the best epoch by accuracy may pick such an epoch; the package picks by AUC.

# %% [markdown]
# ## 6 · Why can a hundred layers learn?
#
# A network learns by sending the error backwards, and each layer multiplies it by something. A *residual* layer (He et
# al., CVPR 2016) adds to its input, *x + f(x)*, and along this *shortcut* the error comes back unchanged.
#
# > **Predict first.** Forty layers in a row, no shortcuts, PyTorch's default weights. How large is the gradient that
# > reaches the first layer, compared with a single layer's: a tenth, a millionth, or less?

# %%
WIDTH = 32


class Stack(nn.Module):
    """Layers in a row, each of them x -> shortcut · x + scale · relu(W x + b)."""

    def __init__(self, depth: int, shortcut: float = 0.0, scale: float = 1.0, careful: bool = False):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(depth))
        self.head = nn.Linear(WIDTH, 1)
        self.shortcut, self.scale = shortcut, scale
        for layer in self.layers if careful else ():  # random weights of the right size (He et al., ICCV 2015)
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, 32) -> (B,)
        for layer in self.layers:
            x = self.shortcut * x + self.scale * torch.relu(layer(x))
        return self.head(x).squeeze(1)


def first_gradient(depth: int, **kind) -> float:
    """The length of the first layer's gradient, before any training."""
    torch.manual_seed(0)
    x, y = torch.randn(64, WIDTH), (torch.rand(64) < 0.5).float()
    stack = Stack(depth, **kind)
    F.binary_cross_entropy_with_logits(stack(x), y).backward()
    return stack.layers[0].weight.grad.norm().item()


# %%
KINDS = {"plain": {}, "plain, careful weights": {"careful": True}, "residual": {"shortcut": 1.0, "scale": 0.1}}
DEPTHS = [1, 2, 5, 10, 20, 40]
gradients = {name: [first_gradient(depth, **kind) for depth in DEPTHS] for name, kind in KINDS.items()}
for name, (one, *_, forty) in gradients.items():
    print(f"{name + ':':24s}forty layers pass {forty / one:.0e} of what a single one does")
lesson_05.first_gradient_figure(DEPTHS, gradients)

# %% [markdown]
# Far less than a millionth. Both cures look good: careful random weights, and shortcuts (*x* + 0.1 *f(x)*). Do the
# networks then learn? A small
# puzzle, points in a plane, a hundred steps of Adam, three seeds; forty layers, and a hundred and twenty.


# %%
def last_loss(stack: nn.Module, steps: int = 100) -> float:
    """The training loss at the end, mean of five steps."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(256, 2, generator=generator)
    truth = ((points.norm(dim=1) > 1.2) ^ (points[:, 0] > 0)).float()  # changes at a circle and at a line
    inputs = points @ torch.randn(2, WIDTH, generator=generator) / 2**0.5
    optimizer, losses = torch.optim.Adam(stack.parameters(), lr=1e-3, fused=True), []
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(stack(inputs), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-5:]))


def seeds(depth: int, kind: dict) -> list[float]:
    return [last_loss([torch.manual_seed(seed), Stack(depth, **kind)][1]) for seed in range(3)]


ends = {name: {depth: seeds(depth, kind) for depth in (40, 120)} for name, kind in KINDS.items()}
lesson_05.depth_figure(ends)

# %% [markdown]
# **What we saw.** Plain layers with default weights learn nothing. With forty layers careful weights do as well as
# shortcuts: the shortcut is *a* cure, not the only one. With a hundred and twenty both become unsure, and some seeds
# hardly learn; count the marks. The reason for shortcuts is what He et al. found in networks of ordinary size: plain
# ones got *worse* with more layers, on their training data too, in spite of careful weights and batch normalisation.
#
# InceptionResnetV1 has more than a hundred convolutions. *Inception* means that several convolutions of different reach
# stand side by side; *Resnet* is the shortcut. Here is one block by hand:

# %% tags=["nbval-check-output"]
network = fresh().eval()
block = network.backbone.repeat_1[0]
x = torch.randn(1, 256, 17, 17, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    side_by_side = torch.cat([block.branch0(x), block.branch1(x), block.branch2(x)], dim=1)  # 3 × 32 channels
    by_hand = torch.relu(x + block.scale * block.conv2d(side_by_side))  # mixed back to 256, then added
    print("by hand = the block:", torch.allclose(by_hand, block(x), atol=1e-5))
groups = {name: getattr(network.backbone, name) for name in ("repeat_1", "repeat_2", "repeat_3")}
print({name: (len(group), group[0].scale) for name, group in groups.items()}, "(blocks, scale)")
print(sum(isinstance(module, nn.Conv2d) for module in network.modules()), "convolutions")

# %% [markdown]
# > **Predict first.** We cut the shortcuts out of the real network. It has batch normalisation everywhere, which
# > rescales whatever passes. What does the gradient of the first layer do: vanish, stay, or explode?


# %%
from matplotlib import pyplot as plt


def gradient_by_stage(detector: Detector) -> dict[str, float]:
    """The gradient of the first weights of each stage: its length, from the last stage to the first."""
    nn.init.normal_(
        detector.classifier.weight, std=0.01, generator=torch.Generator().manual_seed(0)
    )  # zero passes none
    F.binary_cross_entropy_with_logits(detector(images), labels).backward()
    wanted = ["block8", "repeat_3", "mixed_7a", "repeat_2", "mixed_6a", "repeat_1", "conv2d_4b", "conv2d_1a"]
    return {name: next(getattr(detector.backbone, name).parameters()).grad.norm().item() for name in wanted}


cut = fresh()
lesson_05.cut_shortcuts(cut)
by_stage = {"with": gradient_by_stage(fresh()), "without": gradient_by_stage(cut)}
figure, ax = plt.subplots(figsize=(7.4, 3.2))
for (name, norms), colour, marker in zip(by_stage.items(), [lesson_05.KEPT, lesson_05.CUT], "oX", strict=True):
    ax.plot(list(norms), list(norms.values()), color=colour, marker=marker)
    ax.annotate(f" {name} shortcuts", (7, norms["conv2d_1a"]), va="center", color=colour, fontweight="bold")
ax.set(yscale="log", ylabel="gradient", xlabel="from the last stage back to the first", xlim=(-0.3, 10))
ax.tick_params(axis="x", labelsize=8, labelrotation=30)
ax.set_title("Shortcuts keep the gradient of the real network in bounds")
plots.finish(figure)

# %% [markdown]
# **What we saw.** It explodes. A block of which only 0.1 *f(x)* is left has little spread. Batch normalisation divides
# by that spread on the way forward, and so multiplies the gradient on the way back, block after block.

# %% [markdown]
# ## 7 · Did the course's run learn?
#
# The course's detector was trained by the same loop, and each epoch left a row in `history.csv`.
#
# > **Predict first.** Validation holds four fakes for each real clip. Which of these curves can look good after one
# > epoch although nothing has been learned?

# %%
from torchfakes_utils.io.tables import read_table
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS

history = read_table(course.ensure("run") / "history.csv", HISTORY_COLUMNS)
lesson_05.history_figure(history)

# %%
first, last = history.iloc[0], history.iloc[-1]
free = lesson_05.constant_loss(last["always_fake_accuracy"])
same = history["predicted_fake_rate"].isin([0.0, 1.0]).sum()
print(f"training loss at the end:   {last['train_loss']:.3f}; one answer for all costs {np.log(2):.3f}")
print(f"validation loss at the end: {last['val_loss']:.3f}; one answer for all costs {free:.3f}")
print(f"AUC by clip: {first['val_auc_clip']:.2f} after one epoch, {last['val_auc_clip']:.2f} at the end")
print(f"epochs in which every face got one answer: {same} of {len(history)}")

# %% [markdown]
# **What we saw.** Each loss has its own dotted line. A value *below its line* has looked at the pictures. A value above
# it does not show the opposite: the network expects half fakes, as in its batches, and pays for that where four of five
# are fake, and it pays dearly where it is sure and wrong. AUC asks for the order alone, and a coin gets 0.5. (The
# difference of the two losses is no measure of what was learned by heart.) Accuracy can stand on its dotted line for
# free; balanced accuracy cannot.
#
# The first project also looked at its gradients. Ours are in `steps.csv`, one column a stage, every ten steps:

# %%
lesson_05.gradient_figure(pd.read_csv(course.ensure("run") / "steps.csv"))

# %% [markdown]
# **What we saw.** The error arrives in every stage, also in the first. This is what "no vanishing gradients" means, and
# it means only that *something* can be learned. What was learned, lesson 08 asks.
#
# A *tracker* draws such tables while you wait: `--tracker trackio` (local, no account), `wandb` or `tensorboard`; in a
# notebook, `train(faces_csv, run, config, on_epoch=LivePlot(run))` from `torchfakes_utils.course.live`. And since the
# epoch was chosen on this validation split, its numbers are a little too kind. Lesson 06 goes on from here.

# %% [markdown]
# ## 8 · How many faces fit on the team's card?
#
# A GTX 1070 has 8 GiB, and the team used batches of 16. Training keeps two kinds of things. *Per parameter*: the
# weight, its gradient, and AdamW's two running means. *Per crop*: the *activations*, every intermediate result that
# the backward pass needs. PyTorch lets us count them.
#
# > **Predict first.** Which is larger for 16 crops of 160 px: what belongs to the 23 million parameters, or the
# > activations? At which batch is the card full?

# %%
from torch.autograd.graph import saved_tensors_hooks


def saved_bytes(detector: Detector, images: torch.Tensor) -> int:
    """Bytes that one forward pass keeps for the backward pass, beside the weights themselves."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in detector.state_dict().values()}
    kept = {}  # by address, since several operations may keep the same tensor

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # keeps its address taken
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        detector(images)
    return sum(size for size, _ in kept.values())


network = Detector(DetectorConfig(pretrained=None)).train()
two, four = (saved_bytes(network, torch.zeros(batch, 3, 160, 160)) for batch in (2, 4))
per_crop = (four - two) / 2
parameters = sum(p.numel() for p in network.parameters())
print(f"activations: {per_crop / 2**20:.0f} MiB a crop")
print(f"16 crops: {16 * per_crop / 2**20:.0f} MiB of activations")
print(f"per parameter: {16 * parameters / 2**20:.0f} MiB for weights, gradients and AdamW")

# %% [markdown]
# (Two and four crops: batch normalisation cannot be trained on one.) At sixteen, the team's batch, the two are about
# equal. The rest is multiplication, **an estimate and not
# a measurement**: a real card also holds CUDA's own code, workspaces and gaps. Take it as a lower bound.

# %%
from torchfakes_utils.course import widgets

BATCHES = [2, 4, 8, 16, 32, 64, 128, 256, 512]
CARDS = [("GTX 1070: 8 GiB", 8.0), ("an older laptop: 4 GiB", 4.0), ("a free Colab T4: 15 GiB", 15.0)]


def on_the_card(size: int = 160, card: float = 8.0):
    return lesson_05.memory_bars(BATCHES, per_crop, parameters, size, card)


widgets.explore(on_the_card, labels={"size": "crops, px"}, size=(96, 480, 32, 160), card=CARDS)

# %%
sixteen = lesson_05.memory(16, per_crop, parameters)
print(f"a batch of 16: {sixteen.total:.2f} GiB, of which activations {sixteen.activations:.2f} GiB")
print(f"the estimate reaches 8 GiB at a batch of {lesson_05.largest_batch(per_crop, parameters)}")
on_the_card(size=320)

# %% [markdown]
# **What we saw.** Sixteen was a habit, not a limit. Large pictures fill the card quickly; small face crops do not.
#
# **Break it.** How does one fill 8 GiB with small crops? Validate without telling PyTorch that no gradient will be
# asked for, and collect the logits in a list. Each logit keeps alive everything that it was computed from.

# %%
two_crops = torch.zeros(2, 3, 160, 160)
network.eval()
kept = saved_bytes(network, two_crops) / 2
with torch.inference_mode():
    nothing = saved_bytes(network, two_crops)
print(f"kept a crop: {kept / 2**20:.0f} MiB; inside torch.inference_mode(): {nothing} bytes")
print(f"the card is full after {8 * 2**30 / kept:,.0f} crops")
print(f"5,000 crops would want {5000 * kept / 2**30:,.0f} GiB")

# %% [markdown]
# **What we saw.** `eval()` changes how batch norm and dropout behave. It does *not* stop PyTorch from saving. Two
# switches: `eval()` for right answers, `inference_mode()` for memory.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In section 2, put one face into the batch twice, with different labels. Which value can the loss not go below?
#    Compute it before you run it.
# 2. In section 4, change `pretrained` to `None` and give the run as many steps as you have patience for. After how many
#    does it reach what ImageNet's weights reach in sixty?
# 3. In section 6, set `scale` to `1 / depth` and to `1 / depth**0.5`. Which keeps the gradient flat up to 200 layers?
#
# ## Open challenge
#
# Freeze stages of EfficientNet-Lite0 one by one, from the front (`tune`), and train the rest on *one* manipulation
# only. How many can you freeze before validation AUC on the other three drops? You got somewhere if another seed says
# the same.

# %% [markdown]
# ## Misconceptions
#
# - **"The training loss falls, so it learns the thing I mean."** It fell to nothing for shuffled labels, too.
# - **"80 % after the first epoch is a good start."** Not where four of five are fake.
# - **"The validation loss is below the training loss, so all is well."** Their free answers differ: 0.500 and 0.693.
# - **"`eval()` is a detail."** The same weights, another verdict.
# - **"Frozen layers do not change."** Their weights do not. Batch norm's averages do, unless you see to it.
#
# ## Recap
#
# - Before training the loss is ln 2; overfit one batch before you train on all.
# - At a small budget the first weights decide. Train the head alone, the norms or all, and *measure* which.
# - One answer for everybody? Ask batch norm's averages first, and look at the share called fake.
# - Hold each loss against the constant answer for its own mix of classes.
# - Know which weights you started from; `detector.json` does.
#
# ## Next
#
# [06 · Is it good?](06_is_it_good.ipynb) What an AUC is, which threshold to take and for whom, and how sure we may be
# with so few clips.
#
# ## Sources
#
# - A. Karpathy: [A Recipe for Training Neural Networks](https://karpathy.github.io/2019/04/25/recipe/). 2019.
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals: Understanding Deep Learning Requires Rethinking
#   Generalization. ICLR 2017.
# - S. Ioffe, C. Szegedy: Batch Normalization. ICML 2015.
# - J. Frankle, D. Schwab, A. Morcos: Training BatchNorm and Only BatchNorm. ICLR 2021.
# - J. Deng et al.: ImageNet. CVPR 2009. M. Tan, Q. Le: EfficientNet. ICML 2019. R. Liu: Higher accuracy on vision
#   models with EfficientNet-Lite. TensorFlow blog, 2020.
# - Q. Cao, L. Shen, W. Xie, O. Parkhi, A. Zisserman: VGGFace2. FG 2018. D. Yi, Z. Lei, S. Liao, S. Li: Learning Face
#   Representation from Scratch (CASIA-WebFace). arXiv 1411.7923, 2014.
# - A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang: Fine-Tuning Can Distort Pretrained Features and Underperform
#   Out-of-Distribution. ICLR 2022.
# - D. Afchar, V. Nozick, J. Yamagishi, I. Echizen: MesoNet. WIFS 2018. Z. Yan et al.: DeepfakeBench. NeurIPS 2023.
# - A. Radford et al.: Learning Transferable Visual Models From Natural Language Supervision (CLIP). ICML 2021.
#   A. Yermakov, J. Cech, J. Matas, M. Fritz: Deepfake Detection that Generalizes Across Benchmarks (GenD). WACV 2026.
# - K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. CVPR 2016. The same: Delving Deep
#   into Rectifiers. ICCV 2015. C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: Inception-v4, Inception-ResNet. AAAI 2017.
# - I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization. ICLR 2019. L. Smith, N. Topin: Super-Convergence.
#   Proc. SPIE 11006, 2019.
# - InceptionResnetV1 and its weights: [facenet-pytorch](https://github.com/timesler/facenet-pytorch), by T. Esler.
