# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run, starts]
#     unlinked: [precision]
# ---

# %% [markdown]
# # 05 · Fine-tune
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/05_fine_tune.ipynb)
#
# **In this lesson you measure what pretrained weights are worth, fine-tune a network yourself, and write checks that
# tell within a minute whether training works.**
#
# - **You will be able to** predict the loss before training; write a training loop and test it on one batch; find out
#   why a network gives everybody one answer; compare ways to fine-tune at the same budget; hold each loss against the
#   answer that costs nothing.
# - **You need** lesson 04 (splits, balanced batches), and to have met a gradient before. No GPU.
# - **Time:** about 35 min to read, 35 min of exercises, 60 s to run on two CPU cores.
#
# The bootcamp team trained for 80 epochs. The training loss fell, and the validation accuracy rose to 96 %. Then every
# test image came out *Real*. Nobody had asked what the falling loss was a loss *of*. This lesson asks.

# %%
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("torchfakes_utils") is None:  # elsewhere: `make setup`
    import subprocess

    package = "torchfakes @ git+https://github.com/torchfakes/torchfakes@v0.1.0"  # or a wheel that you have uploaded
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

course.begin()  # run this cell first, and again whenever the kernel was restarted

# %%
from torchfakes_utils.course import lesson_05, lesson_05_figures, lesson_05_starts
from torchfakes_utils.crops.table import read_crop

trained = course.detector()
crop = read_crop(course.faces_table("val").query("label == 1 and sharpness > 30")["file"].iloc[0])
stages, score = lesson_05_figures.seen_by(trained, crop, ["conv2d_4b", "repeat_2", "block8"])
lesson_05_figures.journey(crop.permute(1, 2, 0).numpy(), stages, score)

# %% [markdown]
# A forged face on its way through the course's detector. Each grey picture is the mean over all channels of one stage,
# with its height, width and number of channels above it. From left to right there is less *where* and more *what*. At
# the end stands one number.
#
# > **Two networks.** *InceptionResnetV1* is the first project's and the course's: 23 million parameters, random first
# > weights here. Sections 1 to 3 and 6 are about it. *EfficientNet-Lite0* has 3.4 million, and ImageNet's weights for
# > it were installed with the course. Sections 4 and 5 fine-tune it.

# %% [markdown]
# ## 1 · What should the loss be before training?
#
# The detector has one output, the *logit* *z*. Its sigmoid, *σ(z)* = 1 / (1 + *e*⁻ᶻ), is P(fake). The loss is
# −ln *σ(z)* for a fake, and −ln (1 − *σ(z)*) for a real face: large where the network was sure and wrong. The mean over
# a batch is *binary cross-entropy*.

# %%
guess_start = course.predict("An untrained network says 0.5 to every face. What is its loss?", 0.0, 2.0)

# %% [markdown]
# ### Your turn · Cross-entropy from logits
#
# *8 min, difficulty 2 of 3.* Write the loss so that it is finite for every logit. `logits` and `labels` are tensors of
# shape (N,), a label is 1 for fake and 0 for real, and one number comes back, the mean. For *z* = 2 and a fake it is
# 0.127; for *z* = 2 and a real face, 2.127. For *z* = 200 and a real face it is 200, and this is the difficulty: in
# float32 the sigmoid of 200 is exactly 1.
#
# Hint: −ln *σ(z)* = `ln(1 + e^-z)`, and `ln(1 + e^a) = max(a, 0) + ln(1 + e^-|a|)`, in which nothing is too large.
# `torch.log1p(x)` is ln(1 + x). The larger of two tensors is `torch.maximum`. Stay with tensors to the end: the network
# is to learn from the gradient of this loss. The check also computes the gradient, and does so at logits of 0, where it
# must be ±½ divided by the number of faces, not 0.

