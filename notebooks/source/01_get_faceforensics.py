# ---
# jupyter:
#   torchfakes:
#     needs: [mini]
# ---

# %% [markdown]
# # 01 · Get FaceForensics++
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/01_get_faceforensics.ipynb)
#
# **In this lesson you learn to read a data set of forgeries like a family tree: who was filmed, who lent the face,
# and who must never meet whom.**
#
# - **You will be able to** ask for FaceForensics++ and fetch the part you need, read its file names, index any part
#   of it, split it by people, and count what a wrong split gives away.
# - **You need** Python with pandas and a little NumPy. No access to anything, no GPU.
# - **Time:** about 30 min to read, 10 s to run on two CPU cores.
#
# A bootcamp team with a laptop and a GTX 1070 trained a detector. It reached 96 % validation accuracy. Then they
# opened the test set and read: *Real, Real, Real*. We follow that team through the whole course, and hand them in
# each lesson one tool that would have saved them. The first costs nothing and comes before any network: know whose
# face is in which file.

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
from torchfakes_utils.course import lesson_01
from torchfakes_utils.datasets import faceforensics

root = course.ensure("mini")
clips = faceforensics.index(root)
compression = clips["compression"].iloc[0]
pairs = clips.loc[clips["label"] == 1, ["target_id", "source_id"]].drop_duplicates()
target = "009" if "009" in set(pairs["target_id"]) else pairs["target_id"].iloc[0]
lesson_01.family_figure(root, clips, target, compression)

# %% [markdown]
# One frame of one clip, real, and forged four ways. Blue and solid is real, vermilion and dashed is fake, here and in
# all lessons. The white shapes are *masks*: they mark the pixels that the forger changed.
#
# Where did the faces come from, and did anybody ask? That is this lesson.

# %% [markdown]
# ## 1 · What is in FaceForensics++?
#
# FaceForensics++ (Rössler et al., ICCV 2019; "FF++" from here) is the data set on which most detectors of the field
# are trained. Its authors cut 1000 sequences out of 977 YouTube videos, each with one mostly frontal face, and forged
# every one of them by several methods. A fifth method came later, and with it a second collection, recorded with
# actors.
#
# | folder | what happens to the face | who made the clips |
# |---|---|---|
# | `Deepfakes` | **swapped**: an autoencoder trained on two people, Poisson blending in a rectangle | FF++ authors |
# | `FaceSwap` | **swapped**: the source's texture on a 3D face model, colour-corrected | FF++ authors |
# | `FaceShifter` | **swapped**: one network for all people, that also repairs occlusions | FaceShifter's, 2020 |
# | `Face2Face` | **re-enacted**: identity stays, a 3D model carries over the source's expression | FF++ authors |
# | `NeuralTextures` | **re-enacted**: a learned texture re-renders the region of the mouth | FF++ authors |
# | `DeepFakeDetection` | swapped: 3068 fakes of 363 recordings with 28 paid actors ("DFD") | Google and Jigsaw |
#
# Everything exists three times: `raw` (lossless), `c23` and `c40`. The numbers are the H.264 encoder's *constant rate
# factor*. The higher, the more it throws away: 23 looks clean, 40 looks like a film that was forwarded too often. The
# authors give these sizes: about 500 GB in raw, 10 GB in c23, 2 GB in c40; DFD adds about 1.8 TB, 25 GB and 3.4 GB.
#
# > **Predict first.** One program watches no video at all and always answers "fake". Which accuracy does it reach on
# > the 1000 real clips and their five families of fakes?

# %% tags=["nbval-check-output"]
real, fake = 1000, 5 * 1000
print(f"always fake: {fake / (real + fake):.1%} right")
print(f"files in all: {3 * (real + fake):,}")

# %% [markdown]
# **What we saw.** Five in six, without looking. On unbalanced data accuracy flatters whoever says the commoner word;
# lessons 04 and 06 come back to it. Keep the number in mind whenever a paper, or a bootcamp team, says "83 %".

