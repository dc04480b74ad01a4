# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run, export]
# ---

# %% [markdown]
# # 12 · Phone and browser
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/12_phone_and_browser.ipynb)
#
# **Take Python away from the detector, then three quarters of its bits, and check after each step that it still gives
# the answers that you measured; then let it answer in a browser with the network cable out.**
#
# - **You will be able to** say what a model is without its code, export one to ONNX and run it elsewhere, quantise a
#   layer by hand with scale and zero point, say when eight bits are enough and when they are not, and hold every
#   export against the original before anybody uses it.
# - **You need** lessons 05 and 06; or, what a convolution is, and what AUC by clip means.
# - **Time:** about 35 min to read, 60 s to run on two CPU cores.

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
import numpy as np
import torch

from torchfakes_utils.course import colab, lesson_12
from torchfakes_utils.crops.table import limit_frames, read_crop
from torchfakes_utils.models.detector import load_detector

colab.extra("export")
folder = course.ensure("export")  # the detector as ONNX files, and how they were checked
detector = load_detector(course.ensure("run"))
faces = limit_frames(course.faces_table("test"), 2)  # two crops of every test clip
crops = torch.stack([read_crop(file) for file in faces["file"]])  # (N, 3, 160, 160) uint8
eager = torch.cat([detector.logits(chunk) for chunk in crops.split(16)]).numpy()  # of each crop and its mirror image

folded = lesson_12.folded(detector)  # as it is stored in the file: batch norms worked into the convolutions
conv = folded.feature_layers["conv2d_4b"].conv.weight.detach().numpy()  # one layer's weights, (256, 192, 3, 3)
lesson_12.layer_figure(conv, bits=3)

# %% [markdown]
# The first TorchFakes project ended with a plan: the detector on a phone, with PyTorch Live. That library is archived
# today, the detector needed Python, PyTorch and 90 MB, and a face that somebody doubts should not have to travel to a
# server to be judged. This lesson carries the plan out with today's tools.
#
# The picture above is the heart of it. Each column is one channel of a layer, its grey points are the weights, and
# the red lines are all the values that they may have once they are stored in three bits. By the end of the lesson you
# will know why the right half loses so much less than the left, and at how few bits the detector falls.

# %% [markdown]
# ## What is a model without Python?
#
# `model.safetensors` holds numbers. What is done with them stands in Python files, and whoever wants an answer needs
# both, and a PyTorch that understands them. An **ONNX** file holds the numbers *and* the recipe: a list of
# operations, each naming its inputs. No loops, no classes, nothing of ours.
#
# > **Predict first.** InceptionResnetV1 has some 130 convolutions, most of them followed by a batch norm and a ReLU.
# > How many of the batch norms will be left in the file?

# %%
from collections import Counter

import onnx

model = onnx.load(folder / "detector.fp32.onnx")
counted = Counter(node.op_type for node in model.graph.node)
print("operations:", ", ".join(f"{name} {count}" for name, count in counted.most_common()))
first = model.graph.node[0]
print(f"the first one: {first.op_type} of {list(first.input)} gives {list(first.output)}")
(taken,) = model.graph.input
print("in: ", taken.name, [size.dim_param or size.dim_value for size in taken.type.tensor_type.shape.dim])
print("out:", [one.name for one in model.graph.output])

# %% [markdown]
# **What we saw.** The batch norms are gone: at test time each of them is a multiplication and an addition per
# channel, which the exporter has worked into the convolution before it. What used to be ours to remember is inside,
# too: the file takes crops as they are stored, 0 to 255, and gives P(fake) with its temperature. What it cannot do
# for its user, find the face and cut it, and say "cannot tell", is written into it as text:

# %%
import json

written = json.loads({entry.key: entry.value for entry in model.metadata_props}["torchfakes"])
print("crop: ", written["preprocessing"]["crop"][:118], "…")
decision = written["decision"]
photo = decision["photo"]
print(f"one crop: real up to {photo['real_to']:.3f}, fake from {photo['fake_from'][0]:.3f} on; answers only within:")
for name, (low, high) in decision["ranges"].items():
    print(f"  {name:11s}{low or 0:8.0f} to {'any' if high is None else f'{high:.3g}'}")