# %%
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy; (N,) logits and (N,) labels to their mean loss."""
    # your code here


course.check(lesson_05.CROSS_ENTROPY, cross_entropy)
cross_entropy = course.yours(lesson_05.CROSS_ENTROPY, cross_entropy)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def cross_entropy(logits, labels):
#     wrong_way = torch.where(labels == 1, -logits, logits)  # how far it points away from the truth
#     # not wrong_way.clamp(min=0): its gradient at 0 is 0, as that of abs is, and all our first logits are 0
#     positive = torch.maximum(wrong_way, torch.zeros_like(wrong_way))
#     return (positive + torch.log1p(torch.exp(-wrong_way.abs()))).mean()  # or F.softplus(wrong_way).mean()
# ```
#
# </details>

# %% tags=["nbval-check-output"]
z, y = torch.tensor([0.0, 0.0, 2.0, 2.0, 50.0]), torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0])
p = torch.sigmoid(z)
columns = {"z": z, "label": y, "textbook": -torch.where(y == 1, p, 1 - p).log()}
columns["cross_entropy"] = [float(cross_entropy(z[i : i + 1], y[i : i + 1])) for i in range(len(z))]
columns["torch's"] = F.binary_cross_entropy_with_logits(z, y, reduction="none")
pd.DataFrame(columns).round(3)

# %% [markdown]
# At *z* = 0 the loss is ln 2 = 0.693, for either label. In the last row the textbook's formula gives infinity, whose
# gradient is of no use. That is why the course's network ends in a logit. Now a network, and sixteen faces, half of
# them real:

# %%
from torchfakes_utils.faces.quality import filter_blurred
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

SIZE = 96  # px; small, so that the networks of this lesson take seconds
faces = course.faces_table()
one_a_clip = filter_blurred(faces.query("split == 'train'")).drop_duplicates(["method", "clip_id"])
batch = one_a_clip.groupby("label").sample(8, random_state=0)  # 8 real, 8 fake, 16 clips
# (16, 3, 96, 96) and (16,)
images = torch.stack([Preprocessing(size=SIZE).apply(read_crop(file)) for file in batch["file"]])
labels = torch.tensor(batch["label"].to_numpy(), dtype=torch.float32)


def fresh() -> Detector:
    """A small InceptionResnetV1 with random weights, always the same ones."""
    torch.manual_seed(0)
    config = DetectorConfig(pretrained=None, dropout=0.0, preprocessing=Preprocessing(size=SIZE))
    return Detector(config).train()


def first_loss(detector: Detector) -> float:
    """On the sixteen faces, before any training."""
    with torch.no_grad():
        return float(cross_entropy(detector(images), labels))


# %%
opinionated = fresh()
nn.init.uniform_(opinionated.classifier.weight, -1, 1)  # as timm draws the classifier of some of its networks
at_zero, at_random = first_loss(fresh()), first_loss(opinionated)
print(f"classifier at zero:        {at_zero:.3f}")
print(f"classifier from U(-1, 1):  {at_random:.1f}")
guess_start.answer(at_zero)

# %% [markdown]
# **What we saw.** Our classifiers start at zero, so the first loss is exactly ln 2.
# <!-- holds: abs(at_zero - 0.6931) < 0.001 -->
# A classifier of random numbers begins at {= at_random : .1f =}: <!-- holds: at_random > 1.4 -->
# it has strong opinions about faces that it has never seen, and their errors push on every layer below.
#
# **Break it.** ln 2 belongs to *balanced* batches. What is the least loss of a network that gives everybody the same
# answer? The best such answer is the share of fakes, *p*, and its loss depends on that share alone:
# −*p* ln *p* − (1 − *p*) ln (1 − *p*).

# %% tags=["nbval-check-output"]
constant_loss = lesson_05_figures.constant_loss
worlds = {"balanced batches": 1 / 2, "four fakes to a real": 4 / 5, "the team": 21000 / 26500}
for name, share in worlds.items():
    free, right = constant_loss(share), max(share, 1 - share)
    print(f"{name:22s} {share:6.1%} fake: loss {free:.3f}, accuracy {right:.1%}")

# %% [markdown]
# **What we saw.** The team had 21,000 fake and 5,500 real crops, 3.8 to 1. There a loss that falls from 0.693 to 0.511,
# with an accuracy of 79 %, may have learned one thing only: fakes are common. Hold their 96 % against 79 %, not
# against 50 %. Our training batches are balanced, and one answer for all costs 0.693 there. Our validation clips are 4
# to 1, and it costs 0.500. Never compare these two losses with each other. Compare each with its own constant.

# %% [markdown]
# ## 2 · Can it learn sixteen faces by heart?
#
# The best test of a training loop is a task that it cannot fail. This network has 23 million parameters, so its loss on
# sixteen faces must go to zero. If it does not, the loop is broken, and more data will not help. This check and the one
# before are from Karpathy's *Recipe for Training Neural Networks*.
#
# ### Your turn · A training loop
#
# *10 min, difficulty 2 of 3.* Train on the same batch, `steps` times, and return the loss of every step, as it was
# before that step. `network(images)` gives (B,) logits. The network may be in evaluation mode, so put it into
# training mode first. Use your `cross_entropy`, or the one that PyTorch has. As the optimiser, take
# `torch.optim.AdamW(network.parameters(), lr=1e-3)`. `loss.backward()` *adds* to the gradients that are there, and
# the optimiser's `zero_grad()` clears them. Four steps give a list of four numbers; for a fresh network the first is
# near 0.69.


# %%
def memorise(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int) -> list[float]:
    """Train on one batch, again and again; the loss of every step."""
    # your code here


course.check(lesson_05.MEMORISE, memorise)
memorise = course.yours(lesson_05.MEMORISE, memorise)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def memorise(network, images, labels, steps):
#     optimizer, losses = torch.optim.AdamW(network.parameters(), lr=1e-3), []
#     network.train()
#     for _ in range(steps):
#         loss = F.binary_cross_entropy_with_logits(network(images), labels)
#         optimizer.zero_grad()
#         loss.backward()
#         optimizer.step()
#         losses.append(loss.item())
#     return losses
# ```
#
# </details>

# %%
guess_labels = course.predict(
    "One network gets the right labels, another gets shuffled ones. Which loss reaches zero?",
    options=["the right labels' alone", "both", "neither"],
)

# %%
shuffled = labels[torch.randperm(16, generator=torch.Generator().manual_seed(3))]
still_right = int((shuffled == labels).sum())
network = fresh()
print("Training, 28 steps in all …")
by_heart = {"right labels": memorise(network, images, labels, 14)}
by_heart["shuffled labels"] = memorise(fresh(), images, shuffled, 14)
by_heart = {name: [float(loss) for loss in losses] for name, losses in by_heart.items()}
learned = [name for name, losses in by_heart.items() if losses[-1] < 0.1]
guess_labels.answer(("neither", "the right labels' alone", "both")[len(learned)])
lesson_05_figures.by_heart_figure(by_heart)

# %% [markdown]
# **What we saw.** Two curves, step by step, from ln 2 down to almost nothing. <!-- holds: len(learned) == 2 -->
# The loop works. But of the shuffled labels only {= still_right =} of 16 are right, as many as a coin would get, and
# they were learned just as well. *A falling training loss proves that the network can store the answers. It does not
# say what it stored.* Zhang et al. (ICLR 2017) showed the same with a million pictures.

# %% [markdown]
# ## 3 · The same faces, another verdict
#
# The first network knows these sixteen faces by heart. We show it the same faces again, in training mode and then in
# evaluation mode, as in a test.

# %%
guess_exam = course.predict("How many of its 16 faces does it get right in evaluation mode?", 0, 16)


# %%
def exam(detector: Detector, name: str) -> dict:
    """How many of the sixteen it calls fake, and how many it gets right."""
    with torch.no_grad():
        said_fake = detector(images) > 0
    right = int((said_fake == labels.bool()).sum())
    return {"asked in": name, "called fake": int(said_fake.sum()), "right": right}


exams = [exam(network.train(), "training mode"), exam(network.eval(), "evaluation mode")]
guess_exam.answer(exams[1]["right"])
pd.DataFrame(exams).set_index("asked in")

# %% [markdown]
# **What we saw.** {= exams[0]["right"] =} of 16 in training mode, {= exams[1]["right"] =} of 16 in evaluation mode,
# <!-- holds: exams[0]["right"] >= 15 and exams[1]["right"] <= 12 -->
# from the same weights and the same faces. A coin gets 8.
#
# The difference is *batch normalisation*. It subtracts a mean and divides by a spread, channel by channel. In training
# mode these are the batch's own. In evaluation mode they are *running averages*: they start at 0 and 1, and each step
# replaces a tenth of them by the values of its batch. After fourteen steps with large changes, the averages are a mix
# of the initial numbers and of networks that no longer exist. The weights were never wrong. So count again:
#
# ### Your turn · Count batch norm's averages again
#
# *8 min, difficulty 2 of 3.* Give each batch norm of a network new averages, from some batches, and change no weight.
# `batches` is a list of pairs, images (B, 3, H, W) and labels (B,); the labels do not matter. Return the network in
# evaluation mode. Of one batch whose channel has mean 2, the new running mean is 2, not a tenth of it.
#
# What you need: `network.modules()` lists all parts, and `isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))` finds
# the batch norms. `module.reset_running_stats()` forgets. `module.momentum = None` asks for a plain mean over all
# batches since. Batch norm counts whenever a batch passes in training mode; no gradient is needed.


# %%
def recount(network: nn.Module, batches: list) -> nn.Module:
    """Batch norm's averages anew, from some batches; no weight changes."""
    # your code here