# %% [markdown]
# ## 2 · How do you get it, and what do you sign?
#
# FF++ is given out for non-commercial research and teaching, and it is not ours to pass on. So:
#
# 1. Read the [repository's page](https://github.com/ondyari/FaceForensics) and the *FaceForensics Terms of Use* it
#    links.
# 2. Fill in the form (section "Access") and wait for an answer. The authors say: after a week without one, see first
#    whether your mail bounced.
# 3. The answer holds a link to a Python script. The script and its address are for you alone; do not put them into a
#    repository.
# 4. Run the script in a terminal: `python download-FaceForensics.py data/ffpp -d Deepfakes -c c23 -t videos -n 100`
#
# | option | says | trap |
# |---|---|---|
# | first argument | the folder to write to | |
# | `-d` | a folder of the table above, `original`, `DeepFakeDetection_original`, or `all` | `all` brings DFD along |
# | `-c` | `raw`, `c23`, `c40` | **the default is raw**: half a terabyte |
# | `-t` | `videos`, `masks`, `models` | no masks of `original` and of `FaceShifter` |
# | `-n` | the first *n* videos | takes pairs apart when odd (see below) |
# | `--server` | `EU`, `EU2`, `CA` | one of them often refuses, or answers 404: try the next, then another day |
#
# It can be stopped and started again: files that are there are skipped. It does not bring the split files, it ends at
# the first error, and when a server falls silent it waits for ever. So let it be driven:
#
#     ./data_download.sh ffpp --script download-FaceForensics.py --num-videos 100 --masks
#
# This runs the script for originals and the four classic methods in c23, goes to the next server where one refuses or
# stalls, checks the room on your disk first, writes the split files, opens every video at the end and names what is
# damaged. Start the same command again after a break. `--dry-run` in place of `--script …` shows what it would do.
#
# **What the key press means.** Before it downloads anything the script shows the address of the terms and waits for a
# key. In a notebook no key ever reaches it, and the cell hangs. The "solution" that forums pass round is to delete
# the line that waits. But that key is your signature: by it *you* confirm that you have agreed. Press it yourself, in
# a terminal, after reading. (`data_download.sh` asks *you*, once, and only then passes the key on. Another "solution"
# turns the check of certificates off. Do not do that either: try another server.)
#
# > **Predict first.** You ask for `-n 5` of `original` and `-n 5` of `Deepfakes`. Do you get a fake of each real
# > clip, and the real clip of each fake?

# %% tags=["nbval-check-output"]
# The script goes through a list of pairs of people, in order, whatever is asked for.
file_list = [["071", "054"], ["087", "081"], ["860", "905"]]


def first(n: int) -> tuple[list[str], list[str]]:
    """What `-n` picks from the originals and from one method's fakes."""
    originals = [person for pair in file_list for person in pair]
    fakes = [name for a, b in file_list for name in (f"{a}_{b}", f"{b}_{a}")]
    return originals[:n], fakes[:n]


for n in (4, 5):
    originals, fakes = first(n)
    lacking = {person for name in fakes for person in name.split("_")} - set(originals)
    print(f"-n {n}   real {' '.join(originals)}   fake {' '.join(fakes)}   lacks: {' '.join(lacking)}")