# %% [markdown]
# Now run it. `onnxruntime` is a program in C++ that knows these operations, and nothing of PyTorch. An export that
# was never compared is a rumour, so compare:

# %% tags=["nbval-check-output"]
from torchfakes_utils.export.runtimes import load_network

fp32 = load_network(folder / "detector.fp32.onnx")
apart = np.abs(fp32(crops.numpy())[:, 0] - eager).max()  # beside the logits: distances from training
print("the same logits to a thousandth:", bool(apart < 1e-3))

# %% [markdown]
# ## How do you store a number in eight bits?
#
# A weight is a real number in 32 bits. Most of them are small, and no answer hangs on the
# last digit of one, so perhaps 255 different values will do. Put a ruler with equal steps on the range:
#
# $$q = \mathrm{round}(w / s), \qquad s = \frac{\max |w|}{127}, \qquad \hat{w} = s \cdot q$$
#
# $q$ is a whole number from -127 to 127 and fits into a byte; $s$, the **scale**, is the size of one step. By hand,
# for the layer in the picture:

# %%
scale = np.abs(conv).max() / 127
whole = np.rint(conv / scale).astype(np.int8)
back = whole * scale
print(f"one step is {scale:.5f}; used: {len(np.unique(whole))} of 255 values")
print(f"largest error {np.abs(back - conv).max():.5f}, which is {np.abs(back - conv).max() / scale:.2f} of a step")
print(f"bytes: {conv.nbytes:,} before, {whole.nbytes:,} after")

# %% [markdown]
# The error is half a step at most, and the step depends on the *widest* weight. One channel with large weights makes
# the ruler coarse for all. So give each output channel a ruler of its own, which costs one number a channel:

# %%
import pandas as pd

rows = []
for bits in (8, 6, 4, 3):
    lost = []
    for axis in (None, 0):
        whole, scale = lesson_12.quantise(conv, bits, axis)
        lost.append(np.square(whole * scale - conv).mean() / np.square(conv).mean())
    rows.append({"bits": bits, "one ruler: power lost": f"{lost[0]:.3%}", "one a channel": f"{lost[1]:.3%}"})
print(pd.DataFrame(rows).to_string(index=False))

# %%
from torchfakes_utils.course import widgets

layers = {name: layer.conv.weight.detach().numpy()
          for name, layer in folded.feature_layers.items() if hasattr(layer, "conv")}  # fmt: skip


def on_a_grid(layer: str, bits: int):
    return lesson_12.layer_figure(layers[layer], bits)


widgets.explore(on_a_grid, layer=list(layers), bits=(2, 8, 1, 4))

# %% [markdown]
# **What we saw.** Each bit less doubles the step, so the power that is lost grows about fourfold. A ruler for every
# channel loses between two and three times less: nearly what one bit more would save, and it costs next to nothing. The
# batch norms are the reason. Worked into the convolutions they multiply each channel by a number of its own, and so
# make some wide and others narrow.

# %% [markdown]
# ## How few bits are too few?
#
# Errors of a weight do not matter. Errors of the *verdict* do, and between the two lie a hundred layers, in which
# errors may cancel or pile up. There is one way to find out: round all weights, and measure.
#
# > **Predict first.** At how many bits does the detector begin to fall, with one ruler a channel, and with one a
# > layer? And how much do the 24 bits between 32 and 8 cost?

# %%
plain = lesson_12.auc_by_clip(faces, eager)
curves = {}
for name, per_channel in (("a scale a channel", True), ("a scale a layer", False)):
    curves[name] = {}
    for bits in (8, 6, 5, 4, 3, 2):
        changed = lesson_12.quantised(folded, bits, per_channel)
        logits = torch.cat([changed.logits(chunk) for chunk in crops.split(16)]).numpy()
        curves[name][bits] = lesson_12.against(faces, logits, eager)