course.check(lesson_05.RECOUNT, recount)
recount = course.yours(lesson_05.RECOUNT, recount)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def recount(network, batches):
#     for module in network.modules():
#         if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
#             module.reset_running_stats()
#             module.momentum = None
#     network.train()
#     with torch.no_grad():
#         for images, _ in batches:
#             network(images)
#     return network.eval()
# ```
#
# </details>

# %%
recount(network, [(images, labels)])
exams.append(exam(network, "evaluation mode, recounted"))
pd.DataFrame(exams).set_index("asked in")

# %% [markdown]
# **What we saw.** {= exams[2]["right"] =} of 16. <!-- holds: exams[2]["right"] >= 15 -->
# Nothing was learned in between; only the averages are the network's own now. The field calls this *precise batch norm*
# (Wu & Johnson, 2021).

# %% [markdown]
# ## 4 · What is a good start worth?
#
# *Transfer learning* begins with weights that already know something. EfficientNet-Lite0 has learned to tell a thousand
# kinds of things apart on 1.3 million photographs (ImageNet). *Fine-tuning* keeps these weights, puts a new classifier
# on top, and trains on. One can train
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
# Each of four ways was trained three times by the package's own loop: forty steps of sixteen crops of 96 px, from the
# training clips of Mini-FF++. *Random weights* is the same small network without ImageNet. Each way has the better of
# two learning rates, tried with another seed on the same validation clips, which makes all four look a
# little better. Nothing was chosen afterwards: we look at the validation split after the last step. AUC is the share of
# pairs, one real and one fake, in the right order; a coin gets 0.5. Lesson 06 looks into it.

