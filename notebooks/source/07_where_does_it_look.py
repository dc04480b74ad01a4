# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run, control]
# ---

# %% [markdown]
# # 07 · Where does it look?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/07_where_does_it_look.ipynb)
#
# **Build Grad-CAM from two hooks, and then make it prove itself: against networks that have learned nothing, against
# five landmarks, against the mask of the forgery, and against taking the hot place away.**
#
# - **You will be able to** compute a heat map from activations and gradients, choose a layer and a method and say what
#   the choice hides, test a map against networks that know nothing, measure attention by face region with intervals
#   by person, and compare a map with the place that was really edited.
# - **You need** lessons 05 and 06; or, what a convolution's channels are, and why intervals draw people, not crops.
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

from torchfakes_utils.course import lesson_07
from torchfakes_utils.explanation import heat_maps
from torchfakes_utils.models.detector import load_detector

model = load_detector(course.ensure("run"))
faces = course.faces_table("test")
shown = lesson_07.varied_pairs(faces, 5)  # five people, each real and forged in the same frame
n = len(shown) // 2  # the fake of row k is n rows further down
photos = [plots.face(file) for file in shown["file"]]
truth = np.array(plots.NAMES)[shown["label"]]
maps = heat_maps.of_faces(model, shown, truth)
titles = list(np.where(truth == "real", "real", shown["method"]))
overlays = [heat_maps.overlay(*pair) for pair in zip(photos, maps, strict=True)]
plots.images(overlays, titles, 5, "What spoke for the truth, says Grad-CAM", list(shown["label"]))

# %% [markdown]
# When the team at last had a model that worked, they drew pictures like these, looked at some dozens, and wrote into
# their report: on *real* faces the network looks at **chin and mouth**, on *fake* ones at **nose and mouth**. It is a
# fair thing to notice. Is it a finding? In this lesson you learn how such a picture is made, and then what it takes
# to believe one.

# %% [markdown]
# ## How do you ask a network where it looked?
#
# A convolutional layer turns the crop into a stack of small pictures, its *channels*: each one is bright where the
# layer found what that channel stands for. Two questions make a heat map of them:
#
# 1. What did each channel see, and where? That is the **activation** $A_k$, on the way forward.
# 2. If this channel grew a little, would the logit rise or fall? That is the **gradient** of the logit, on the way
#    back.
#
# Grad-CAM averages the gradient over all places into one weight a channel, adds the channels up with these weights,
# and keeps what is positive:
#
# $$\alpha_k = \frac{1}{Z}\sum_{i,j}\frac{\partial y}{\partial A_k^{ij}},
# \qquad \text{map} = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# > **Predict first.** The layer `repeat_2` has 896 channels. How large do you think its small pictures are, for a
# > crop of 160 pixels?
#
# PyTorch lets you listen at any layer with a **hook**: a function that is called whenever data passes.

# %%
import torch

from torchfakes_utils.crops.table import read_crop

crops = torch.stack([read_crop(file) for file in shown["file"]])  # (10, 3, 160, 160) uint8
surest = n + int(model.probability(crops)[n:].argmax())  # the fake of which it is most sure
image = model.preprocessing.apply(crops[[surest]])  # (1, 3, S, S)

kept = {}
layer = model.feature_layers["repeat_2"]
forward = layer.register_forward_hook(lambda layer, inputs, output: kept.update(activation=output))
backward = layer.register_full_backward_hook(lambda layer, into, out: kept.update(gradient=out[0]))
model(image).sum().backward()  # there, past the first hook, and back, past the second
forward.remove(), backward.remove(), model.zero_grad()

activation, gradient = kept["activation"][0].detach(), kept["gradient"][0]
weights = gradient.mean(dim=(1, 2))  # one number a channel
small = torch.relu((weights[:, None, None] * activation).sum(dim=0)).numpy()
print("activation and gradient:", tuple(activation.shape), " map:", small.shape)