# %% [markdown]
# **What we saw.** Originals and fakes come in the same order, pair by pair: the same `-n` for every method gives the
# same people. Even numbers keep pairs whole. With 5 the last fake borrows the face of somebody of whom you have no
# real clip. Not fatal, but a person of whom only fakes exist is a clue that no detector should get.
#
# **Whose faces are these?** The 28 actors of DFD were paid, and knew. The people in the YouTube videos had put
# themselves, or were put, on a public platform; nothing suggests that they were asked whether they wanted to be
# forged. That is a reason for strict terms, and for habits that go beyond them:
#
# - Keep videos, frames and crops off public drives, repositories, slides and posts. Copies of the data set that
#   somebody put on a sharing site come without your agreement to anything, and without a promise that they are
#   complete.
# - Do not look up who these people are. The published list of YouTube addresses serves to find duplicates (section
#   5).
# - Do not make new fakes of people who did not agree, not even as a joke.
# - Delete the data when the work is done.
#
# Our own stand-in is no exception to the question. It is made from portraits of Eileen Collins and Grace Hopper. They
# are in the public domain: that settles copyright. It does not mean that either woman agreed to wear the other's
# face. So its fakes stay what they are, visibly odd and always labelled.

# %% [markdown]
# ## 3 · What stands in for it here?
#
# Waiting for access should not keep anybody from learning. **Mini-FF++** is made on your computer, in a minute or two,
# in the layout of the original. Every lesson runs on it; every lesson runs on the real FF++ too (section 8).
#
# > **Predict first.** It has 64 people who forge each other in pairs, four methods, two compressions. How many videos
# > is that, masks included?

# %% tags=["nbval-check-output"]
for folder in sorted({path.parent for path in root.rglob("*.mp4")}):
    print(f"{folder.relative_to(root).as_posix():<55} {len(list(folder.glob('*.mp4'))):>3}")
print(f"{'in all':<55} {len(list(root.rglob('*.mp4'))):>3}")

# %% [markdown]
# **What we saw.** 128 real videos, 512 fakes, 256 masks (one serves both compressions), in the folders that the
# authors' script makes. What is the same, and what is not:
#
# | | FaceForensics++ | Mini-FF++ |
# |---|---|---|
# | folders, names, split files, masks, both directions of a pair | yes | the same |
# | codec | H.264, lossless, 23 and 40 | H.264, 23 and 40 |
# | people | about a thousand, filmed | 64, bent, mirrored and re-toned from **two** photographs |
# | clips | some hundred frames, mostly people who speak to a camera | about 50 frames, rendered: motion, light, grain |
# | forgers | neural networks and 3D face models | image operations that imitate each family's mark |
# | size in c23 | about 10 GB | about 20 MB |
#
# The [data card](../docs/data_card.md) says it in full. So Mini-FF++ can teach you the craft: reading, splitting,
# cutting, training, measuring. It cannot tell you how well a detector does on the world's deepfakes. When a lesson
# shows a number, it is a number about Mini-FF++.

# %% [markdown]
# ## 4 · What does `000_003` say?
#
# > **Predict first.** `000_003.mp4` lies in `manipulated_sequences/FaceSwap/c23/videos`. Whose hair and room do you
# > see, and whose face? Say it before you run on.
#
# A real clip is named by a number. A fake carries two: **target**, then **source**. The target is the film that was
# changed. The source lent the face (in the swaps) or the expression (in the re-enactments). By hand that is a few
# lines, with DFD's longer names included:


# %% tags=["nbval-check-output"]
def read_name(stem: str) -> dict[str, str]:
    people, *rest = stem.split("__")  # behind two underscores, DFD names the scene
    target_id, _, source_id = people.partition("_")
    return {"target": target_id, "source": source_id, "scene": "".join(rest[:1])}


names = ["000", "000_003", "003_000", "01__walking_outside", "01_02__walking_outside__YVGY8LOK"]
for stem in names:
    print(f"{stem:<34}", read_name(stem))

# %% [markdown]
# Properly, `faceforensics.index` walks through whatever folders there are and returns a table, one row a video. It
# reads names only, never a video, so that it takes no time on 10 GB either. Both ways have to agree:

# %% tags=["nbval-check-output"]
by_hand = clips["clip_id"].map(read_name)
print("targets agree:", (by_hand.str["target"] == clips["target_id"]).all())
print("sources agree:", (by_hand.str["source"] == clips["source_id"]).all())
clips.groupby(["label", "method", "compression"]).size().unstack()