print(f"32 bits, two crops a clip: AUC by clip {plain:.3f}.")
print("With fewer bits (difference; its 95 % interval, paired by clip):")
for name, values in curves.items():
    print(name, *(f"  {bits} bits  {value}" for bits, value in values.items()), sep="\n")

# %%
lesson_12.bits_figure(curves, plain, "Most bits of a weight can go; the last ones cannot")

# %% [markdown]
# **What we saw.** Down to four bits every interval of the difference holds 0: the clips cannot tell it from nothing,
# and that five bits look *better* than eight is luck. (Where an interval has no width, no clip changed places with
# another.) At three bits both lose; with a ruler a layer beyond doubt, and with a ruler a channel so few clips cannot
# tell whether it does: that interval still holds 0. At two, of neither can be said that it still beats a coin. Eight
# bits are far from the edge *here, for these weights, in this network*. Nothing in this figure says the same of
# another. And only the weights were rounded.

# %% [markdown]
# ## What about the numbers that come on the way?
#
# A processor multiplies eight-bit numbers fast only if *both* are in eight bits: the weights, and the activations
# that they are multiplied with. But activations are not there when the file is made. Their range has to be guessed
# from some examples, before the first user comes. That is **calibration**, and it takes *validation* crops: the test
# crops are for the examination.
#
# After a ReLU nothing is negative, so a range that is symmetric round 0 would waste half its values. Instead the
# range may lie anywhere, and a whole number, the **zero point** $z$, says where 0 is:
#
# $$q = \mathrm{round}(x / s) + z, \qquad s = \frac{\mathrm{high} - \mathrm{low}}{255}, \qquad \hat{x} = s \cdot (q -
# z)$$
#
# > **Predict first.** A few activations are large: the largest is two or three times the one that only one in a
# > thousand exceeds. Should the range hold them all?

# %%
validation = course.faces_table("val")
some = torch.stack([read_crop(file) for file in validation["file"].iloc[::12]])
seen = []
layer = detector.feature_layers["repeat_1"]
hook = layer.register_forward_hook(lambda layer, inputs, output: seen.append(output.numpy()))
with torch.inference_mode():
    detector(detector.preprocessing.apply(some))
hook.remove()
activation = np.concatenate([one.ravel() for one in seen])


def covered(percent: float):
    return lesson_12.range_figure(activation, *np.percentile(activation, [100 - percent, percent]))


widgets.explore(covered, percent=(95.0, 100.0, 0.1, 99.9))

# %%
whole_range = (activation.min(), activation.max())
lesson_12.range_figure(activation, *whole_range)

# %% [markdown]
# **What we saw.** Here the answer is to hold it. Cutting off one activation in a thousand loses more power than the
# coarser steps of the whole range do, for the large values are the ones that carry it. That may turn round: were one
# of them a hundred times as large, the steps would be too coarse for all others. There is no formula, there is only
# trying on validation crops. This package keeps the whole range that it saw there, of the crops *and of copies with
# more contrast*, because people who were not in the calibration went beyond the range of those who were. (The trials,
# with their numbers, are written down in `export/graph.py`, at `calibration_set`.)

# %% [markdown]
# ## Is the eight-bit network still the detector that you measured?
#
# `torchfakes export RUN --format onnx` makes both files, runs both over the *test* crops, and refuses the eight-bit
# one if its AUC is more than half a point below the original's. Do not take its word:

# %%
int8 = load_network(folder / "detector.int8.onnx")
logits = int8(crops.numpy())[:, 0]
before, after = (detector.decision.probability(values) for values in (eager, logits))
threshold = detector.decision.threshold
turned = (before >= threshold) != (after >= threshold)
print(f"AUC by clip: {plain:.3f} before, {lesson_12.against(faces, logits, eager)} after")
print(f"logits differ by {np.abs(logits - eager).mean():.2f} on average, {np.abs(logits - eager).max():.2f} at most")
print(f"{turned.sum()} of {len(turned)} crops lie on the other side of the threshold")
lesson_12.shift_figure(before, after, faces["label"], threshold, "Eight bits beside thirty-two, crop by crop")