# %% [markdown]
# That is all of Grad-CAM. Here are its parts: the two channels that added most to the logit, the sum of all channels
# as it is, and the sum enlarged to the crop.

# %%
import cv2

added = (weights[:, None, None] * activation).sum(dim=(1, 2))
first, second = torch.argsort(added, descending=True)[:2].tolist()
large = cv2.resize(small, image.shape[:1:-1], interpolation=cv2.INTER_LINEAR)
by_hand = (large - large.min()) / (large.max() - large.min())  # coldest place 0, hottest 1
parts = [activation[first].numpy(), activation[second].numpy(), small]
pictures = [photos[surest], *(np.uint8(255 * part / part.max()) for part in parts)]
pictures.append(heat_maps.overlay(photos[surest], by_hand))
names = ["the crop", f"channel {first}", f"channel {second}", "weighted sum of all", "enlarged"]
plots.images(pictures, names, title="A heat map is a weighted sum of small pictures, enlarged")

# %% [markdown]
# Now properly. `heat_maps.grad_cam` goes through the library `pytorch-grad-cam`, in batches, on a frozen network, for
# any layer. (It also starts the way back at the layer instead of at the crop, which makes it several times as fast as
# a call for every crop.) It has to give the same.

# %% tags=["nbval-check-output"]
library = heat_maps.grad_cam(model, image, layer="repeat_2", target="fake")[0]
print("same shape:", library.shape == by_hand.shape)
print("the same to three digits:", np.allclose(library, by_hand, atol=1e-3))

# %% [markdown]
# **What we saw.** Two hooks and three lines of arithmetic, and nothing in them knows what a face is. Mind what the
# last step does: every map is stretched to its own range, so that its hottest place is 1, *however little* it
# mattered. Two maps can be compared in where, never in how much. And the smooth glow is our doing: the layer gave a
# handful of squares.

# %% [markdown]
# ## Which layer should you ask?
#
# Deeper layers know more and see less sharply. The original paper takes the last convolution. In the networks of that
# paper it still has 14 by 14 or 7 by 7 places.
#
# > **Predict first.** How many places does `block8`, the last block of InceptionResnetV1, have at 160 pixels?

# %% tags=["nbval-check-output"]
sizes = {}
for name, layer in model.feature_layers.items():
    sizes[name] = []
    keep = sizes[name].append
    hook = layer.register_forward_hook(lambda layer, inputs, output, keep=keep: keep(output.shape[1:]))
    with torch.no_grad():
        for size in (128, 160, 224):
            model(torch.zeros(1, 3, size, size))
    hook.remove()
print("layer        channels   at 128 px   at 160 px   at 224 px   one place, at 160 px")
for name, shapes in sizes.items():
    grids = "".join(f"{f'{rows} × {columns}':>12}" for _, rows, columns in shapes)
    print(f"{name:12s}{shapes[0][0]:9d}{grids}{160 / shapes[1][1]:14.0f} px")

# %%
names = ["conv2d_4b", "repeat_1", "repeat_2", "repeat_3", "block8"]
one = shown.iloc[[surest]]
by_layer = [heat_maps.of_faces(model, one, "fake", name)[0] for name in names]
pictures = [heat_maps.overlay(photos[surest], heat) for heat in by_layer]
plots.images(pictures, names, title="Same network, same face, same answer: only the layer differs")

# %% [markdown]
# The method is a choice, too. **Grad-CAM++** counts only gradients that speak *for* the answer, and more where a
# channel is active in few places. **LayerCAM** weighs every place by its own gradient instead of the channel's mean,
# which makes shallow layers sharp.

# %%
by_method = [heat_maps.of_faces(model, one, "fake", layer, method)[0]
             for layer in ("repeat_1", "repeat_2") for method in heat_maps.METHODS]  # fmt: skip