# %% tags=["nbval-check-output"]
import pandas as pd

pd.set_option("display.max_colwidth", 70)
clips[clips["target_id"] == target].groupby("method").head(1).head(2).T

# %% [markdown]
# `split` is empty as yet; section 5 fills it. `label` is 1 for fake and 0 for real in every table of this course, and
# a score is always the probability of *fake*. The team had it the other way round once, without knowing:
# `ImageFolder` sorts folders by name, so that `fake` became 0 and `real` became 1.
#
# Now look at what the names promise. Choose a target and a family; the last picture is the difference between the
# fake and the target's own clip, with the outline of the mask.

# %%
from torchfakes_utils.course import widgets

families = sorted(set(clips.loc[clips["label"] == 1, "method"]))


def forgery(target_id, method, quality):
    return lesson_01.forgery_figure(root, clips, target_id, method, quality)


widgets.explore(
    forgery,
    target_id=sorted(set(pairs["target_id"]))[:40],
    method=families,
    quality=sorted(set(clips["compression"])),
)

# %%
lesson_01.forgery_figure(root, clips, target, families[-1], compression)

# %% [markdown]
# **What we saw.** In a swap the face of the second number sits in the film of the first. In a re-enactment the person
# stays the same and only acts differently: for the eye there is hardly anything to find, and the difference picture
# still shows it. The masks are honest for Mini-FF++: the forger wrote them down. In the real FF++ they need care: for
# `Deepfakes` the mask is the rectangle in which Poisson blending worked, and for `NeuralTextures` it is the tracked
# face, although mostly the region of the mouth was changed.

# %% [markdown]
# ## 5 · Who lent whom a face?
#
# Each fake is an arrow from a source to a target. Draw all arrows and you have a graph of people. Whoever is
# connected has to stay on one side of a split: else the test shows a face that training knows.
#
# > **Predict first.** How many separate islands does the graph of 64 people have?


# %% tags=["nbval-check-output"]
def islands(edges) -> list[tuple[str, ...]]:
    """Connected components: everybody starts alone, each edge joins two groups."""
    group = {person: {person} for edge in edges for person in edge}
    for a, b in edges:
        if group[a] is not group[b]:
            joined = group[a] | group[b]
            group.update(dict.fromkeys(joined, joined))
    return sorted({tuple(sorted(members)) for members in group.values()})


groups = islands(pairs.to_numpy().tolist())
print(len(groups), "islands; sizes:", sorted({len(members) for members in groups}))
print(groups[:4])

# %% [markdown]
# FF++ was built in pairs, both ways, and so the graph falls into islands of two. The official split files list these
# pairs; `splits_of` checks that nobody is in two files, and `assign_splits` gives every clip the split of *both*
# its people.

# %% tags=["nbval-check-output"]
official = faceforensics.splits_of(root)
clips = faceforensics.assign_splits(clips, official)
print({split: len(found) for split, found in official.items()}, "pairs")
clips.groupby(["split", "label"]).size().unstack()

# %% [markdown]
# Now shuffle. The team did what every tutorial does with cats and dogs: all files into one list, shuffle, cut. Here
# are both ways on the same graph, for the clips of one family. Colour and shape say where a clip went: people for
# real clips, arrows for fakes.

# %% tags=["nbval-check-output"]
import numpy as np

in_figure = (clips["compression"] == compression) & clips["method"].isin(["youtube", families[0]])
one = clips[in_figure].reset_index(drop=True)
mixed = np.random.default_rng(0).permutation(one["split"])  # as many clips a split as before

island_of = {person: members for members in groups for person in members}
for name, split in (("official", one["split"]), ("shuffled", mixed)):
    whole = one.assign(split=split).groupby(one["target_id"].map(island_of))["split"].nunique() == 1
    print(f"{name}: {whole.sum()} of {len(whole)} islands on one side")