# %% [markdown]
# **What we saw.** Crop by crop the two networks nearly agree, and so do their AUCs. (The export's own check goes by
# the AUC by crop, of *all* test crops.) But AUC would not notice a shift: it asks for the order only. A verdict asks
# on which side of the threshold a crop lies, so those near it are the ones to count, as the last line above does.
# Where verdicts turn, temperature and threshold have to be fixed again, on validation, with the quantised network.
#
# **Break it.** Here is the same recipe with one mistake: calibrated on crops of grey noise instead of faces.

# %%
import tempfile
from pathlib import Path

from torchfakes_utils.export.onnx_format import quantise

noise = np.random.default_rng(0).normal(128, 3, (32, *crops.shape[1:])).clip(0, 255).astype(np.uint8)
with tempfile.TemporaryDirectory() as scratch:
    broken = load_network(quantise(folder / "detector.fp32.onnx", noise, Path(scratch) / "broken.onnx"))
    wrong = broken(crops.numpy())[:, 0]
print(f"calibrated on faces: AUC by clip {lesson_12.against(faces, logits, eager)}")
print(f"calibrated on noise: AUC by clip {lesson_12.against(faces, wrong, eager)}; "
      f"logits from {wrong.min():.2f} to {wrong.max():.2f}, before {eager.min():.2f} to {eager.max():.2f}")  # fmt: skip

# %% [markdown]
# Nothing failed, and no message told. *int8 is always fine* is true only as long as nobody looks.

# %% [markdown]
# ## What was it for?
#
# Size and speed. Measured side by side, one crop at a time, in turns, so that whatever else this computer does slows
# all of them alike:

# %%
one = crops[:1]
ways = {
    "PyTorch": lambda: detector.logits(one),
    "ONNX Runtime, 32 bits": lambda: fp32(one.numpy()),
    "ONNX Runtime, 8 bits": lambda: int8(one.numpy()),
}
seconds = lesson_12.in_turns(ways, rounds=15)
weights = course.paths().run / "best" / "model.safetensors"
for path in (weights, folder / "detector.fp32.onnx", folder / "detector.int8.onnx"):
    print(f"{path.name:20s}{path.stat().st_size / 1e6:6.1f} MB")
print(f"8 bits against PyTorch: {seconds['PyTorch'] / seconds['ONNX Runtime, 8 bits']:.1f} times as fast")
milliseconds = {name: 1000 * value for name, value in seconds.items()}
lesson_12.bars_figure(milliseconds, "ms", "Time for one crop on this computer")

# %% [markdown]
# Part of the gain comes before the first bit is lost: a program that knows the whole list of operations beforehand
# does neighbouring ones together and lays the numbers out as the processor likes them. How much eight bits add
# depends on the processor; recent ones have an instruction for just this.

# %% [markdown]
# ## Does it answer with the cable out?
#
# The whole way from a photo to a verdict is: find the face, cut it, judge it, decide. The face detector is three
# small networks (lesson 02), exported like the detector. What lies between them, pyramids, boxes, overlaps, the cut,
# is arithmetic: `mtcnn_numpy.py` has it in numpy, and the page has it in JavaScript.
#
#     torchfakes export RUN --format web        # a folder
#     python -m http.server --directory RUN/export/web
#
# The folder holds the page, the networks and onnxruntime for browsers, and needs no other server, no account and no
# connection: once it has been opened it works with the cable out. The photo never leaves the device, because there is
# nowhere for it to go.
#
# ![The page in a browser, with a photo judged](../docs/pictures/web.jpg)
#
# Tests open it in a real browser, forbid every request to anywhere else, compare its P(fake) with Python's, and then
# take the network away.
#
# On a phone, the successor of PyTorch Live is **ExecuTorch**. `torchfakes export RUN --format executorch` writes
# `.pte` files, for XNNPACK, which both Android and iOS run. [docs/phone.md](../docs/phone.md) has the recipe for
# both. Where the runtime is installed, you can run them here (lines about `cpuinfo` are its own, and harmless):

# %%
import importlib.util