pictures = [heat_maps.overlay(photos[surest], heat) for heat in by_method]
names = [f"{method}\nat {layer}" for layer in ("repeat_1", "repeat_2") for method in heat_maps.METHODS]
plots.images(pictures, names, 3, "Same network, same face, same answer: three methods at two layers")

# %% [markdown]
# Look for yourself: another face, another layer, another method, another target.

# %%
from torchfakes_utils.course import widgets


def draw(face: int, layer: str, method: str, target: str):
    return lesson_07.heat_map_figure(model, shown, face, layer, method, target)


widgets.explore(
    draw, face=(0, len(shown) - 1, 1, surest), layer=["repeat_2", *sizes], method=list(heat_maps.METHODS),
    target=["fake", "real"],
)  # fmt: skip

# %% [markdown]
# **What we saw.** At 160 px `block8` has nine places in all: it can say "upper left", not "left eye". The shallow
# layers are fine, but know edges rather than faces. `repeat_2` is the compromise that this package takes by default;
# one of its places is still about as wide as an eye. Nothing tells you which layer and which method are right, and
# the picture changes with the choice. **Whoever shows one map has made that choice for you.**

# %% [markdown]
# ## Does it look where the fake is?
#
# FaceForensics++ comes with masks: for every fake, a second video that is white where the frame was edited. So does
# Mini-FF++; `faceforensics.mask_path` says where it lies. A crop's row in `faces.csv` keeps the square that was cut
# out of the frame, `x1` to `y2`, and the same square cut out of the mask fits the crop.
#
# > **Predict first.** For which of the four methods should the heat lie lowest in the face?

# %%
from torchfakes_utils.explanation.mask_agreement import crop_mask

data = course.paths().data
pictures, names = [], []
for k in range(min(n, 4)):  # one row a method
    mask = crop_mask(shown.iloc[n + k], data)
    fake = photos[n + k]
    edit = fake if mask is None else lesson_07.outline(fake, mask)
    pictures += [photos[k], overlays[k], fake, edit, overlays[n + k]]
    names += ["real", "spoke for “real”", shown["method"][n + k], "the edit", "spoke for “fake”"]
plots.images(pictures, names, 5, "The same frame, real and forged; where it was edited, and where the heat is")

# %% [markdown]
# **What we saw.** The edit itself lies lowest in NeuralTextures, which works on the mouth. The heat does not follow it
# down: it lies at the temple and beside the face. In none of the four fakes does most of it lie inside the outline, the
# FaceSwap included, which you would spot yourself. Now go through the rows and tell each one's story. Most people find
# one for every row. That is the trouble: *inside* confirms that the network found the forgery, *border* that it found
# the seam, *outside* that it uses context. A picture that fits every story tests none. Four tests follow.

# %% [markdown]
# ## Would a network that knows nothing look different?
#
# Here is the simplest of them (Adebayo et al., 2018). Take a network of the same architecture with **random
# weights**: it has never seen a face. Draw its maps too, of what spoke for its own answer.
#
# > **Predict first.** What will the random network's maps look like: grey noise? nothing at all? Then look at the two
# > rows below, and say which row is the trained network's.

# %%
from torchfakes_utils.explanation.sanity_checks import untrained

unknowing = untrained(model, seed=0)
chances = {"trained": model.probability(crops), "untrained": unknowing.probability(crops)}
random_maps = heat_maps.of_faces(unknowing, shown, "own")

rows = [("trained", maps), ("untrained", random_maps)]
np.random.default_rng(7).shuffle(rows)
pictures = [heat_maps.overlay(photos[i], row[i]) for _, row in rows for i in range(n, 2 * n)]
names = [f"row {letter}" for letter in "AB" for _ in range(n)]
plots.images(pictures, names, n, "One of these rows was drawn by a network that knows nothing")

# %% [markdown]
# Decide, and then run the next cell.