# %%
def panel(split):
    """Arrows from source to target with the fake clip's split, and the split of each real clip."""
    clip = one.assign(split=split)
    fakes, reals = clip[clip["label"] == 1], clip[clip["label"] == 0]
    arrows = fakes[["source_id", "target_id", "split"]].to_numpy().tolist()
    return arrows, dict(zip(reals["target_id"], reals["split"], strict=True))


panels = {"Official: islands stay whole": panel(one["split"]), "Shuffled: islands are cut": panel(mixed)}
lesson_01.islands_figure(groups[:16], panels)

# %% [markdown]
# **What we saw.** On the left an island has one colour. On the right hardly one has: the same two faces are in
# training *and* in the test, as real clips here and as fakes there. That is no test of "can you see a forgery" but of
# "do you remember her".
#
# **Break it: the official split is not perfectly clean either.** FF++ has 1000 sequences from 977 videos, so some
# people appear under two numbers. The list that maps numbers to YouTube addresses is public
# (`dataset/conversion_dict.json`). Seven videos straddle the splits. Two of them, with their official pairs:

# %% tags=["nbval-check-output"]
split_of = {"755": "test", "759": "test", "756": "train", "503": "train",
            "976": "train", "954": "train", "078": "test", "955": "test"}  # fmt: skip
loans = [("755", "759"), ("756", "503"), ("976", "954"), ("078", "955")]  # pairs of dataset/splits
same_video = [("755", "756"), ("954", "955")]  # from dataset/conversion_dict.json
strict = islands(loans + same_video)
for members in strict:
    print(members, "touches", sorted({split_of[person] for person in members}))

# %%
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(6.4, 1.1))
order = [["759", "755", "756", "503"], ["078", "955", "954", "976"]]
both_ways = [(a, b, split_of[b]) for pair in loans for a, b in (pair, pair[::-1])]
lesson_01.draw_islands(ax, order, both_ways, split_of, columns=2, same=same_video)
ax.set_title("Dotted: two numbers, one YouTube video, across train and test")
figure.legend(handles=lesson_01.split_key()[::2], loc="outside right")
plots.finish(figure)

# %% [markdown]
# A *strict* split joins pairs **and** shared videos into islands, and keeps islands whole. An island that straddles
# goes to the first of its sides in the order train, val, test: so the strict test set is a part of the official one,
# and nobody who trained on the official training set has seen it. `torchfakes clips data/ffpp --split strict` does
# this. Papers compare on the official one, so report that; know that it leaks a little; and if your result hangs on
# it, repeat it strictly.

# %% [markdown]
# ## 6 · What would a random split leak?
#
# > **Predict first.** Three ways: deal out clips at random; deal out *targets* at random (a common compromise: "I
# > split by person"); deal out pairs. For each, how many of the test fakes show somebody whom training has seen?
#
# Count it. A fake leaks when its target *or* its source is in any training clip, real or fake:


# %%
def leaks(table: pd.DataFrame, split: np.ndarray) -> float:
    """The share of the test fakes that show somebody from the training clips."""
    train, test = table[split == "train"], table[(split == "test") & (table["label"] == 1)]
    known = (set(train["target_id"]) | set(train["source_id"])) - {""}
    return (test["target_id"].isin(known) | test["source_id"].isin(known)).mean()


def deal(cards: pd.Series, seed: int) -> np.ndarray:
    """FF++'s 72, 14 and 14 per cent, dealt out at random; equal cards go to one side."""
    order = np.random.default_rng(seed).permutation(sorted(cards.unique()))
    place = cards.map({card: rank / len(order) for rank, card in enumerate(order)})
    return np.select([place < 0.72, place < 0.86], ["train", "val"], "test")


# %% [markdown]
# Mini-FF++ is small, so let us ask the question of the real one too. For *this* question no video is needed: 500
# pairs of people, both directions, five methods are just a list of names. Chance plays a part, so we deal fifty
# times.


