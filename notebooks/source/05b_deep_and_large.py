# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run]
#     unlinked: [shortcut, band]
# ---

# %% [markdown]
# # 05b · Deep and large
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/05b_deep_and_large.ipynb)
#
# **In this lesson you find out why a network of more than a hundred layers can learn at all, and how many faces of it
# fit on a graphics card.**
#
# - **You will be able to** measure how much of the error reaches the first layer; build a residual block; say what
#   shortcuts are for, and what they are not; estimate the largest batch that fits on a card; validate without filling
#   the memory.
# - **You need** lesson 05 (logits, binary cross-entropy, batch normalisation). No GPU.
# - **Time:** about 20 min to read, 15 min of exercises, 60 s to run on two CPU cores.
#
# The bootcamp team had one laptop with a GTX 1070, and InceptionResnetV1, a network with more than a hundred
# convolutions. Both names raise a question: why does such a depth not stop learning, and was the card too small?

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

# %% [markdown]
# ## 1 · How much of the error reaches the first layer?
#
# A network learns by sending the error backwards, and each layer multiplies it by something. We put layers in a row and
# measure the gradient of the first one before any training. Three kinds of layers: *plain* ones with PyTorch's default
# weights; plain ones with *careful* weights, drawn in the right size (He et al., ICCV 2015); and *residual* ones (He et
# al., CVPR 2016), which add to their input instead of replacing it: *x* + 0.1 *f(x)*. Along this *shortcut* the error
# comes back unchanged.

# %%
guess_first = course.predict(
    "Forty plain layers, default weights. How large is the first layer's gradient, beside that of one layer alone?",
    options=["about a tenth", "about a thousandth", "about a millionth", "far less"],
)

# %%
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torchfakes_utils.course import lesson_05b

WIDTH = 32


class Stack(nn.Module):
    """Layers in a row, each of them x -> shortcut · x + scale · relu(W x + b)."""

    def __init__(self, depth: int, shortcut: float = 0.0, scale: float = 1.0, careful: bool = False):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(depth))
        self.head = nn.Linear(WIDTH, 1)
        self.shortcut, self.scale = shortcut, scale
        for layer in self.layers if careful else ():
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
passed = {name: values[-1] / values[0] for name, values in gradients.items()}
sizes = {"about a tenth": 0.03, "about a thousandth": 3e-5, "about a millionth": 3e-8, "far less": 0.0}
guess_first.answer(next(name for name, least in sizes.items() if passed["plain"] > least))
lesson_05b.first_gradient_figure(DEPTHS, gradients)

# %% [markdown]
# **What we saw.** A step on the left axis is a factor of a thousand. Forty plain layers pass
# {= lesson_05b.power_of_ten(passed["plain"]) =} of what a single one does: nothing.
# <!-- holds: passed["plain"] < 1e-9 -->
# Both cures keep the gradient: careful weights pass {= passed["plain, careful weights"] : .2f =} of it, and shortcuts
# {= passed["residual"] : .2f =}. <!-- holds: min(passed["plain, careful weights"], passed["residual"]) > 0.01 -->
#
# ## 2 · Does a gradient suffice?
#
# A small puzzle, points in a plane, a hundred steps of Adam, three seeds; forty layers, and a hundred and twenty.


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
careful, residuals = ends["plain, careful weights"], ends["residual"]
lesson_05b.depth_figure(ends, "Two cures at forty layers, neither of them sure at 120")

# %% [markdown]
# **What we saw.** A mark is a seed; the dotted line is ln 2, where nothing is learned. Plain layers with default
# weights stay there. <!-- holds: min(min(each) for each in ends["plain"].values()) > 0.66 -->
# With forty layers careful weights learn in every seed, too: <!-- holds: max(careful[40]) < 0.4 -->
# the shortcut is *a* cure, and not the only one. With a hundred and twenty the seeds of careful weights end anywhere
# from {= min(careful[120]) : .2f =} to {= max(careful[120]) : .2f =}, those of shortcuts from
# {= min(residuals[120]) : .2f =} to {= max(residuals[120]) : .2f =}: three seeds of a toy decide nothing between them.
# <!-- holds: max(careful[120]) - min(careful[120]) > 0.1 and max(residuals[120]) - min(residuals[120]) > 0.1 -->
#
# The reason for shortcuts is what He et al. found in networks of ordinary size. Plain ones got *worse* with more
# layers, on their training data too, in spite of careful weights and batch normalisation.
#
# ## 3 · One block of the real network
#
# *Inception* means that several convolutions of different reach stand side by side, and *Resnet* is the shortcut.
#
# ### Your turn · One residual block
#
# *6 min, difficulty 1 of 3.* `x` is (B, C, H, W). Each of the `branches` takes it and gives (B, some channels, H, W).
# Join what they give along the channels, let `mix` bring them back to C channels, multiply by `scale`, add `x` itself,
# and cut off below zero. With a `scale` of 0, what comes out is relu(*x*).