# %%
for letter, (name, _) in zip("AB", rows, strict=True):
    low, high = chances[name].min(), chances[name].max()
    print(f"row {letter}: {name:9s}  P(fake) of the ten faces from {low:.3f} to {high:.3f}")

# %% [markdown]
# **What we saw.** The untrained network gives every face the same answer, next to a coin's: it knows nothing and has
# nothing to explain. Its maps glow all the same, on the badge of a cap here and over a face there, because random
# convolutions answer to contrast too, and because the stretch makes the hottest place bright whatever it is. Had you
# met that row alone, in a report, would you have doubted it? **That a map looks plausible is no evidence that the
# network has learned anything.** What counts is how it *differs* from the map of a network that has not. So from here
# on networks that know nothing come along as controls: three with random weights, and one that was *trained*, but on
# random labels. It has seen as many faces as the real one, and there was nothing to learn.

# %%
control = load_detector(course.ensure("control"))
low, high = control.probability(crops).min(), control.probability(crops).max()
print(f"trained on random labels: P(fake) of the ten faces from {low:.3f} to {high:.3f}")

# %% [markdown]
# ## How much of the map is the network's?
#
# Do not replace all weights at once. Begin at the answer and go down, stage by stage, and compare each map with the
# trained network's: the rank correlation of their places is 1 if they are hot in the same order.
#
# > **Predict first.** With a random *last layer* the network's answers are worthless. How far will the correlation
# > have fallen?

# %%
from torchfakes_utils.explanation.explain import choose
from torchfakes_utils.explanation.regions import clip_names
from torchfakes_utils.explanation.sanity_checks import Question, cascading_randomisation, detector_similarity

some = choose(faces, 24)  # one crop a clip, real ones and all four methods
inputs = torch.stack([model.preprocessing.apply(read_crop(file)) for file in some["file"]])
asked = {method: Question(inputs, [plots.NAMES[label] for label in some["label"]], clip_names(some), method=method)
         for method in ("grad-cam", "layer-cam")}  # fmt: skip
randomised = {method: cascading_randomisation(model, question) for method, question in asked.items()}
lesson_07.randomisation_figure(randomised, "Weights become noise from the answer down; when does the map notice?")

# %%
table = randomised["grad-cam"].set_index("changed")
for stage in (table.index[1], table.index[-1]):
    row = table.loc[stage]
    print(f"random weights in {stage:15s} rank correlation {row['rank_correlation']:+.2f} "
          f"(95 %: {row['low']:+.2f} to {row['high']:+.2f}), {row['dark']:.0%} of the maps dark")  # fmt: skip
row = detector_similarity(model, control, asked["grad-cam"], "random labels").iloc[0]
print(f"trained on random labels: {row['rank_correlation']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})")

# %% [markdown]
# **What we saw.** Grad-CAM notices at once. Its way back begins at the head; with a random one half of the maps are
# dark, and the rest lean to the opposite (a random head may take a channel that spoke for the answer for one that
# speaks against it), although all layers below are as they were. Further down nothing is left of the likeness. Nor is
# the network of random labels hot in the same places. LayerCAM hardly notices: it keeps most of its likeness down to
# the right end, where *nothing* of the trained network is left. That part was never the network's. It is the picture's
# own edges. So the sharper and prettier map tells you less about the network, and a gallery of such maps would hardly
# show the difference between one that works and one that was never trained.
#
# Two cautions. Dark maps are left out, and at the right end most of Grad-CAM's are dark: its last point stands on a
# few. And the noise is a single draw, while the band knows only about clips. Try
# `cascading_randomisation(model, asked["grad-cam"], seed=1)`: does a random head still cost as much?

# %% [markdown]
# ## Chin and mouth, nose and mouth?
#
# Now the team's claim. To count, we need regions. MTCNN gave five points for each face (lesson 02); from these we lay
# out forehead, eyes, nose, cheeks, mouth and chin, which turn and stretch with the face. The rest is *outside*.
# (Cheeks were not in the claim. Without them, the nose would swallow their heat.)