# %%
guess_gain = course.predict("How much AUC do ImageNet's weights add, all of them trained?", -0.1, 0.5)

# %%
from torchfakes_utils.course import starts

runs = starts.read_runs(course.ensure("starts"))
table = lesson_05_starts.summary(runs)
lesson_05_starts.starts_figure(table)

# %%
of_start = table[table["crops"] == 0].set_index("start")["auc"]
ALL, NORMS, HEAD, RANDOM = starts.ALL, starts.NORMS, starts.HEAD, starts.RANDOM
gains = lesson_05_starts.gains(runs, [(ALL, RANDOM), (ALL, NORMS), (ALL, HEAD), (NORMS, HEAD)])
gain, least = gains.loc[0, "gain"], gains.loc[0, "low"]
guess_gain.answer(gain)
gains.round(3)

# %% [markdown]
# **What we saw.** In the figure a dot is a seed, a black line the mean, and a light bar the 95 % interval of that mean,
# from drawing *people* with all their clips. It says how far the mean depends on who was filmed, not what a fourth seed
# would do. In the table above, *low* and *high* are the interval of the *gain*: both ways are measured on the same
# drawn people.
#
# After so few steps the random network is no better than a coin. <!-- holds: of_start[RANDOM] < 0.56 -->
# ImageNet's weights add {= gain : .2f =} AUC, and at least {= least : .2f =} if you believe the interval.
# <!-- holds: least > 0.1 -->
# What was learned from photographs helps, although no photograph was a deepfake. Of the three ways to train it, *all*
# is ahead of both others. <!-- holds: gains.loc[1:2, "low"].min() > 0 -->
# Head and norms cannot be told apart here: their means are {= abs(gains.loc[3, "gain"]) : .3f =} apart, although the
# figure's rounded numbers may look like more.
# <!-- holds: gains.loc[3, "low"] < 0 < gains.loc[3, "high"] and abs(gains.loc[3, "gain"]) < 0.02 -->
# This is a statement about the *budget*. The course's detector also started from random weights, and with more steps it
# learned (section 6).
#
# How many pictures does it take? The same two starts and forty steps, with fewer training crops: real ones, each with
# one fake of the same frame, from as many people as there are.

# %%
every = int((faces["split"] == "train").sum())
few = table[table["start"].isin(starts.ON_FEW)].pivot(index="start", columns="crops", values="auc")
lesson_05_starts.few_figure(table, every, "32 crops and a good start beat all crops without")

# %% [markdown]
# **What we saw.** ImageNet's weights with 32 crops get {= few.loc[ALL, 32] : .2f =}, random weights with all
# {= every : , =} get {= few.loc[RANDOM, 0] : .2f =}.
# <!-- holds: few.loc[ALL, 32] > few.loc[RANDOM, 0] + 0.1 -->
# With 128 crops ImageNet's get {= few.loc[ALL, 128] : .2f =}, with all {= few.loc[ALL, 0] : .2f =}: in
# forty steps of sixteen no more than 640 crops are seen. So *how many are enough?* has one answer for each budget.
#
# **What Mini-FF++ can and cannot show.** Its faces are warps of two portraits, and validation holds few people. Take
# away the order of the ways, not the values. Whether it holds for real deepfakes, the project measures on crops of the
# Deepfake Detection Challenge ([docs/benchmarks/dfdc.md](../docs/benchmarks/dfdc.md)):