# %% tags=["nbval-check-output"]
def name_list(couples, methods) -> pd.DataFrame:
    """The clips that pairs of people give: real ones, and fakes by each method in both directions."""
    loans = [(a, b, k) for k, pair in enumerate(couples) for a, b in (pair, pair[::-1])]
    rows = [(0, "youtube", a, "", k) for a, _, k in loans]
    rows += [(1, method, a, b, k) for method in methods for a, b, k in loans]
    return pd.DataFrame(rows, columns=["label", "method", "target_id", "source_id", "pair"])


numbers = [f"{n:03d}" for n in range(1000)]
tables = {
    "Mini-FF++": name_list(groups, ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"]),
    "FF++": name_list(list(zip(numbers[::2], numbers[1::2], strict=True)), list("12345")),
}
shares = pd.DataFrame(index=["clips at random", "targets at random", "pairs (as official)"])
for name, table in tables.items():
    ways = [table.index.to_series(), table["target_id"], table["pair"]]
    shares[name] = [np.mean([leaks(table, deal(way, seed)) for seed in range(50)]) for way in ways]
shares.map("{:.0%}".format)

# %%
lesson_01.leak_figure(shares)

# %% [markdown]
# **What we saw.** Dealing out clips leaks every test fake: there are ten and more clips of each pair, and some are
# always on the other side. Splitting by target sounds careful and still leaks most of them, because the *source* was
# forgotten: it is in training as often as anybody is, about 72 times in a hundred. Only whole pairs leak nothing.
# Note that none of the three changes a line of the network: it is the same detector, the same accuracy formula,
# another question. How much the leak is worth in accuracy is the subject of lesson 04.
#
# The package counts the same things for any table, films included. Let us give it what FF++ has: 360, 70 and 70 pairs,
# and 23 people who appear under a second number.
#
# > **Predict first.** Twenty-three of a thousand have a double, somewhere. What share of the official test clips shows
# > a film that training knows: none, a few in a hundred, or a tenth?

# %% tags=["nbval-check-output"]
from torchfakes_utils.datasets import splits
from torchfakes_utils.io.tables import CLIP_COLUMNS

couples = list(zip(numbers[::2], numbers[1::2], strict=True))
official_pairs = {"train": couples[:360], "val": couples[360:430], "test": couples[430:]}
doubles = np.random.default_rng(2).choice(numbers, (23, 2), replace=False)
films = {number: f"film {number}" for number in numbers} | {b: f"film {a}" for a, b in doubles.tolist()}
everything = tables["FF++"].assign(clip_id="", path="", compression="c23", split="").reindex(columns=CLIP_COLUMNS)
print(splits.compare(everything, official_pairs, films).map("{:.3g}".format).to_string())

# %% [markdown]
# **What we saw.** The official split is clean by pairs and leaks a few films; the strict one leaks nothing and has a
# smaller test. (Which doubles straddle was chance here. In the real lists seven do, and they touch 2.6 % of the test
# clips: [docs/data_tables.md](../docs/data_tables.md).) `torchfakes clips` prints these shares for every split that it
# writes. Read them before you train.
#
# This was the team's first mistake. Their validation clips showed people whom the network knew by heart, so 96 % said
# nothing about strangers.

# %% [markdown]
# ## 7 · What does compression take away?
#
# > **Predict first.** The same frame in c23 and in c40. The file shrinks to what share? And where will it be harder
# > to tell fake from target: inside the mask, outside, or alike?

# %%
stored = clips.assign(kilobytes=[(root / path).stat().st_size / 1000 for path in clips["path"]])
stored.groupby(["method", "compression"])["kilobytes"].median().unstack().round(1)

# %%
shown = "FaceSwap" if "FaceSwap" in families else families[0]
lesson_01.compression_figure(root, clips, target, shown)

# %% [markdown]
# By hand: how much does a pixel change between target and fake, inside the mask and outside? Outside, the forger
# touched nothing; what differs there is grain and codec. The ratio of both is how far the forgery stands out.


# %%
def contrast(clip: dict) -> dict:
    real = lesson_01.real_of(clips, clip["target_id"], clip["compression"])
    paths = [real["path"], clip["path"], faceforensics.mask_path(clip)]
    target_frame, fake_frame, mask = (lesson_01.frame(root, path, 20) for path in paths)
    inside, changed = mask[..., 0] > 127, lesson_01.change(fake_frame, target_frame)
    return clip | {"inside": changed[inside].mean(), "outside": changed[~inside].mean()}


keys = ["method", "compression"]
some = clips[lesson_01.has_mask(root, clips)].groupby(keys).head(5).to_dict("records")
levels = pd.DataFrame([contrast(clip) for clip in some], columns=[*keys, "inside", "outside"])
levels = levels.groupby(keys).mean()
levels.assign(ratio=levels["inside"] / levels["outside"]).round(1)

# %% [markdown]
# **What we saw.** c40 needs a fraction of the bytes of c23. Inside the mask the difference changes little; outside it
# grows to a multiple, since two encodings of the same quiet wall now disagree everywhere. So a forgery that stood out
# clearly in c23 is one disturbance among many in c40, and the two re-enactments stand out least. The field knows
# this: an Xception trained on FF++ c23 has a frame AUC of 0.96 there and of 0.83 on c40 (DeepfakeBench).
#
# c40 is not "c23, smaller": it is a different problem. Never train on one and report the other without saying so, and
# never let both copies of one clip fall on two sides of a split.

# %% [markdown]
# ## 8 · How do you run all this on the real FaceForensics++?
#
# Any part will do: two methods, one compression, a hundred videos. `data_download.sh` makes this layout; what you got
# in another way has to be put into it:
#
#     data/ffpp/
#       splits/{train,val,test}.json                      <- for lists of your own; the official ones come along
#       original_sequences/youtube/c23/videos/000.mp4
#       manipulated_sequences/Deepfakes/c23/videos/000_003.mp4
#       manipulated_sequences/Deepfakes/masks/videos/000_003.mp4
#
# Then say where it is, before Jupyter starts, and every lesson works on it. Crops and trained detectors go to folders
# of their own; your data set is only read.
#
#     TORCHFAKES_DATA=data/ffpp make lab
#
# Without notebooks: `torchfakes clips data/ffpp && torchfakes extract data/ffpp --out data/ffpp-faces`, and so on as
# in the README. On Colab, mount your drive and set `os.environ["TORCHFAKES_DATA"]` in a cell before the first
# `course.ensure`.
#
# Let us rehearse it with a folder in which most is missing: one method, one compression, two pairs.

# %% tags=["nbval-check-output"]
import shutil
import tempfile
from pathlib import Path

from torchfakes_utils.io.tables import read_table

folder = Path(tempfile.mkdtemp())
shutil.copytree(root / "splits", folder / "splits")
members = {person for pair in official["test"][:2] for person in pair}
wanted = (clips["compression"] == compression) & clips["method"].isin(["youtube", shown])
for path in clips.loc[wanted & clips["target_id"].isin(members), "path"]:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / path, folder / path)