# %%
from torchfakes_utils.explanation.regions import REGIONS, face_regions, landmarks_of

regions = [face_regions(landmarks_of(text)) for text in shown["landmarks"]]
pictures = [lesson_07.paint_regions(photos[i], regions[i]) for i in range(n)]
plots.images(pictures, title="Six regions from five landmarks; the rest is outside")

# %% [markdown]
# > **Predict first.** Suppose the heat were spread evenly over the crop. Which region would get most of it?

# %% tags=["nbval-check-output"]
eyes, nose, mouth = [(60, 60), (100, 60)], [(80, 85)], [(63, 105), (97, 105)]  # a face made up
made_up = face_regions(np.array(eyes + nose + mouth, float))
for index, region in enumerate(REGIONS):
    print(f"{region:9s}{(made_up == index).mean():4.0%} of the crop")

# %% [markdown]
# A large region gets much heat for being large, and most of a crop is no face at all. So the number to look at is the
# *share of heat over the share of area*: 1 is what an even glow gives, 2 is twice that. By hand, for one fake:

# %%
heat, region_of = maps[surest], regions[surest]
for index, region in enumerate(REGIONS):
    inside = region_of == index
    share_of_heat, share_of_area = heat[inside].sum() / heat.sum(), inside.mean()
    ratio = share_of_heat / share_of_area
    print(f"{region:9s}{share_of_heat:5.0%} of the heat on {share_of_area:4.0%} of the area: {ratio:.1f}")

# %% [markdown]
# One face is an anecdote. So: *all* crops of the test split, real and fake apart, with an interval from drawing
# *people*, with all their clips, again and again (lesson 06). Real crops are asked what spoke for "real", fakes what
# spoke for "fake", and networks that know nothing what spoke for their own answer. (To save your time, the controls get
# four crops a clip.)

# %%
import pandas as pd

from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.explanation.regions import region_shares, region_table

four = limit_frames(faces, 4)
heats = {"trained": (faces, heat_maps.of_faces(model, faces, [plots.NAMES[label] for label in faces["label"]]))}
unknowing_maps = [heat_maps.of_faces(untrained(model, seed), four, "own") for seed in range(3)]
heats["random weights"] = (pd.concat([four] * 3, ignore_index=True), sum(unknowing_maps, []))
heats["random labels"] = (four, heat_maps.of_faces(control, four, "own"))
tables = {name: region_table(*region_shares(found, of), of) for name, (of, found) in heats.items()}
for name, table in tables.items():
    counts = table.drop_duplicates("kind").set_index("kind")
    print(f"{name:15s}", ", ".join(f"{kind}: {counts.loc[kind, 'crops']} maps that are not dark, of "
                                    f"{counts.loc[kind, 'clips']} clips" for kind in counts.index))  # fmt: skip

# %%
panels = {}
for name, table in tables.items():
    panels[name] = []
    for kind, colour, marker in (("real", plots.REAL, "o"), ("fake", plots.FAKE, "X")):
        own = table[table["kind"] == kind]
        panels[name].append((kind, colour, marker, own[["ratio", "low", "high"]].to_numpy(float)))
lesson_07.ratio_figure(REGIONS, panels, "Favourite places: with something to learn, untrained, with nothing to learn")

# %%
texts = {name: table.set_index(["kind", "region"]).pipe(lesson_07.as_text, "ratio") for name, table in tables.items()}
pd.DataFrame(texts)

# %% [markdown]
# Now the claim, line by line, by rules fixed before looking. An interval above 1 is *more than chance*, one below 1
# *less*, and one that holds 1 *cannot tell*. And a region is the network's own finding only where its interval also
# lies above those of *both* controls.