# %%
real = lesson_05_starts.on_real_deepfakes()
columns = ["AUC", "low", "high", "above random", "from", "to"]
"docs/benchmarks is not at hand here." if real is None else real[columns].round(2)

# %% [markdown]
# **What we saw.** On real deepfakes, too, ImageNet's weights come first when all of them are trained, by
# {= real.loc[ALL, "above random"] : .2f =} over random ones.
# <!-- holds: real["AUC"].idxmax() == ALL and real.loc[ALL, "from"] > 0.1 -->
# Head and norms alone add {= real.loc[HEAD, "above random"] : .2f =} and
# {= real.loc[NORMS, "above random"] : .2f =}: just more than nothing on these videos.
# <!-- holds: 0 < real.loc[[HEAD, NORMS], "from"].min() -->
# <!-- holds: real.loc[[HEAD, NORMS], "above random"].max() < 0.1 -->
# Here *low* and *high* are the 95 % interval of the AUC itself, *from* and *to* that of the difference to random
# weights. Each start has one seed there, and a lower learning rate than here.
#
# **Know your start.** When a download fails, `torchfakes train` goes on from random weights, says so in one line, *and
# writes it down*. The course's own detector started from {= trained.config.pretrained or "random weights" =}, so that
# it is the same for everybody; `detector.json` says so.
#
# <details><summary>Weights that know faces</summary>
#
# InceptionResnetV1 can start from VGGFace2 (8,631 people; Cao et al., 2018) or CASIA-WebFace (10,575 people; Yi et al.,
# 2014): `torchfakes train data/mini/faces/faces.csv --out runs/faces --pretrained vggface2`. Each is a file of 107 MB
# on GitHub, so that this lesson does without.
#
# </details>
#
# <details><summary>What the field uses now</summary>
#
# MesoNet (2018) had 28,000 weights and began from nothing; `--architecture Meso4` trains it. DeepfakeBench (2023)
# compares detectors that are mostly fine-tuned from ImageNet, such as Xception and EfficientNet-B4. Since then the
# encoders have grown: CLIP (2021) was trained on 400 million pictures with their captions. When all of such a network
# is trained on, it can lose on new kinds of pictures what it gains on those at hand (Kumar et al., ICLR 2022). GenD
# (2026) trains the *norms* of its 300 million weights alone, on pairs of a real face and its own fake. So the best row
# of our figure is not a law: it belongs to a small network. `torchfakes pull gend-pe-l` fetches GenD's detector
# (1.3 GB, and it asks for the licence; trained on FF++, so for research and teaching).
#
# </details>
#
# ### Freezing, and the accident that comes with it
#
# We freeze everything but the classifier with `requires_grad_(False)`, and show the network one batch in training mode.
# There is no loss and no optimiser.

# %%
guess_frozen = course.predict(
    "What of the frozen part is different afterwards?",
    options=["nothing", "some weights", "batch norm's averages"],
)


# %%
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
moved, held = changed_by_looking(naive_freeze), changed_by_looking(properly)
kinds = sorted({name.rpartition(".")[2] for name in moved})
print(f"requires_grad_(False): {len(moved)} tensors changed, {kinds}")
print(f"tune('head'):          {len(held)} tensors changed")
guess_frozen.answer("some weights" if "weight" in kinds else "batch norm's averages" if kinds else "nothing")

# %% [markdown]
# **What we saw.** `requires_grad_(False)` stops the optimiser, not batch normalisation: its running averages follow
# every batch. <!-- holds: "running_mean" in kinds and not held -->
# To freeze for good, put frozen layers into `eval()` too, after each `train()`. `Detector.tune` does both; on the
# command line it is `--tune head`, `norms`, `all` or the name of a stage.

# %% [markdown]
# ## 5 · Fine-tune it yourself
#
# The best start of section 4, for sixty steps now, with a look at the validation clips after every ten. The package's
# `Trainer` has your five lines, and beside them what long runs need: half precision, checkpoints, resuming
# ([trainer.py](../torchfakes_utils/training/trainer.py)). The learning rate follows *one cycle* (Smith & Topin, 2019):
# up, so that the new classifier does not push the rest about; high, to get somewhere; down to almost nothing, so that
# weights and averages can settle. Watch the curve draw itself.

# %%
import copy

from IPython.display import display

from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.trainer import Trainer