table = read_table(faceforensics.write_clips(folder), CLIP_COLUMNS)  # keeps "000" a text
table.groupby(["method", "compression", "split"]).size().to_frame("clips")

# %% [markdown]
# **Break it.** One folder too deep, the commonest mistake, and a mistyped method. Both answers say what to do:

# %% tags=["nbval-check-output"]
from torchfakes_utils.errors import InputError

for place, methods in ((folder / "original_sequences", None), (folder, ["Deepfake"])):
    try:
        faceforensics.index(place, methods)
    except InputError as error:
        print("-", str(error).replace(str(folder), "data/ffpp"))
shutil.rmtree(folder)

# %% [markdown]
# **What we saw.** A part of the data set is a data set, and the splits hold for it too. A wrong folder ends in one
# line that says what was expected and what was found.
#
# Other data sets become the same table. `torchfakes clips` knows the layouts of Celeb-DF v2 and DFDC by their folders;
# for everything else write a table of your own, with a path and a label in each row, and `--from-csv mine.csv`
# ([docs/data_tables.md](../docs/data_tables.md)). If you know who is seen, say so in `target_id` and `source_id`: then
# nobody ends up on two sides.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In section 6, let both compressions into the list, so that each clip is there twice, and deal out clips at
#    random. How many test fakes have *their own twin* in training?
# 2. Change `leaks` so that it looks at targets only. Which of the three ways does it now call clean, wrongly?
# 3. Write `strict_split(loans, same_video)` that deals out whole islands, 72/14/14 by people, and check it with
#    `leaks`.
#
# **Open challenge.** You may film ten friends who agree. Which pairs would you forge, in which directions, so that
# *any* split by people keeps both classes balanced on both sides? You got somewhere if a script can check it from the
# names alone.

