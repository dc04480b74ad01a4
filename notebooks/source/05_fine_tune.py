# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run]
# ---

# %% [markdown]
# # 05 · Fine-tune
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/05_fine_tune.ipynb)
#
# **In this lesson you take a network of over a hundred layers from random numbers to a detector, and learn four
# checks that tell you within a minute when it only looks as if it learns.**
#
# - **You will be able to** say why deep networks can be trained at all, read InceptionResnetV1 from the outside in,
#   predict the loss before training, overfit a batch on purpose, freeze layers without the usual accident, and
#   estimate how much fits on a graphics card.
# - **You need** lesson 04 (splits, balanced batches), and to have met a gradient before. No GPU.
# - **Time:** about 35 min to read, 100 s to run on two CPU cores.
#
# The bootcamp team trained for eighty epochs. The training loss fell, the validation accuracy rose, everybody went
# home happy. Then every test image came out *Real*. None of the four checks in this lesson takes longer than the
# coffee that they drank meanwhile. The most surprising one turns a perfect network into one that gives everybody the
# same answer, on the very pictures it knows by heart.

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
# A forged face on its way through the course's detector. Each grey picture is the mean over all channels of one
# stage. From left to right there is less *where* and more *what*. At the end stands one number.

# %% [markdown]
# ## 1 · Why can a hundred layers learn?
#
# A network learns by sending the error backwards, from the last layer to the first. On the way every layer multiplies
# it by something. Multiply a hundred times by a half, or by two, and you know the problem.
#
# A *residual* layer (He et al., CVPR 2016) does not replace its input. It adds to it: *x + f(x)*. The path through
# the *x* is called the *shortcut*, and on it the error walks back untouched.
#
# > **Predict first.** Forty layers in a row, no shortcuts, PyTorch's default initialisation. How large is the
# > gradient that reaches the first layer, compared with a single layer's: a tenth, a millionth, or less?

# %%
from torch import nn
from torch.nn import functional as F

WIDTH = 32


class Stack(nn.Module):
    """Layers in a row, each of them x -> shortcut · x + scale · relu(W x + b)."""

    def __init__(self, depth: int, shortcut: float = 0.0, scale: float = 1.0):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(depth))
        self.head = nn.Linear(WIDTH, 1)
        self.shortcut, self.scale = shortcut, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, 32) -> (B,)
        for layer in self.layers:
            x = self.shortcut * x + self.scale * torch.relu(layer(x))
        return self.head(x).squeeze(1)


# %%
def first_gradient(depth: int, **kind) -> float:
    """The length of the first layer's gradient, before any training."""
    torch.manual_seed(0)
    x, y = torch.randn(64, WIDTH), (torch.rand(64) < 0.5).float()
    network = Stack(depth, **kind)
    F.binary_cross_entropy_with_logits(network(x), y).backward()
    return network.layers[0].weight.grad.norm().item()


KINDS = {
    "plain": {},
    "residual: x + f(x)": {"shortcut": 1.0},
    "residual, scaled: x + 0.1 f(x)": {"shortcut": 1.0, "scale": 0.1},
}
DEPTHS = [1, 2, 5, 10, 20, 40]
gradients = {name: [first_gradient(depth, **kind) for depth in DEPTHS] for name, kind in KINDS.items()}

# %%
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(7.4, 3.6))
plots.curves(ax, DEPTHS, gradients, [lesson_05.CUT, plots.NEUTRAL, lesson_05.KEPT])
ax.set(yscale="log", xlabel="layers", ylabel="gradient of the first layer", xlim=(0, 60), xticks=DEPTHS)
ax.set_title("Plain layers swallow the gradient; bare shortcuts blow it up")
plots.finish(figure)

# %% [markdown]
# **What we saw.** Without shortcuts the gradient shrinks by about a constant factor a layer; after forty of them it
# is so small that a float32 weight does not move when you add it. With shortcuts it survives, and then some: each
# layer adds to *x*, *x* grows, and the gradient grows with it. Scaled by 0.1 it is the same at every depth. The
# designers of Inception-ResNet met the same instability in their wide networks and scaled their residuals by 0.1 to
# 0.3 (Szegedy et al., AAAI 2017). We shall find the numbers in our own network in a moment.
#
# A gradient is a promise. Does the network keep it? Forty layers, one small puzzle: points in a plane, a class that
# changes at a circle and at a line.

# %%
import numpy as np