LOOKS = 6
config = TrainingConfig(
    architecture="EfficientNet-Lite0", pretrained="imagenet", learning_rate=1e-3,
    augmentation="mirror", epochs=LOOKS, crops_per_epoch=160, image_size=SIZE,
    val_frames_per_clip=1, device="cpu", mixed_precision="off",
)  # fmt: skip
trainer = Trainer(faces, LITE0.preprocessing, config)
rows, before, copies = [], [], []
drawing = display(lesson_05_figures.learning_curve([], rows, LOOKS), display_id=True)
for _ in range(LOOKS):
    rows.append(trainer.epoch())  # ten steps, then the validation clips
    before.append(trainer.val_scores)
    copies.append(copy.deepcopy(trainer.detector))
    losses = [row["train_loss"] for row in rows]
    drawing.update(lesson_05_figures.learning_curve(losses, rows, LOOKS))
drawing.update(lesson_05_figures.learning_curve(losses, rows, LOOKS, lesson_05_figures.AT_THE_END))

# %%
report = pd.DataFrame(rows, index=pd.RangeIndex(1, LOOKS + 1, name="look"))
names = {"learning_rate": "rate", "train_loss": "train loss", "val_loss": "loss", "val_auc": "AUC"}
names |= {"val_accuracy": "accuracy", "predicted_fake_rate": "called fake"}
report = report[list(names)].rename(columns=names)
worst = int(report["loss"].idxmax())
report.round({"rate": 5, **dict.fromkeys(list(names.values())[1:], 2)})

# %% [markdown]
# **What we saw.** Left the training loss falls, right the AUC on other people rises, from
# {= report["AUC"].iloc[0] : .2f =} to {= report["AUC"].iloc[-1] : .2f =}.
# <!-- holds: report["AUC"].iloc[-1] > report["AUC"].iloc[0] + 0.1 and report["train loss"].iloc[-1] < 0.5 -->
# You have fine-tuned a network. <!-- holds: report["AUC"].iloc[-1] > 0.7 -->
# (Section 4's mean for this start is over other seeds and four crops per clip, so the numbers differ.)
#
# Now look at the orange curve, and at the columns *loss* and *called fake*. Four of five validation clips are fake, but
# in the third look only {= report["called fake"].loc[3] : .0 % =} are called fake.
# <!-- holds: report["called fake"].loc[:3].max() < 0.7 -->
# In look {= worst =} the validation loss is {= report["loss"].loc[worst] : .2f =}, far more than the 0.500 of one
# answer for all. <!-- holds: worst <= 4 and report["loss"].loc[worst] > 0.75 -->
# At the same time the AUC is far above a coin's. <!-- holds: report["AUC"].loc[worst] > 0.6 -->
# So the order of the faces is there, and the verdicts are not: most screens would read *Real*.
#
# There are four suspects. Which one measurement would tell them apart?

# %%
guess_puzzle = course.predict(
    "Who did it?",
    options=["weights spoiled by too high a rate", "wrong labels", "too little learned", "batch norm's averages"],
)

# %% [markdown]
# The measurement: keep every weight as it is, and count the averages again, on the training batches of the same ten
# steps. If the rate, the labels or the little training are to blame, they have spoiled *weights*, and the verdicts must
# stay as they are.

# %%
after, evidence = [], []
for look, earlier in enumerate(copies, 1):
    trainer.detector = recount(earlier, [trainer.prepare(one) for one in trainer.data.batches(look)])
    again = trainer.validate()
    after.append(trainer.val_scores)
    row = {"called fake, recounted": again["predicted_fake_rate"], "loss, recounted": again["val_loss"]}
    evidence.append(row | {"AUC, recounted": again["val_auc"], "still initial": 0.9 ** (10 * look)})
evidence = report[["called fake", "loss", "AUC"]].join(pd.DataFrame(evidence, index=report.index))
more = evidence["called fake, recounted"] - evidence["called fake"]
apart = more.abs()
guess_puzzle.answer("batch norm's averages" if apart.max() > 0.15 else "too little learned")
evidence.round(2)

# %%
from functools import partial

from torchfakes_utils.course import widgets

verdicts = partial(lesson_05_figures.verdicts_figure, before, after)
widgets.explore(verdicts, look=(1, LOOKS, 1, worst), states=[{"look": 1}, {"look": worst}, {"look": LOOKS}])