# %%
claim = [("real", "chin"), ("real", "mouth"), ("fake", "nose"), ("fake", "mouth")]
rows = []
for kind, region in claim:
    row = {"the claim": f"{kind}: {region}"}
    for name, table in tables.items():
        own = table[(table["kind"] == kind) & (table["region"] == region)].iloc[0]
        row[name] = f"{own['ratio']:.2f} ({own['low']:.2f} to {own['high']:.2f})"
        if name == "trained":
            row["verdict"] = own["verdict"]
    rows.append(row)
print(pd.DataFrame(rows).to_string(index=False))
for kind in plots.NAMES:
    own, *controls = (table[table["kind"] == kind].set_index("region") for table in tables.values())
    above = own.index[own["low"] > 1]
    beyond = [region for region in above if all(own.loc[region, "low"] > one.loc[region, "high"] for one in controls)]
    named = (", ".join(names) or "nothing" for names in (above, beyond))
    print(f"on {kind}:", "above chance {}; beyond both controls {}".format(*named))

# %% [markdown]
# **What we saw.** First the random weights. A third of their maps is missing: in one of the three networks nothing
# spoke for its own answer, and all its maps are dark. The markers of the other two lie near 1, but in the face a little
# above it, with intervals so short that most exclude it. By the rule "more than chance", networks that know nothing
# look at faces. *Chance alone is too easy a control.* Then the harder one, the network of random labels. It learned
# nothing about forgeries, but its heat has favourite places as well, on real faces and on fakes alike: the mouth, the
# chin, cheeks and nose. Training alone can make them.
#
# Now the trained network. On real faces the claim's chin and mouth are three times as hot as chance, and it would be
# easy to stop here. But the network of random labels is hot there, too, and the intervals overlap: what passes beyond
# both controls are the eyes, which *nobody named*. On fakes, nose and mouth do not pass, and no other region does: the
# heat lies anywhere.
#
# Four cautions. The team worked on other faces, with another model: this table can neither confirm nor refute what
# they saw, it shows *how one would find out*. A nose is hardly larger than one place of this layer, so heat leaks
# from each region into its neighbours. The test clips are of few people, who are what the intervals draw: sixteen for
# the real crops, eight pairs for the fakes, and all of them warps of two portraits, about which no interval knows. And
# the trained network is one training: while this lesson was written, its recipe was changed a little and it was trained
# again, and three of these four verdicts changed. No interval in the table knows about that either.
#
# **Break it.** If the finding is about the network, another reasonable layer or method should not overturn it:

# %%
question = asked["grad-cam"]
print("the three hottest regions          real                     fake")
for layer in ("repeat_1", "repeat_2", "block8"):
    for method in heat_maps.METHODS:
        found = heat_maps.grad_cam(model, question.images, layer, question.targets, method)
        table = region_table(*region_shares(found, some), some)
        top = [table[table["kind"] == kind].nlargest(3, "ratio")["region"] for kind in plots.NAMES]
        print(f"{f'{layer}, {method}':22s}", *(f"{', '.join(names):>25s}" for names in top))

# %% [markdown]
# Read down the columns. Where a name stays, you have something: on real faces, the mouth is in every line. Where it
# moves with the layer and the method, you had a story: on fakes, no name is in all of them.

# %% [markdown]
# ## Does the heat find the forgery?
#
# Masks allow a sharper question than regions: of the heat on a fake, how much lies where it was edited? Chance is the
# mask's share of the crop, so again we divide by it. By hand, for one fake:

# %%
mask = crop_mask(shown.iloc[surest], data)
if mask is None:  # FaceForensics++ lets you download videos without their masks
    print("There is no mask of this clip on this computer.")
else:
    inside, area = heat[mask].sum() / heat.sum(), mask.mean()
    print(f"{inside:.0%} of the heat on {area:.0%} of the crop: {inside / area:.1f} times chance")