def train_stack(network: nn.Module, steps: int = 150) -> list[float]:
    """Losses of a few steps of Adam on the puzzle."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(256, 2, generator=generator)
    labels = ((points.norm(dim=1) > 1.2) ^ (points[:, 0] > 0)).float()
    inputs = points @ torch.randn(2, WIDTH, generator=generator) / 2**0.5
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=1e-3), []
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def careful(network: Stack) -> Stack:
    """Break it: the same plain layers, but with random weights of the right size (He et al., ICCV 2015)."""
    for layer in network.layers:
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    return network


torch.manual_seed(0)
runs = {
    "plain": train_stack(Stack(40)),
    "plain, careful weights": train_stack(careful(Stack(40))),
    "residual, scaled": train_stack(Stack(40, shortcut=1.0, scale=0.1)),
}
colours = [lesson_05.CUT, plots.NEUTRAL, lesson_05.KEPT]
lesson_05.loss_curves(runs, "Forty plain layers never leave the start", colours)

# %% [markdown]
# **What we saw.** The plain network stands still, at a height that you will meet again in section 3. The residual one
# learns. So does a plain one whose random weights were drawn with care, so the shortcut is *a* cure, not the only
# one. It is the one that keeps working when depth, width and data change. Plain networks with every other care taken
# still got worse with depth, on training data too; that observation is where residual networks come from.

# %% [markdown]
# ## 2 · What is inside InceptionResnetV1?
#
# The course's detector is facenet-pytorch's InceptionResnetV1, made to recognise people, with its classifier replaced
# by one output. We read it from the outside: a forward hook on each stage tells the shape of what comes out.
#
# > **Predict first.** A crop of 160 × 160 pixels goes in. How large is the picture in the last convolution? And where
# > are most of the 23 million parameters: in the early stages, which see fine detail, or in the late ones?

# %% tags=["nbval-check-output"]
import pandas as pd

from torchfakes_utils.models.detector import Detector, DetectorConfig

torch.manual_seed(0)
network = Detector(DetectorConfig(pretrained=None)).eval()
shapes = {}


def keep_shape(name: str):
    return lambda module, inputs, output: shapes.update({name: tuple(output.shape[1:])})


stages = dict(network.backbone.named_children())
hooks = [stage.register_forward_hook(keep_shape(name)) for name, stage in stages.items()]
with torch.no_grad():
    network(torch.zeros(1, 3, 160, 160))
for hook in hooks:
    hook.remove()

count = {name: sum(p.numel() for p in stage.parameters()) for name, stage in stages.items()}
table = pd.DataFrame({"shape": shapes, "parameters": count})
convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
print(table.to_string(formatters={"parameters": "{:,}".format}))
print(f"\n{table['parameters'].sum():,} parameters, {convolutions} convolutions")

# %%
weighty = table[table["parameters"] > 0]
lesson_05.parameter_bars(weighty.index, weighty["shape"].tolist(), weighty["parameters"].tolist())

# %% [markdown]
# **What we saw.** The first seven stages shrink the picture and are light. Then come three groups of residual blocks
# (`repeat_1`, `repeat_2`, `repeat_3` and `block8`), each at one size, with a `mixed` stage between them that halves
# the picture. At the end a map of 3 × 3 is left. That is all the *where* the last stage has; lesson 07 will want to
# know.
#
# Now one block. *Inception* means that several convolutions of different reach stand side by side. *Resnet* is the
# shortcut.

# %% tags=["nbval-check-output"]
block = network.backbone.repeat_1[0]
x = torch.randn(1, 256, 17, 17, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    side_by_side = torch.cat([block.branch0(x), block.branch1(x), block.branch2(x)], dim=1)  # 3 × 32 channels
    by_hand = torch.relu(x + block.scale * block.conv2d(side_by_side))  # mixed back to 256, then added
    print("by hand = the block:", torch.allclose(by_hand, block(x), atol=1e-5))
groups = {name: getattr(network.backbone, name) for name in ("repeat_1", "repeat_2", "repeat_3")}
print({name: (len(group), group[0].scale) for name, group in groups.items()}, "(blocks, scale)")

# %% [markdown]
# There are the scales, between 0.1 and 0.2: the flat line of the first figure.
#
# > **Predict first.** We cut the shortcuts out of the real network: `relu(0.17 f(x))` instead of `relu(x + 0.17
# > f(x))`. It has batch normalisation everywhere, which rescales whatever passes. What does the gradient of the first
# > layer do: vanish, stay, or explode?

# %%
from torchfakes_utils.faces.quality import filter_blurred
from torchfakes_utils.models.preprocessing import Preprocessing

SIZE = 96  # px; small, so that everything in this lesson takes seconds
faces = filter_blurred(course.faces_table())
learn = faces[faces["split"] == "train"].reset_index(drop=True)
one_a_clip = learn.drop_duplicates(["method", "clip_id"])
batch = one_a_clip.groupby("label").sample(8, random_state=0)  # 8 real, 8 fake, 16 clips
images = torch.stack([Preprocessing(size=SIZE).apply(read_crop(file)) for file in batch["file"]])
labels = torch.tensor(batch["label"].to_numpy(), dtype=torch.float32)
print(f"images {tuple(images.shape)}, from {images.min():.2f} to {images.max():.2f}")
print(f"labels {labels.int().tolist()}")


def fresh(shortcuts: bool = True) -> Detector:
    """A small detector with random weights, always the same ones."""
    torch.manual_seed(0)
    detector = Detector(DetectorConfig(pretrained=None, dropout=0.0, preprocessing=Preprocessing(size=SIZE)))
    if not shortcuts:
        lesson_05.cut_shortcuts(detector)
    return detector.train()


# %%
def gradient_by_stage(detector: Detector) -> dict[str, float]:
    """The gradient of the first weights of each stage: its length, from the last stage to the first."""
    F.binary_cross_entropy_with_logits(detector(images), labels).backward()
    wanted = ["block8", "repeat_3", "mixed_7a", "repeat_2", "mixed_6a", "repeat_1", "conv2d_4b", "conv2d_1a"]
    return {name: next(getattr(detector.backbone, name).parameters()).grad.norm().item() for name in wanted}


by_stage = {"with": gradient_by_stage(fresh()), "without": gradient_by_stage(fresh(shortcuts=False))}
figure, ax = plt.subplots(figsize=(7.4, 3.2))
colours = [lesson_05.KEPT, lesson_05.CUT]
for (name, norms), colour, marker in zip(by_stage.items(), colours, "oX", strict=True):
    ax.plot(list(norms), list(norms.values()), color=colour, marker=marker)
    ax.annotate(f" {name} shortcuts", (7, norms["conv2d_1a"]), va="center", color=colour, fontweight="bold")
ax.set(yscale="log", ylabel="gradient", xlabel="from the last stage back to the first", xlim=(-0.3, 10))
ax.tick_params(axis="x", labelsize=8, labelrotation=30)
ax.set_title("Shortcuts keep the gradient of the real network in bounds")
plots.finish(figure)

# %% [markdown]
# **What we saw.** It explodes. Batch normalisation divides by the spread of what comes in; a block of which only *0.1
# f(x)* is left has little spread; and what is divided on the way forward is *multiplied* on the way back, block after
# block. So depth has two ways to fail, vanishing and exploding, and the shortcut guards against both.

# %% [markdown]
# ## 3 · What should the loss be before training?
#
# The detector has one output, the *logit* *z*. Its sigmoid, *σ(z)* = 1 / (1 + *e*⁻ᶻ), is P(fake), and the loss is the
# surprise at the truth: −ln *σ(z)* for a fake, −ln (1 − *σ(z)*) for a real face. That is *binary cross-entropy*.
#
# > **Predict first.** An untrained network knows nothing and says about 0.5 to everything. What is its loss?


# %% tags=["nbval-check-output"]
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
# At *z* = 0 the loss is −ln 0.5 = ln 2, for either label. And the textbook's formula breaks where it matters most: a
# network that is sure of the wrong thing gets an infinite loss. That is why the course's network ends in a logit and
# never applies the sigmoid in training. Now the real network, fresh from the random generator:

# %%
with torch.no_grad():
    in_evaluation = F.binary_cross_entropy_with_logits(fresh().eval()(images), labels).item()
    in_training = F.binary_cross_entropy_with_logits(fresh()(images), labels).item()
print(f"loss before training, evaluation mode: {in_evaluation:.3f}   (ln 2 = {np.log(2):.3f})")
print(f"loss before training, training mode:   {in_training:.3f}")

# %% [markdown]
# **What we saw.** In evaluation mode, ln 2. In training mode a little more: the last batch normalisation spreads the
# sixteen crops apart by force, so the untrained network guesses with some conviction, and random conviction costs.
# Both are healthy. Other first losses have a meaning too; a check of one second reads it:

# %% tags=["nbval-check-output"]
print(f"{np.log(8631):5.2f}  the old classifier is still there: it chooses among 8,631 people")
print(f"{16 * np.log(2):5.2f}  the loss is summed over 16 crops instead of averaged")
print(f"{np.log(2):5.2f}  nothing known yet, as it should be")
print(f"{0.1:5.2f}  it has seen these pictures before, or their labels are in them")

# %% [markdown]
# **Break it.** ln 2 belongs to *balanced* batches. What is the least loss of a network that always gives the same
# answer, whatever it sees?


# %% tags=["nbval-check-output"]
def constant_answer(share_of_fakes: float) -> float:
    """The lowest loss without looking: always answer with the share of fakes."""
    p = share_of_fakes
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


FIRST_PROJECT = 21000 / (21000 + 5500)  # fake and real crops, from its report
worlds = {"balanced batches": 0.5, "FF++, four fakes a real": 0.8, "the first project": FIRST_PROJECT}
for name, p in worlds.items():
    print(f"{name:26s} {p:6.1%} fake: loss {constant_answer(p):.3f}, accuracy {max(p, 1 - p):.1%}")

# %% [markdown]
# **What we saw.** On the team's data a loss that "falls from 0.69 to 0.51" has learned one thing: fakes are common.
# The sampler of lesson 04 takes that way out: half of every batch is real, and whatever gets below ln 2 has looked at
# the pictures.

# %% [markdown]
# ## 4 · Can it learn sixteen faces by heart?
#
# The best test of a training loop is a task that it cannot fail. Twenty-three million parameters, sixteen faces: the
# loss must go to zero. If it does not, the loop is broken, and no amount of data will help.
#
# > **Predict first.** Three networks get the same sixteen faces. One gets the right labels. One gets the labels
# > shuffled. One gets the right labels, but its shortcuts are cut. Which of them reach zero?


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
network, liar = fresh(), fresh()
by_heart = {
    "right labels": memorise(network, labels),
    "shuffled labels": memorise(liar, shuffled),
    "no shortcuts": memorise(fresh(shortcuts=False), labels),
}

# %%
colours = [lesson_05.KEPT, plots.NEUTRAL, lesson_05.CUT]
lesson_05.loss_curves(by_heart, "It learns the truth and a lie equally well", colours, top=2.0)

# %%
print(f"shuffled labels that are right by chance: {(shuffled == labels).sum():.0f} of 16")
print({name: f"{losses[-1]:.3f}" for name, losses in by_heart.items()}, "final losses")

# %% [markdown]
# **What we saw.** The loop works: the loss goes to nothing. But it goes to nothing for the shuffled labels too. *A
# falling training loss proves that the network can store the answers. It says nothing about what it stored.* Zhang et
# al. (ICLR 2017) did the same with a million pictures. Without shortcuts the same number of steps leads nowhere.
#
# (The jumps at the start: the learning rate is at full height from the first step. Section 6 has the remedy.)
#
# > **Predict first.** The first network now knows these sixteen faces by heart. We show it *the same sixteen faces*
# > once more, in evaluation mode, as one does in a test. How many will it get right?


# %%
def exam(detector: Detector, name: str) -> dict:
    with torch.no_grad():
        logits = detector(images)
    loss = F.binary_cross_entropy_with_logits(logits, labels).item()
    said_fake = logits > 0
    right = (said_fake == labels.bool()).sum()
    answers = {"called fake": f"{said_fake.sum()} of 16", "right": f"{right} of 16"}
    return {"asked in": name, "loss": round(loss, 3)} | answers


exams = [exam(network.train(), "training mode"), exam(network.eval(), "evaluation mode")]
pd.DataFrame(exams).set_index("asked in")

# %% [markdown]
# Sixteen faces, one answer: the team's disease, in a network that knows every one of them. Nothing is wrong with the
# weights. In training mode batch normalisation uses the mean and spread of the batch at hand. In evaluation mode it
# uses *running averages* from training, a tenth of each new batch, and after fourteen steps of wild change they
# belong to a network that no longer exists. The cure, and the proof: count them afresh, without touching a weight.


# %%
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


recount(network, [(images, labels)])
exams.append(exam(network, "evaluation mode, recounted"))
pd.DataFrame(exams).set_index("asked in")

# %% [markdown]
# **What we saw.** Same weights, same faces, another verdict. If your model is good in validation *during* training
# and answers everything alike when it is loaded elsewhere, ask first: is it in `eval()`? Did its running averages
# have time to settle (hundreds of steps, a falling rate)? Are the inputs normalised as they were in training?

# %% [markdown]
# ## 5 · Where do the first weights come from?
#
# *Transfer learning* begins with weights that already know something. For faces there are two sets: VGGFace2 (8,631
# people; Cao et al., FG 2018) and CASIA-WebFace. Such a network tells people apart, and for that it had to learn
# skin, eyes, light and pose. We keep all that, throw away the last layer, which names people, and train on.
#
# `pretrained.build_detector` does this, and it is honest about it: the weights are 107 MB on GitHub's servers, and
# where they cannot be had it says so in one line, goes on from random weights, and *writes that down*. Here is what
# you see either way; we stage both so that you need no network.
#
# > **Predict first.** The download fails, the program goes on, training looks normal. A month later, how would you
# > know which weights your model started from?

# %%
import tempfile
import textwrap
from pathlib import Path
from unittest import mock

from torchfakes_utils.models import pretrained

with tempfile.TemporaryDirectory() as folder:
    nowhere = mock.patch.dict(pretrained.PRETRAINED_URLS, vggface2="http://127.0.0.1:9/vggface2.pt")
    empty_cache = mock.patch("torch.hub.get_dir", return_value=f"{folder}/hub")
    with nowhere, empty_cache:
        without, note = pretrained.build_detector(DetectorConfig(pretrained="vggface2"))
    print("asked for: vggface2")
    print(textwrap.fill(f"you see:   {note}", 96, subsequent_indent=" " * 11))
    print("on record:", without.config.pretrained)

# %% tags=["nbval-check-output"]
from facenet_pytorch import InceptionResnetV1

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "people.pt"  # stands for the real file; only its numbers are random
    torch.manual_seed(1)
    people = InceptionResnetV1(classify=True, num_classes=8631).state_dict()
    torch.save(people, file)
    with_weights, note = pretrained.build_detector(DetectorConfig(), weights=file)
print("on record:", with_weights.config.pretrained)
print(textwrap.fill("you see:   " + note.replace(f"{folder}/", ""), 96, subsequent_indent=" " * 11))
own = with_weights.backbone.state_dict()
fitting = [name for name in own if own[name].shape == people[name].shape]
taken = [torch.equal(own[name], people[name]) for name in fitting]
print(f"{len(taken)} tensors taken over, all equal: {all(taken)}")
old, new = (tuple(weights["logits.weight"].shape) for weights in (people, own))
print(f"last layer: {old} was thrown away for {new}")

# %% [markdown]
# **What we saw.** In both cases the record in `detector.config` says where training *really* started, and it is saved
# with the model. The course's own run starts from random weights on purpose, so that it is the same with and without
# a network:

# %%
print("the course's detector started from:", trained.config.pretrained or "random weights")

# %% [markdown]
# ### Freezing, and the accident that comes with it
#
# With few pictures one often *freezes* the early stages: their weights stay as they are, only the rest is trained. It
# saves memory and time, and it protects what was learned from too few examples.
#
# > **Predict first.** We freeze everything but the last layer with `requires_grad_(False)`, and run one batch in
# > training mode, without any optimiser. Has the frozen part changed?


# %% tags=["nbval-check-output"]
def changed_by_looking(detector: Detector) -> list[str]:
    """What is different after one forward pass in training mode: no loss, no step."""
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    detector.train()(images)
    return [name for name, value in detector.state_dict().items() if not torch.equal(value, before[name])]


naive = fresh()
naive.requires_grad_(False)
naive.backbone.logits.requires_grad_(True)
changed = changed_by_looking(naive)
print(f"requires_grad_(False): {len(changed)} tensors changed, such as {changed[0].removeprefix('backbone.')}")

# %% [markdown]
# **What we saw.** Frozen is not frozen. `requires_grad_(False)` stops the optimiser, not batch normalisation, whose
# running averages follow every batch that passes in training mode. After some hundred steps the "protected" features
# are normalised for other pictures. To freeze in earnest, put the frozen stages into `eval()` as well, each time
# after `detector.train()`. `Detector.tune` does both, and says what is left to train:

# %% tags=["nbval-check-output"]
properly = fresh()
for what in ("all", "repeat_3", "norms", "head"):
    properly.tune(what)
    tuned = sum(here for _, here in properly.parameter_counts().values())
    touched = [name for name in changed_by_looking(properly) if "running" in name]
    print(f"tune({what!r}):{'':{10 - len(what)}}{tuned:>11,} parameters; averages that still move: {len(touched)}")

# %% [markdown]
# `"repeat_3"` means *this stage and those after it*; `"norms"` leaves every convolution as it is and learns only the
# scales and shifts of the normalisation layers and the classifier, some hundredth of the parameters. Surprisingly
# much can be learned with those alone (Frankle et al., ICLR 2021). On the command line it is `--tune`; and
# `--head-learning-rate` gives the new, random classifier a rate of its own.
#
# ### A ladder of detectors
#
# InceptionResnetV1 is one rung. The package has smaller ones, written from their papers, and above it every network
# that timm knows. All are used alike: one logit, stages that can be frozen, and the size and range of their input
# stored with the weights.

# %% tags=["nbval-check-output"]
for name in ("Meso4", "MesoInception4", "InceptionResnetV1"):
    rung = Detector(DetectorConfig(name, pretrained=None))
    counts = {stage: count for stage, (count, _) in rung.parameter_counts().items()}
    print(f"{name:18s}{sum(counts.values()):>12,} parameters in {len(counts)} stages: {', '.join(counts)}")

# %% [markdown]
# `torchfakes train … --architecture Meso4` learns within a minute on a laptop (lesson 08 trains three dozen of them).
# `--architecture timm:efficientnet_b4` is what DeepfakeBench compares with; `--architecture
# timm:vit_base_patch16_clip_224 --tune norms` takes CLIP's picture tower and changes nothing but its norms.

# %% [markdown]
# ## 6 · What happens in one step of the loop?
#
# Everything so far used four lines: zero the gradients, forward, backward, step. The package's loop has the same
# heart. We do not copy it here; we print it, so that what you read is what runs.

# %%
import inspect

from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.trainer import Trainer

print(textwrap.dedent(inspect.getsource(Trainer.train_epoch)).rstrip())
print(textwrap.dedent(inspect.getsource(Trainer.step)).rstrip())

# %% [markdown]
# Around the four lines stand a few things that real runs need. `prepare` moves the batch, augments and normalises it
# (on the device, all crops at once). `seeded` lets dropout draw from (seed, batch) alone, so that a run that was
# stopped goes on as if it had not been. `autocast` computes in half precision where the hardware is faster in it, and
# `scaler` keeps float16's small gradients from becoming zero; elsewhere both do nothing. `accumulate` adds up the
# gradients of several batches where a large one does not fit, `clip_norm` shortens gradients that are too long, and
# `average` keeps a moving average of the weights. `flush_losses` reads the losses, on a GPU only now and then, for it
# has to finish its work first. `_keep_if_due` writes the run to disk, so that pressing Ctrl-C costs nothing. And there
# is a `scheduler`.
#
# It drives the learning rate through *one cycle* (Smith & Topin, 2019): up, so that wild random weights are not
# thrown about; high, to get somewhere; down to almost nothing, so that it can settle. It ends with the smallest steps
# of all, which is also when batch norm's averages catch up.
#
# > **Predict first.** When is such a run at its best: at the top of the curve, or at its end? What does stopping
# > early do then?


# %% tags=["nbval-check-output"]
def one_cycle(step: int, total: int, top: float = 1e-3) -> float:
    """Half a cosine up, from a 25th of `top`, over 30 % of the steps; half a cosine down to almost nothing."""
    low, end, peak = top / 25, top / 25e4, 0.3 * total - 1
    start, stop, way = low, top, step / peak
    if step > peak:
        start, stop, way = top, end, (step - peak) / (total - 1 - peak)
    return stop + (start - stop) * (1 + np.cos(np.pi * way)) / 2


total = 140
optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=total)
by_torch, momentum = [], []
for _ in range(total):
    by_torch.append(scheduler.get_last_lr()[0])
    momentum.append(optimizer.param_groups[0]["betas"][0])
    optimizer.step()
    scheduler.step() if len(by_torch) < total else None
print("by hand = OneCycleLR:", np.allclose(by_torch, [one_cycle(step, total) for step in range(total)]))
print(f"first {by_torch[0]:.0e}, highest {max(by_torch):.0e}, last {by_torch[-1]:.0e}")

# %%
figure, (rate, beta) = plt.subplots(1, 2, figsize=(8.6, 2.6))
rate.plot(by_torch, color="black")
rate.set(xlabel="step", ylabel="learning rate", yticks=[0, 0.0005, 0.001])
rate.set_title("The rate goes up once and down once")
beta.plot(momentum, color=plots.NEUTRAL)
beta.set(xlabel="step", ylabel="AdamW's first beta", yticks=[0.85, 0.9, 0.95])
beta.set_title("Momentum does the opposite")
plots.finish(figure)

# %% [markdown]
# **What we saw.** Few people know the right half: while the rate is high, `OneCycleLR` also takes momentum down. And
# since the end is the best part, a short patience in early stopping cuts off just what the schedule was made for.
#
# Now a real run, with the package's `Trainer`: small crops, a few dozen steps, the real pairs of lesson 04.
# Watch the curve draw itself.
#
# > **Predict first.** Thirty-two steps, about half a minute. Which moves first: the training loss, or the verdict on
# > people it has never seen?

# %%
import copy
from itertools import islice

from IPython.display import display

config = TrainingConfig(
    epochs=8, crops_per_epoch=64, image_size=SIZE, pretrained=None, val_frames_per_clip=1, device="cpu"
)
trainer = Trainer(faces, Preprocessing(size=SIZE), config)
rates = [one_cycle(4 * epoch + 3, 4 * config.epochs) for epoch in range(config.epochs)]
rows, copies = [], []
drawing = display(lesson_05.learning_curve([], rows, config.epochs, rates), display_id=True)
for _ in range(config.epochs):
    rows.append(trainer.epoch())  # train on 64 crops, then look at the validation clips
    copies.append(copy.deepcopy(trainer.detector) if len(rows) in (3, 5, 7) else None)
    drawing.update(lesson_05.learning_curve([row["train_loss"] for row in rows], rows, config.epochs, rates))

# %%
report = pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="epoch"))
one_answer = report["predicted_fake_rate"].isin([0.0, 1.0])
print(f"epochs in which every single face got the same answer: {one_answer.sum()} of {len(rows)}")
for epoch, earlier in enumerate(copies, 1):
    if earlier is not None:
        again_seen = (trainer.prepare(batch) for batch in islice(trainer.data.batches(epoch), 2))
        trainer.detector = recount(earlier, again_seen)
        again = trainer.validate()["predicted_fake_rate"]
        print(f"epoch {epoch}: called fake {rows[epoch - 1]['predicted_fake_rate']:.2f}, recounted {again:.2f}")
report[["val_loss", "val_auc", "val_accuracy", "always_fake_accuracy", "predicted_fake_rate"]].round(2)

# %% [markdown]
# **What we saw.** Neither has moved much, and that is honest: thirty-two steps are few. But read the column
# `predicted_fake_rate`. Where it says 0.00 or 1.00, the network gives everybody the same answer, and the accuracy
# beside it is only the share of the class that it happens to choose. With 0.00 the screen reads *Real, Real, Real*.
# There is the team's test set, in our own run. The recounted lines above the table show why: with fresh averages the
# same weights call some faces fake and some real again. (No better than a coin does, so early in the run. But a coin
# at least is not stuck.)
#
# Who picks the best epoch by accuracy picks one that says "fake" to everyone, if there is one. The course's loop
# picks by AUC (lesson 06), and it prints the share called fake and the always-fake baseline in every line.

# %% [markdown]
# ## 7 · Did the course's run learn?
#
# The course's detector was trained by the same loop for some minutes, and each epoch left a row in `history.csv`. The
# team looked at one curve. Look at seven.
#
# > **Predict first.** Validation holds four fakes for each real clip. Which of these curves can look good after one
# > epoch although nothing has been learned?

# %%
from torchfakes_utils.io.tables import read_table
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS

history = read_table(course.ensure("run") / "history.csv", HISTORY_COLUMNS)
lesson_05.history_figure(history)

# %%
names = {"train_loss": "train loss", "val_loss": "val loss", "val_accuracy": "accuracy"}
names |= {"val_balanced_accuracy": "balanced", "predicted_fake_rate": "called fake", "val_auc_clip": "AUC by clip"}
history.set_index("epoch")[list(names)].rename(columns=names).round(3)

# %% [markdown]
# **What we saw.** Hold the first row against the last. The accuracy may start at the dotted line, which costs
# nothing; balanced accuracy and AUC start near a coin, and they are right. Then validation AUC climbs, in the run
# shown here in every epoch (an earlier run fell back once): what the network learns carries over to
# people it has never met. Where the training loss lies below the validation loss, the gap is the part that it knows by
# heart.
#
# The first project also looked at its gradients, to see that none vanish. Ours are in `steps.csv`, one column for each
# stage, every ten steps:
#
# > **Predict first.** From section 2 you know what shortcuts are for. Will the first stage's line lie far below the
# > last one's?

# %%
steps = pd.read_csv(course.ensure("run") / "steps.csv")
lesson_05.gradient_figure(steps)

# %%
norms = steps.filter(like="grad_norm_").median()
print(f"median gradient norm: stem {norms['grad_norm_stem']:.2g}, head {norms['grad_norm_head']:.2g}")
print(f"smallest of any stage at any step: {steps.filter(like='grad_norm_').min(axis=None):.1g}")

# %% [markdown]
# **What we saw.** No line sinks to nothing: the error arrives in every stage, all the way to the first, the stem, which
# is even the loudest in our run. That is what “no vanishing gradients” means, and it is *all* that it means:
# something can be learned. What is learned, lesson 08 asks.
#
# These tables are always written. A *tracker* draws them while you wait, and keeps runs side by side: `--tracker
# trackio` (local, no account; look with `trackio show`), `--tracker wandb` (Weights & Biases, which the first project
# used; without a key it stays on your disk) or `--tracker tensorboard`. They get losses, AUC, learning rate, gradient
# norms, what the machine does, the confusion matrix and the worst mistakes as pictures. In a notebook of your own, the
# curve draws itself: `train(faces_csv, run, config, on_epoch=LivePlot(run))`, from `torchfakes_utils.course.live`.
#
# What the curves cannot say: the epoch was chosen on this very validation split, so its numbers are a little too
# kind. It holds few clips, of two portraits. And Mini-FF++ is no sample of the world's deepfakes. Lesson 06 takes it
# from here.

# %% [markdown]
# ## 8 · How many faces fit on the team's card?
#
# A GTX 1070 has 8 GiB, and the team used batches of 16. Was that the limit? Training keeps two kinds of things. *Per
# parameter*, whatever the batch: the weight, its gradient, and AdamW's two running means, four float32 numbers. *Per
# crop*: every intermediate result that the backward pass will want again, the *activations*. PyTorch lets us look
# over its shoulder while it saves them.
#
# > **Predict first.** Which is larger for a batch of 16 crops of 160 px: what belongs to the 23 million parameters,
# > or the activations? And at which batch is the card full?

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
print(f"activations: {two / 2**20:.0f} MiB for 2 crops, {four / 2**20:.0f} MiB for 4")
print(f"  that is {per_crop / 2**20:.0f} MiB a crop")
print(f"per parameter: {16 * parameters / 2**20:.0f} MiB for weights, gradients and AdamW")

# %% [markdown]
# (Two and four crops, because one cannot be trained on: the last batch normalisation has nothing to average over.
# That is what `drop_last=True` in a loader is for.)
#
# The rest is multiplication. **It is an estimate, not a measurement on a GTX 1070:** activations counted on a CPU for
# two batches and scaled, with the square of the picture's edge where that changes. A real card also holds CUDA's own
# code (some hundred MiB), the workspaces of its convolutions, passing temporaries, gaps between blocks, and your
# desktop. Take it as a lower bound.

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
# **What we saw.** We expected to find the team's sixteen at the edge of the card. The count says otherwise: at 160 px
# a batch of 16 takes a small part of it, and even with a generous allowance for what we did not count there was room
# for several times as many. Larger pictures eat the card quickly (above: four times the area); small face crops do
# not. Sixteen was a habit, not a limit. A good habit, perhaps: small batches take more steps a pass, and with few
# pictures steps are what you need.
#
# **Break it.** So how does one fill 8 GiB with small crops? Like this: validate without telling PyTorch that no
# gradient will be asked for, and collect the logits in a list. Each logit keeps alive everything that it was computed
# from.

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
# switches, two purposes: `eval()` for right answers, `inference_mode()` for memory. When a program dies in
# validation, not in training, this is the first place to look.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In section 4, change `batch` so that one face is in it twice, and shuffle so that its two copies get different
#    labels. Which value can the loss not go below? Compute it before you run it.
# 2. In section 1, set `scale` to `1 / depth` and to `1 / depth**0.5`. Which keeps the gradient flat up to 200 layers?
# 3. If you have a network: train twice from the command line, with `--pretrained vggface2` and with `--pretrained
#    none`, and lay the two `history.csv` over each other. How many epochs is VGGFace2 worth?
#
# ## Open challenge
#
# Freeze stages of the course's detector one by one, from the front, and train the rest on *one* manipulation only.
# How many stages can you freeze before validation AUC on the other three manipulations drops? You got somewhere if
# you can say which stage knows faces and which knows forgeries, and if another seed says the same.

# %% [markdown]
# ## Misconceptions
#
# - **"The training loss falls, so it learns the thing I mean."** It fell to nothing for shuffled labels. It tells
#   that the loop works. What was learned, only unseen people can tell.
# - **"80 % after the first epoch is a good start."** Not where four of five are fake. Look at how often it says
#   "fake".
# - **"`eval()` is a detail."** The same weights got all sixteen faces right and gave them all one answer.
# - **"Frozen layers do not change."** Their weights do not. Batch norm's averages do, unless you see to it.
# - **"Out of memory? Smaller batch."** First ask what is kept. Then make the batch smaller.
#
# ## Recap
#
# - Depth multiplies gradients; shortcuts, lightly scaled, keep them within bounds. Cut them, and even a
#   batch-normalised network stops learning.
# - Before training the loss is ln 2. On unbalanced batches a constant answer gets below it.
# - Overfit one batch before you train on all: it must work, and it proves only that the loop does.
# - Know which weights you started from; the record in `detector.json` knows.
# - Watch validation AUC, balanced accuracy and the share called fake. Accuracy beside the always-fake line, or not at
#   all.
#
# ## Next
#
# [06 · Is it good?](06_is_it_good.ipynb) What an AUC is, which threshold to take and for whom, and how sure we may be
# with so few clips.
#
# ## Sources
#
# - K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. CVPR 2016.
# - K. He, X. Zhang, S. Ren, J. Sun: Delving Deep into Rectifiers. ICCV 2015 (the careful random weights).
# - C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: Inception-v4, Inception-ResNet and the Impact of Residual
#   Connections on Learning. AAAI 2017.
# - S. Ioffe, C. Szegedy: Batch Normalization. ICML 2015.
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals: Understanding Deep Learning Requires Rethinking
#   Generalization. ICLR 2017.
# - Q. Cao, L. Shen, W. Xie, O. Parkhi, A. Zisserman: VGGFace2. FG 2018.
# - I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization. ICLR 2019 (AdamW).
# - L. Smith, N. Topin: Super-Convergence. Proc. SPIE 11006, 2019 (one cycle).
# - J. Frankle, D. Schwab, A. Morcos: Training BatchNorm and Only BatchNorm. ICLR 2021.
# - The network and its weights: [facenet-pytorch](https://github.com/timesler/facenet-pytorch), by T. Esler.