# %% [markdown]
# Each mark is a validation clip: real ones above, fakes below. What is right of the dashed line is called fake. Move
# the slider: in the early looks the left panel's marks lie further left, in the last look both panels agree.
#
# **The answer.** It was batch norm, wherever the two columns differ: same weights, another verdict. Counted again,
# the network calls {= evidence.loc[3, "called fake, recounted"] : .0 % =} of the third look's clips fake, instead of
# {= evidence.loc[3, "called fake"] : .0 % =}. <!-- holds: apart.loc[:3].max() > 0.2 -->
# <!-- holds: (more > 0).loc[:3].all() -->
# The loss of look {= worst =} is {= evidence.loc[worst, "loss, recounted"] : .2f =} then.
# <!-- holds: evidence.loc[worst, "loss, recounted"] < 0.75 * evidence.loc[worst, "loss"] -->
# In the last look the two agree: the rate is near zero, and the averages have caught up.
# <!-- holds: apart.iloc[-1] < 0.1 -->
#
# There are two causes. In look 1, after ten steps, {= evidence["still initial"].iloc[0] : .0 % =} of each average are
# still the initial one, here ImageNet's (last column). In look {= worst =}, the worst, it is only
# {= evidence.loc[worst, "still initial"] : .0 % =}: there almost all comes from weights that have moved on since.
# <!-- holds: worst > 1 and evidence.loc[worst, "still initial"] < 0.15 -->
# The high rate has its part in that, for it moves them fast. But it has not *spoiled* them: recounted, they are good.
# In the early looks even the *order* was better when recounted (look 3: {= evidence.loc[3, "AUC, recounted"] : .2f =}
# instead of {= evidence.loc[3, "AUC"] : .2f =}), but eighty clips do not say by exactly how much.
# <!-- holds: (evidence["AUC, recounted"] > evidence["AUC"]).loc[:3].all() -->
#
# If you stop at the first bad look, or choose the best epoch by accuracy, you are misled by averages, not by weights.
# With all clips called *real* the screen reads *Real, Real, Real*, with all called *fake* the accuracy is 80 %. The
# package chooses by AUC.

# %% [markdown]
# ## 6 · Did the course's run learn?
#
# The course's detector was trained by the same loop, from random weights, and each epoch left a row in `history.csv`.
# The figure draws the two losses, AUC, accuracy, and the share called fake. Before you look: which of them
# can look good after one epoch although nothing has been learned?

# %%
from torchfakes_utils.io.tables import read_table
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS

history = read_table(course.ensure("run") / "history.csv", HISTORY_COLUMNS).set_index("epoch", drop=False)
fall = history["val_auc_clip"].diff()
bad = int(fall.idxmin())  # the epoch in which the clips' AUC falls most
title = f"Epoch {bad}: the training loss keeps falling; the AUC falls, too"
lesson_05_figures.history_figure(history, title, marked=bad)

# %%
first, last = history.iloc[0], history.iloc[-1]
free = constant_loss(last["always_fake_accuracy"])
print(f"training loss at the end:   {last['train_loss']:.3f}; one answer for all costs {at_zero:.3f}")
print(f"validation loss at the end: {last['val_loss']:.3f}; one answer for all costs {free:.3f}")
print(f"AUC by clip: {first['val_auc_clip']:.2f} after one epoch, {last['val_auc_clip']:.2f} at the end")