# %%
def residual(x: torch.Tensor, branches: list, mix: nn.Module, scale: float) -> torch.Tensor:
    """What a residual block makes of x; (B, C, H, W) to (B, C, H, W)."""
    # your code here


course.check(lesson_05b.RESIDUAL, residual)
residual = course.yours(lesson_05b.RESIDUAL, residual)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def residual(x, branches, mix, scale):
#     side_by_side = torch.cat([branch(x) for branch in branches], dim=1)
#     return torch.relu(x + scale * mix(side_by_side))
# ```
#
# </details>

# %% tags=["nbval-check-output"]
import pandas as pd

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.faces.quality import filter_blurred
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing


def fresh() -> Detector:
    """A small InceptionResnetV1 with random weights, always the same ones."""
    torch.manual_seed(0)
    config = DetectorConfig(pretrained=None, dropout=0.0, preprocessing=Preprocessing(size=96))
    return Detector(config).train()


network = fresh().eval()
block = network.backbone.repeat_1[0]
x = torch.randn(1, 256, 17, 17, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    by_hand = residual(x, [block.branch0, block.branch1, block.branch2], block.conv2d, block.scale)
    print("residual(…) = the network's own block:", torch.allclose(by_hand, block(x), atol=1e-5))
groups = {name: getattr(network.backbone, name) for name in ("repeat_1", "repeat_2", "repeat_3")}
print("blocks and their scale:", {name: (len(group), group[0].scale) for name, group in groups.items()})
print(sum(isinstance(module, nn.Conv2d) for module in network.modules()), "convolutions")

# %% [markdown]
# Now we cut the shortcuts out of the real network: *relu(scale · f(x))* is left of each block. It has batch
# normalisation everywhere, which rescales whatever passes.

# %%
guess_cut = course.predict(
    "Without shortcuts, what does the gradient of the first layer do?",
    options=["vanish", "stay as it is", "explode"],
)

# %%
faces = course.faces_table()
one_a_clip = filter_blurred(faces.query("split == 'train'")).drop_duplicates(["method", "clip_id"])
batch = one_a_clip.groupby("label").sample(8, random_state=0)  # 8 real, 8 fake, 16 clips
images = torch.stack([Preprocessing(size=96).apply(read_crop(file)) for file in batch["file"]])
labels = torch.tensor(batch["label"].to_numpy(), dtype=torch.float32)


def gradient_by_stage(detector: Detector) -> dict[str, float]:
    """The gradient of the first weights of each stage: its length, from the last stage to the first."""
    start = torch.Generator().manual_seed(0)
    nn.init.normal_(detector.classifier.weight, std=0.01, generator=start)  # zero would pass nothing
    F.binary_cross_entropy_with_logits(detector(images), labels).backward()
    weights = {name: next(getattr(detector.backbone, name).parameters()) for name in lesson_05b.STAGES}
    return {name: weight.grad.norm().item() for name, weight in weights.items()}


cut = fresh()
lesson_05b.cut_shortcuts(cut)
by_stage = {"with shortcuts": gradient_by_stage(fresh()), "without": gradient_by_stage(cut)}
more = by_stage["without"]["conv2d_1a"] / by_stage["with shortcuts"]["conv2d_1a"]
guess_cut.answer("explode" if more > 10 else "vanish" if more < 0.1 else "stay as it is")
lesson_05b.stages_figure(by_stage)

# %% [markdown]
# **What we saw.** From the last stage (left) to the first (right) the line without shortcuts climbs: at the first layer
# the gradient is about {= float(f"{more:.2g}") : ,.0f =} times as large as with them. <!-- holds: more > 1000 -->
# It explodes. A block of which only 0.1 *f(x)* is left has little spread. Batch normalisation divides by that spread on
# the way forward, and so multiplies the gradient on the way back, block after block.
#
# The first project looked at its gradients, too. Those of the course's run are in `steps.csv`, one column per stage,
# every ten steps:

# %%
steps = pd.read_csv(course.ensure("run") / "steps.csv")
norms = steps.filter(like="grad_norm_")
lesson_05b.gradient_figure(steps)

# %% [markdown]
# **What we saw.** The black line is the first stage, the dashed one the last; the grey band holds all stages. From step
# 50 on no stage has less than {= norms[steps["step"] >= 50].min(axis=None) : .3f =}.
# <!-- holds: norms[steps["step"] >= 50].min(axis=None) > 0.001 -->
# The error arrives in every stage. This is what "no vanishing gradients" means, and it means only that *something* can
# be learned. What was learned, lessons 07 and 08 ask.

# %% [markdown]
# ## 4 · How many faces fit on the team's card?
#
# A GTX 1070 has 8 GiB, and the team used batches of 16. Training keeps two kinds of things. *Per parameter*, four
# numbers of 4 bytes: the weight, its gradient, and AdamW's two running means. *Per crop*: the *activations*, every
# intermediate result that the backward pass needs.

# %%
guess_larger = course.predict(
    "16 crops of 160 px, 23 million parameters: what takes more memory?",
    options=["what belongs to the parameters", "the activations", "about the same (within 10 %)"],
)

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
# Two crops and four: batch normalisation cannot be trained on one.
two, four = (saved_bytes(network, torch.zeros(batch, 3, 160, 160)) for batch in (2, 4))
per_crop = (four - two) / 2
parameters = sum(p.numel() for p in network.parameters())
active, fixed = 16 * per_crop / 2**20, 16 * parameters / 2**20
print(f"activations:   {per_crop / 2**20:.0f} MiB per crop, {active:.0f} MiB for 16")
print(f"per parameter: {fixed:.0f} MiB for weights, gradients and AdamW")
near = abs(active / fixed - 1) <= 0.1
guess_larger.answer(guess_larger.options[2 if near else int(active > fixed)])

# %% [markdown]
# At sixteen, the team's batch, the two are about equal. <!-- holds: 0.8 < active / fixed < 1.25 -->
# The rest is multiplication.

# %%
guess_batch = course.predict("At which batch is a card of 8 GiB full, at 160 px?", 16, 512)

# %% [markdown]
# ### Your turn · How many crops fit?
#
# *6 min, difficulty 1 of 3.* `card` is in GiB of 2³⁰ bytes. `parameters` is the number of parameters, 16 bytes each,
# and a crop keeps `per_crop` bytes of activations. Return the largest batch that fits, a whole number, and 0 where the
# parameters alone are too much. A card of 1 GiB, no parameters and 2²⁸ bytes per crop: 4.


# %%
def largest_batch(card: float, parameters: int, per_crop: float) -> int:
    """How many crops fit beside the parameters."""
    # your code here


course.check(lesson_05b.LARGEST_BATCH, largest_batch)
largest_batch = course.yours(lesson_05b.LARGEST_BATCH, largest_batch)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def largest_batch(card, parameters, per_crop):
#     room = card * 2**30 - 16 * parameters
#     return max(0, int(room // per_crop))
# ```
#
# </details>

# %%
full = largest_batch(8, parameters, per_crop)
print(f"8 GiB hold a batch of {full}")
guess_batch.answer(full)

# %%
from torchfakes_utils.course import widgets

BATCHES = [2, 4, 8, 16, 32, 64, 128, 256, 512]
CARDS = [("GTX 1070: 8 GiB", 8.0), ("an older laptop: 4 GiB", 4.0), ("a free Colab T4: 15 GiB", 15.0)]


def on_the_card(size: int = 160, card: float = 8.0):
    return lesson_05b.memory_bars(BATCHES, per_crop, parameters, size, card)


widgets.explore(on_the_card, labels={"size": "crops, px"}, size=(96, 480, 32, 160), card=CARDS)

# %% [markdown]
# Each bar is a batch: grey what the parameters need, green the activations, hatched what does not fit below the dashed
# line. Move the size: activations grow with its square.
#
# **What we saw.** This is **an estimate and not a measurement**. A real card also holds CUDA's own code, workspaces and
# gaps, so a real batch is smaller. Even so the team's sixteen was far below the limit of about {= full =}.
# <!-- holds: full > 100 -->
# With crops of 320 px it is {= largest_batch(8, parameters, 4 * per_crop) =}. Large pictures fill the card quickly;
# small face crops do not.
#
# **Break it.** How does one fill 8 GiB with small crops? Validate without telling PyTorch that no gradient will be
# asked for, and collect the logits in a list. Each logit keeps alive everything that it was computed from.

# %%
two_crops = torch.zeros(2, 3, 160, 160)
network.eval()
kept = saved_bytes(network, two_crops) / 2
with torch.inference_mode():
    nothing = saved_bytes(network, two_crops)
print(f"kept per crop: {kept / 2**20:.0f} MiB; inside torch.inference_mode(): {nothing} bytes")
print(f"5,000 crops would want {5000 * kept / 2**30:,.0f} GiB")

# %% [markdown]
# **What we saw.** In evaluation mode a crop still keeps {= kept / 2**20 : .0f =} MiB, and the card is full after
# {= 8 * 2**30 / kept : ,.0f =} crops. `eval()` changes how batch norm and dropout behave. It does *not* stop PyTorch
# from saving. <!-- holds: kept > 2**20 and nothing == 0 -->
# Two switches: `eval()` for right answers, `inference_mode()` for memory.

# %% [markdown]
# ## Open challenge
#
# Set `scale` in section 2 to `1 / depth`, and to `1 / depth**0.5`. Which of them, if any, learns the puzzle with 400
# layers? You got somewhere if you can say what happens to the spread of *x* on its way through the stack, and if three
# other seeds agree.

# %% [markdown]
# ## Quiz

# %%
course.quiz("05b")

# %% [markdown]
# ## Misconceptions
#
# - **"Deep networks need shortcuts to get any gradient."** Careful weights, or batch normalisation, pass one too.
# - **"A gradient in every layer means that the network learns the right thing."** It means that it can learn something.
# - **"The weights fill the card."** At sixteen crops activations take as much, and they grow with the batch.
# - **"`eval()` saves memory."** `inference_mode()` does.
#
# ## Recap
#
# - Without care the gradient shrinks by a factor in each layer, and forty factors leave nothing.
# - A residual block adds to its input, so that the error has a way back on which nobody multiplies it.
# - Memory is 16 bytes per parameter, and activations that grow with the batch and the square of the crop's side.
# - Validate inside `inference_mode()`.
#
# **What this would have told the team.** Neither the depth nor the card explains *Real*: shortcuts carry the error to
# the first layer, and a batch of 16 needs about {= (active + fixed) / 1024 : .1f =} GiB of the card's 8.
#
# ## Next
#
# [06 · Is it good?](06_is_it_good.ipynb): what an AUC is, which threshold to take and for whom, and how sure we may be
# with so few clips.
#
# <details><summary>For whoever teaches this</summary>
#
# - **On the board:** a chain of forty factors. 0.36 each, and what is left after forty; 1.0 each; 1.1 each. Then a
#   block with its shortcut, and the two ways that the error can take back.
# - **Where the room stops:** at the exploding gradient. Let them divide by a small spread twice, with numbers.
# - **If ten minutes are missing:** skip section 2, and the run's own gradients.
#
# </details>
#
# ## Sources
#
# - K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. CVPR 2016. The same: Delving Deep
#   into Rectifiers. ICCV 2015.
# - C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: Inception-v4, Inception-ResNet and the Impact of Residual Connections.
#   AAAI 2017.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. Schoenholz: A Mean Field Theory of Batch Normalization. ICLR
#   2019.
# - I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization (AdamW). ICLR 2019.
# - InceptionResnetV1: [facenet-pytorch](https://github.com/timesler/facenet-pytorch), by T. Esler.