if importlib.util.find_spec("executorch") is None:
    print("ExecuTorch is not installed here: pip install '.[phone]' in the project's folder")
else:
    from torchfakes_utils.export.executorch_format import ExecutorchRuntime

    with tempfile.TemporaryDirectory() as scratch:
        program = ExecutorchRuntime().export_detector(detector, Path(scratch) / "detector.fp32.pte")
        apart = np.abs(load_network(program)(crops[:8].numpy())[:, 0] - eager[:8]).max()
        megabytes = program.stat().st_size / 1e6
    print(f"{megabytes:.1f} MB; logits differ from PyTorch's by {apart:.1e} at most")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Symmetric quantisation to eight bits: from weights to whole numbers from -127 to 127, and the scale.


# %%
def symmetric(weights):
    """weights (N,); gives whole numbers (N,) and the scale."""
    # your code here


# %%
lesson_12.check_symmetric(symmetric)

# %% [markdown]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def symmetric(weights):
#     scale = np.abs(weights).max() / 127
#     return np.rint(weights / scale), scale
# ```
#
# -128 stays unused, so that every weight has its negative.
#
# </details>

# %% [markdown]
# **Exercise 2.** Scale and zero point for activations: the whole numbers from 0 to 255 shall cover `low` to `high`,
# and 0 shall be one of them exactly.


# %%
def zero_point(low, high):
    """low <= 0 <= high; gives the scale, and the whole number that stands for 0."""
    # your code here


# %%
lesson_12.check_zero_point(zero_point)

# %% [markdown]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def zero_point(low, high):
#     scale = (high - low) / 255
#     return scale, round(-low / scale)
# ```
#
# Images are padded with zeros, and a ReLU makes more of them. A zero that is a little off would be a grey frame round
# every layer's input.
#
# </details>

# %% [markdown]
# **Exercise 3, on paper.** Your eight-bit detector has an AUC of 0.3 points less, and 4 % of the crops have another
# verdict. The app's users see verdicts. Do you ship it? Which number would you have to see before, and on which split
# do you compute it?
#
# **Open challenge.** Make the four-bit network as good as the eight-bit one, by any means that touch neither the test
# split nor the training: other rulers (by groups of weights?), another rounding than to the nearest, leaving some
# layers alone. You got somewhere when a network with less than half the bytes keeps its AUC by clip within a point.
#
# ## Misconceptions
#
# - *"int8 is always fine."* It is fine where somebody measured it, on this network, with this calibration.
# - *"AUC is the same, so the verdicts are."* AUC does not know where the threshold is.
# - *"Quantising the weights is enough to be fast."* It makes the file small. Fast needs the activations, too, and a
#   processor that knows how.
# - *"The model is the file."* Without the cut, the colours' order, the temperature and the threshold, the file is a
#   function of 76,800 numbers to one.
#
# ## Recap
#
# - ONNX: operations and numbers in one file; batch norms are folded; run by a program that knows no PyTorch.
# - Scale, zero point, a ruler a channel; weights by their own range, activations by calibration on validation.
# - Every export is checked against the original: logits, AUC on test, verdicts, size, time; what fails is refused.
# - With the face detector exported too, nothing of the way needs Python: a page or a phone does it all, and the photo
#   stays where it is.
#
# ## Next
#
# [13 · Listen](../README.md#the-lessons) will be about sound: what a vocoder forgets.
#
# ## Sources
#
# - B. Jacob et al., *Quantization and training of neural networks for efficient integer-arithmetic-only inference*,
#   CVPR 2018: scale and zero point.
# - R. Krishnamoorthi, *Quantizing deep convolutional networks for efficient inference: a whitepaper*, 2018: a scale
#   for every channel.
# - M. Nagel et al., *A white paper on neural network quantization*, 2021: ranges, and how to debug.
# - ONNX, *Open neural network exchange*, onnx.ai; ONNX Runtime, onnxruntime.ai; ExecuTorch, the PyTorch Foundation.
# - K. Zhang et al., *Joint face detection and alignment using multitask cascaded convolutional networks*, IEEE Signal
#   Processing Letters, 2016.