# %% [markdown]
# **What we saw.** The team trained 80 epochs on 26,500 crops. Ours has {= len(history) =} short ones, of
# {= int(first["train_real"] + first["train_fake"]) =} practice crops each, so that it takes minutes. It learned: at the
# end both losses lie below their own dotted line, and
# {= last["val_auc_clip"] : .0 % =} of all pairs of clips are in the right order.
# <!-- holds: last["train_loss"] < at_zero and last["val_loss"] < free and last["val_auc_clip"] > 0.8 -->
# The two losses have two lines, because training batches are balanced and validation is 4 to 1. The gap between the
# losses is therefore no measure of what was learned by heart.
#
# After the first epoch one curve looks fine or terrible by chance: whoever gives everybody one answer has an accuracy
# of 80 % or of 20 %. Here it was {= first["val_accuracy"] : .0 % =}.
# <!-- holds: abs(first["val_balanced_accuracy"] - 0.5) < 0.1 -->
# Balanced accuracy gives 50 % to both, and AUC asks for the order alone.
#
# The grey bar marks the puzzle of this run. From epoch {= bad - 1 =} to epoch {= bad =} the AUC of the clips falls from
# {= history.loc[bad - 1, "val_auc_clip"] : .2f =} to {= history.loc[bad, "val_auc_clip"] : .2f =}.
# <!-- holds: fall[bad] < -0.03 -->
# The training loss falls, too, from {= history.loc[bad - 1, "train_loss"] : .2f =} to
# {= history.loc[bad, "train_loss"] : .2f =}, as if nothing had happened.
# <!-- holds: history.loc[bad, "train_loss"] < history.loc[bad - 1, "train_loss"] -->
#
# ### Your turn · What happened in that epoch?
#
# *6 min, difficulty 3 of 3.* Name two suspects, and for each what you would measure. Say for both what has to be kept
# while the run goes on. Then say which of the curves above speak for or against each. Write it down before you unfold.
#
# <details><summary>A solution</summary>
#
# - *Batch norm's averages.* In favour of it: the training loss, which does not use them, goes on falling, and in other
#   epochs of this run the validation loss and the share called fake jump about. To measure: keep the weights
#   of that epoch, `recount` them, validate again. If the order of the clips comes back, it was the averages.
# - *The weights themselves.* The rate is near its highest, and the few dozen people of the training clips may be told
#   apart by what helps with nobody else. Then recounting changes little. To measure: the AUC of training clips *in
#   evaluation mode, recounted*. If it is high while validation's is low, the network learned these people.
# - *Chance* is a poor suspect: both epochs are judged on the same clips.
#
# What has to be kept are the weights of every epoch. This run kept its last and its best, so that from its files nobody
# can tell. The team kept less.
#
# </details>
#
# ## Open challenge
#
# Solve it. Train the first epochs again and keep the weights of each:
#
# ```python
# from torchfakes_utils.training.data import load_crops
#
# config = TrainingConfig(  # as the course's run
#     pretrained=None, epochs=len(history), crops_per_epoch=448, learning_rate=4e-4,
#     augmentation="mirror", min_sharpness=30,
# )
# again = Trainer(*load_crops(course.paths().faces_csv, config), config)
# kept = []  # of each epoch a detector, to be recounted
# for epoch in range(1, bad + 1):
#     print(again.epoch())
#     kept.append(copy.deepcopy(again.detector))
# ```
#
# That takes some minutes. Another machine gives a similar run and not the same one, so look for its own worst epoch.
# You got somewhere if a recount tells you which suspect it was, and if another seed says the same.

# %% [markdown]
# ## Quiz

# %%
course.quiz("05")

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
# - Before training the loss is ln 2. Overfit one batch before you train on all.
# - At a small budget the first weights decide. Train the head, the norms or all, and *measure* which.
# - One answer for everybody? Count batch norm's averages again before you blame the weights.
# - Hold each loss against the constant answer for its own mix of classes.
# - Keep the weights of every epoch of a run that you may have to explain.
#
# **What this would have told the team.** At 3.8 to 1 a loss counts only below 0.511 and an accuracy only above 79 %,
# and one recount of a minute says whether *Real, Real, Real* is in the weights or in batch norm's averages.
#
# ## Next
#
# [05b · Deep and large](05b_deep_and_large.ipynb): why a hundred layers can learn, and how many faces fit on the team's
# card. Or go on to [06 · Is it good?](06_is_it_good.ipynb): what an AUC is, which threshold to take and for whom, and
# how sure we may be with so few clips.
#
# <details><summary>For whoever teaches this</summary>
#
# - **On the board:** one channel of one batch norm. Sixteen numbers, their mean; beside it the running average, which
#   moves a tenth of the way. Let the room compute three steps.
# - **Where the room stops:** at the two constants. Have somebody compute the loss of "0.8 for everybody" on four fakes
#   and one real face by hand. The second place is `zero_grad`: most loops that fail the check lack it.
# - **If ten minutes are missing:** skip the question how many pictures are enough, and freezing. Keep sections 3 and 5
#   together; the puzzle needs the recount.
# - The live run of section 5 takes about half a minute. Start it before you explain the one-cycle schedule.
#
# </details>
#
# ## Sources
#
# - A. Karpathy: [A Recipe for Training Neural Networks](https://karpathy.github.io/2019/04/25/recipe/). 2019.
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals: Understanding Deep Learning Requires Rethinking
#   Generalization. ICLR 2017.
# - S. Ioffe, C. Szegedy: Batch Normalization. ICML 2015. Averages counted again from fixed weights: P. Izmailov et al.:
#   Averaging Weights Leads to Wider Optima. UAI 2018. Y. Wu, J. Johnson: Rethinking "Batch" in BatchNorm. 2021.
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
# - I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization. ICLR 2019. L. Smith, N. Topin: Super-Convergence.
#   Proc. SPIE 11006, 2019.
# - InceptionResnetV1 and its weights: [facenet-pytorch](https://github.com/timesler/facenet-pytorch), by T. Esler.