# %% [markdown]
# ## Misconceptions
#
# - *"A random split is a fair split."* For cats and dogs, perhaps. Here clips share people, and a shuffled test asks
#   about people whom the network has studied.
# - *"I split by person, so I am safe."* A fake shows two people. Split by target alone, and most sources are known.
# - *"It is public, so it is free to use."* The videos were public, the terms are not optional, and the faces belong
#   to people.
# - *"c40 is just a smaller file."* It is a harder problem.

# %% [markdown]
# ## Recap
#
# - FF++: 1000 real sequences, five families of fakes, three compressions; you ask for it, you accept the terms
#   yourself.
# - `target_source`: the film that was changed, then the person who lent the face or the expression.
# - Fakes are edges of a graph. Split whole islands; `assign_splits` does, a random shuffle leaks everything, and
#   `--split strict` also keeps films together.
# - `faceforensics.index` turns any part of the folder into a table, `label` 1 for fake.
# - What Mini-FF++ shows holds for Mini-FF++.
#
# ## Next
#
# [02 · Find the face](02_find_the_face.ipynb): a frame is mostly wall and jacket. How does a network find the face in
# it, and what does that cost?
#
# ## Sources
#
# - A. Rössler, D. Cozzolino, L. Verdoliva, C. Riess, J. Thies, M. Nießner: *FaceForensics++: Learning to Detect
#   Manipulated Facial Images*. ICCV 2019. Data, terms, split files and sizes:
#   [github.com/ondyari/FaceForensics](https://github.com/ondyari/FaceForensics).
# - J. Thies, M. Zollhöfer, M. Stamminger, C. Theobalt, M. Nießner: *Face2Face: Real-time Face Capture and Reenactment
#   of RGB Videos*. CVPR 2016.
# - J. Thies, M. Zollhöfer, M. Nießner: *Deferred Neural Rendering: Image Synthesis using Neural Textures*. SIGGRAPH
#   2019.
# - L. Li, J. Bao, H. Yang, D. Chen, F. Wen: *Advancing High Fidelity Identity Swapping for Forgery Detection*
#   (FaceShifter). CVPR 2020.
# - N. Dufour, A. Gully: *Contributing Data to Deepfake Detection Research* (DeepFakeDetection). Google AI Blog, 2019.
# - Z. Yan, Y. Zhang, X. Yuan, S. Lyu, B. Wu: *DeepfakeBench: A Comprehensive Benchmark of Deepfake Detection*.
#   NeurIPS Datasets and Benchmarks, 2023. AUCs from its [README](https://github.com/SCLBD/DeepfakeBench).
# - P. Pérez, M. Gangnet, A. Blake: *Poisson Image Editing*. SIGGRAPH 2003.