# %% [markdown]
# Three usual measures, each with a trap of its own: the **pointing game** (does the hottest place lie inside?), the
# **share of the heat** inside, and the **overlap** of the mask with the hottest fifth of the crop (intersection over
# union). And a new control, the cheapest of all: a **centre prior**, a soft blob in the middle of every crop. It has
# never seen this face, or any.
#
# > **Predict first.** The mask lies in the middle of the crop. So does the face. What will the blob score beside the
# > trained network?

# %%
from torchfakes_utils.explanation.mask_agreement import MEASURES, agreement, agreement_table, baselines, crop_masks

masks = crop_masks(faces, data).masks
measured = [agreement_table({"trained": agreement(heats["trained"][1], masks)}, faces)]
measured.append(agreement_table(baselines(masks), faces))
masks_of_four = crop_masks(four, data).masks
for name in ("random weights", "random labels"):
    of, found = heats[name]
    measured.append(agreement_table({name: agreement(found, masks_of_four * (len(of) // len(four)))}, of))
table = pd.concat(measured, ignore_index=True)
whole = table[table["method"] == "all"]
whole.assign(text=lesson_07.as_text(whole, "value")).pivot(index="map", columns="measure", values="text")

# %%
if len(whole):
    figure = lesson_07.agreement_figure(whole, list(MEASURES), "Agreement with the place that was edited")
else:
    figure = "There are no masks of these clips on this computer."
figure

# %%
energy = table[table["measure"] == "energy inside"].set_index(["method", "map"])
for method in dict.fromkeys(table["method"]):
    own, prior = energy.loc[(method, "trained")], energy.loc[(method, "centre prior")]
    print(f"{method:15s} heat inside: trained {own['value']:.2f} ({own['low']:.2f} to {own['high']:.2f}), "
          f"centre prior {prior['value']:.2f}")  # fmt: skip

# %% [markdown]
# **What we saw.** Compare the trained network with the controls before you compare it with zero. By all three measures
# it does no better than random weights: the intervals overlap, and two of the three means are lower. The network of
# random labels points into the mask far more often, and has learned nothing: its heat likes the mouth, and the mouth is
# in every mask. Most of all the trained network's heat lies inside at FaceSwap, a quarter. And look at the blob: a map
# that never saw the picture agrees with the masks better than the trained network, by all three measures, and has more
# heat inside for each of the four methods. Faces, masks and blobs are all in the middle. A paper that reports a
# pointing accuracy and no centre prior has reported where faces are.
#
# And even agreement would not be the whole truth. A network may well decide by the *seam*, half of which lies
# outside, or by comparing a face with its neck, which lies outside altogether. Heat beside the mask is no mistake by
# itself. Nor is heat inside it a proof: most of a mask is face.

# %% [markdown]
# ## Does the hot place matter to the network?
#
# The masks say where the forger was. What the *network* used, only the network can tell: take the hottest fifth of
# the crop away, fill it in from its surroundings (so that the hole itself is no signal), and see how far the logit
# for the truth falls. This is **ROAD** (Rong et al., 2022). A random map and the blob are asked the same.
#
# > **Predict first.** Whose places will cost most?

# %%
from torchfakes_utils.explanation.sanity_checks import road

removed = road(model, question)
for row in removed.itertuples():
    print(f"{row.map:13s} the logit for the truth falls by {row.fall:+.2f} (95 %: {row.low:+.2f} to {row.high:+.2f})")

# %% [markdown]
# **What we saw.** This is the first question whose answer is about the network and not about pictures. The trained
# map's interval lies above zero: its hot places matter to the answer, although the masks held so little of the heat. A
# place beside the edit can matter, too. They cost more than random places do, whose interval holds zero, but the two
# intervals overlap, and the blob's is about the same. Mind how wide they are: whether the map knows more than "the
# middle", two dozen clips do not settle, here as little as in a paper with twelve example images.

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** The heart of Grad-CAM is one line: from the gradient at a layer, (channels, height, width), to a
# weight for each channel. Write it.


# %%
def channel_weights(gradient):
    """(C, H, W) to (C,)."""
    # your code here


# %%
lesson_07.check_weights(channel_weights)

# %% [markdown]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def channel_weights(gradient):
#     return gradient.mean(axis=(1, 2))
# ```
#
# The mean over all places of a channel. With the sum the map would be the same after it is stretched to its maximum.
# With the maximum it would be another one.
#
# </details>

# %% [markdown]
# **Exercise 2.** Write the pointing game: 1 if the hottest place lies inside the mask, 0 if not, and `np.nan` for a
# map that is dark all over, for it points nowhere.


# %%
def pointing_game(heat, mask):
    """heat (H, W), mask (H, W) of bool."""
    # your code here


# %%
lesson_07.check_pointing(pointing_game)

# %% [markdown]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def pointing_game(heat, mask):
#     if heat.max() <= 0:
#         return np.nan
#     return float(mask[np.unravel_index(heat.argmax(), heat.shape)])
# ```
#
# Without the first two lines every dark map would point at the upper left corner, and count as a miss.
#
# </details>

# %% [markdown]
# **To try by yourself.** Ask the fakes what spoke for *"real"*: give other targets where `heats` is made, and draw the
# region figure again. Is it the opposite picture? Should it be? And use the seeds 3 to 9 for the untrained networks:
# does the control stay what it is?
#
# **Open challenge.** Heat is not proof; an *intervention* comes closer. Cover the mouth of every fake with a grey
# box, then the forehead with one of the same size, and see how far P(fake) falls. You got somewhere when the region
# that the maps call hottest is also the one whose loss costs most - and when you can say what a grey box itself does
# to the network.
#
# ## Misconceptions
#
# - *"A plausible map is an explanation."* A random network draws plausible maps too.
# - *"Hot means important."* Hot means: hotter than the rest of this map. Every map that is not dark has a hottest
#   place.
# - *"The map shows the manipulated pixels."* It shows where a layer's features spoke for the answer, smeared over a
#   whole place of that layer, by a network that may be wrong.
# - *"It points at the fake in most pictures."* So does a blob in the middle.
#
# ## Recap
#
# - Grad-CAM: activations forward, gradients back, one mean a channel, a weighted sum, ReLU.
# - The layer decides how fine a map is and what it is about. Say which one you took.
# - First test: networks that know nothing, all at once or stage by stage. Second: numbers by region or mask, over
#   chance, with intervals by person, with the controls and the blob. Third: take the hot place away.
# - `torchfakes explain RUN FACES.CSV` does all of it, and puts it into the report.
# - The claim about chin, nose and mouth became a table that anybody can compute again. That is worth more than its
#   outcome.
#
# ## Next
#
# [08 · Real, Real, Real](08_real_real_real.ipynb) opens the team's own case: seven sick models, one healthy, and a
# checklist that finds out which is which.
#
# ## Sources
#
# - R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based localization*, ICCV
#   2017.
# - P.-T. Jiang et al., *LayerCAM: exploring hierarchical class activation maps for localization*, IEEE Transactions
#   on Image Processing, 2021.
# - A. Chattopadhay et al., *Grad-CAM++: generalized gradient-based visual explanations for deep convolutional
#   networks*, WACV 2018.
# - J. Adebayo et al., *Sanity checks for saliency maps*, NeurIPS 2018: random weights, stage by stage; random labels.
# - J. Zhang et al., *Top-down neural attention by excitation backprop*, ECCV 2016: the pointing game.
# - Y. Rong et al., *A consistent and efficient evaluation strategy for attribution methods*, ICML 2022: ROAD.
# - A. Rössler et al., *FaceForensics++: learning to detect manipulated facial images*, ICCV 2019: the masks.
# - J. Gildenblat and contributors, *PyTorch library for CAM methods* (`grad-cam`), 2021.
