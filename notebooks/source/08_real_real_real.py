# ---
# jupyter:
#   torchfakes:
#     needs: [lab]
# ---

# %% [markdown]
# # 08 · Real, Real, Real
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/08_real_real_real.ipynb)
#
# **In this lesson you examine eight detectors whose teams were content with their validation accuracy. Seven are
# sick, and you find out of what before you are told.**
#
# - **You will be able to** examine a detector that disappoints, from its scores back to its inputs; tell seven common
#   mistakes apart by what each leaves behind; say which of them make a detector answer “real” to everybody; and write
#   an alarm that would have rung in time.
# - **You need** lesson 05 (the training loop, batch normalisation) and lesson 06 (AUC, balanced accuracy). No GPU.
# - **Time:** about 45 min to read and to examine, half a minute to run on two CPU cores, once the detectors are
#   trained (some minutes more, the first time).
#
# This is where the story of the course began. A bootcamp team reached 96 % in validation, opened the test set, and
# read: *Real. Real. Real.* They looked at their crops, found blurred ones among them, and concluded that blur was to
# blame. Perhaps. They changed several things at once and never went back. We do what they had no time for: break one
# thing at a time, with the same seeds and the same budget, and measure.

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
from torchfakes_utils.course import lesson_08

patients = {number: course.broken_detector(number) for number in range(1, 9)}
lesson_08.screen(patients[5])

# %% [markdown]
# One of the eight. It had nearly everything right in its validation. Now look below the line. (If it does call one of
# them fake, look at how sharp that one is.)

# %% [markdown]
# ## 1 · What do we know when we only know the accuracy?
#
# Each detector is a Meso4, a small network that learns in seconds, trained on Mini-FF++ for the same number of steps
# from the same random weights. (So do not expect much of the healthy one, either.) Each comes with its team's papers:
# which crops they trained on, what reached the network, what their validation said, and what their test program
# prints for the people of the test set, warps of the same two portraits. Four of five crops there are fake.
#
# > **Predict first.** You get the validation accuracy and the test accuracy of each. For how many of the eight will
# > that be enough to name the mistake?

# %%
import pandas as pd

rows = {}
for number, patient in patients.items():
    for stage, scores in {"validation": patient.validation, "test": patient.test}.items():
        right = (scores["probability_fake"] >= 0.5) == (scores["label"] == 1)
        rows.setdefault(number, {})[f"{stage} accuracy"] = right.mean()
always = (patients[1].test["label"] == 1).mean()
print(f"always “fake” would score {always:.2f} on the test crops")
pd.DataFrame(rows).T.rename_axis("detector").round(2)

# %% [markdown]
# **What we saw.** The highest validation accuracies do not belong to the best detectors. Some test accuracies
# collapse, and one would wish they all did: others stay near 0.80, and 0.80 is what a detector gets that says “fake”
# without looking. Accuracy alone names no illness. It does not even tell who is ill.

# %% [markdown]
# ## 2 · What do the scores look like?
#
# Always look at the scores before you look at the code. Two numbers say most: the share of crops that are *called
# fake*, and the AUC, which asks only for the order (lesson 06). And one picture: the histogram of both classes.
#
# > **Predict first.** A detector that knows nothing has an AUC of 0.5. How can one fall far below that?

# %%
rows = {}
for number, patient in patients.items():
    before, now = lesson_08.score_summary(patient.validation), lesson_08.score_summary(patient.test)
    rows[number] = {
        "AUC, validation": before["AUC"], "AUC, test": now["AUC"],
        "called fake, validation": before["called fake"], "called fake, test": now["called fake"],
    }  # fmt: skip
pd.DataFrame(rows).T.rename_axis("detector").round(2)

# %%
from torchfakes_utils.course import widgets

names = [(f"detector {number}", number) for number in patients]
widgets.explore(lambda detector: lesson_08.histograms(patients[detector]), detector=names)

# %%
lesson_08.histograms(patients[3])

# %% [markdown]
# **What we saw.** Three kinds of sick test sets. In the first, both classes have moved to one side: the detector
# gives everybody the same answer, whatever its accuracy says. In the second, they lie on top of each other: it knows
# nothing about these people. In the third, above, they are still apart, but the wrong way round. To be that wrong one
# has to know the answer.

# %% [markdown]
# ## 3 · Is it the same picture?
#
# The most useful test in this lesson takes four lines. Take a *training* file. Send it through everything that
# training does to it, and then through everything that the test program does to it. Subtract.
#
# > **Predict first.** What should the difference be, for a healthy detector? And what if only one class differs?

# %%
rows = {}
for number, patient in patients.items():
    rows[number] = {}
    for label, name in enumerate(plots.NAMES):
        files = lesson_08.same_files(patient, label)
        training, test = patient.inputs("training", files), patient.inputs("test", files)
        rows[number][f"{name}: difference"] = f"{(training - test).abs().mean():.3f}"
        rows[number][f"{name}: test inputs"] = f"{test.min():.1f} to {test.max():.1f}"
pd.DataFrame(rows).T.rename_axis("detector")

# %% [markdown]
# For most of them the difference is nought, as it should be. One differs in both classes, and its numbers do not even
# have the same range. Two differ in *one class only*. Whatever was done to that class alone is the easiest way to
# tell it from the other, and a network takes the easiest way. How sharp is what reaches the network (lesson 03)?

# %%
rows = {
    number: {
        f"{name}, {stage}": lesson_08.edges(patient, stage, label)
        for stage in ("training", "test")
        for label, name in enumerate(plots.NAMES)
    }
    for number, patient in patients.items()
}
print("median variance of the Laplacian of what reaches the network")
pd.DataFrame(rows).T.rename_axis("detector").round(0).astype(int)

# %%
lesson_08.through_the_stages(patients[5], label=1)

# %%
lesson_08.through_the_stages(patients[8], label=0)

# %% [markdown]
# **What we saw.** One team's fakes are softer in training than at test: look at the edges of the glasses. Another's
# reals are rougher, by a grain that you would hardly notice by eye and that a Laplacian notices at once. (Detector
# 1's numbers fall in both classes: half the range is a quarter of the variance, and nothing was blurred. Detector 2's
# reals and fakes differ from each other, but the same in training and at test: its pictures are unchanged. Who is in
# them?)

# %% [markdown]
# ## 4 · Does batch normalisation remember the right pictures?
#
# Batch normalisation keeps running averages of what it has seen (lesson 05). They are a diary. Compare it with what
# arrives at test: by how many standard deviations does the mean of each channel differ?
#
# > **Predict first.** Which detector's diary will be furthest off?

# %%
drift = {number: lesson_08.drift(patient) for number, patient in patients.items()}
pd.DataFrame(drift).T.rename_axis("detector").round(2)

# %% [markdown]
# A healthy detector meets about what it expects, in every block. Detector 1's *first* block is surprised most: its
# input is another one. With 5 and 8 the first block is calm and the surprise grows with depth: the pictures are
# nearly the same, and what the network learned to look for in them is not there. Detector 6 is surprised without any
# change of its pictures. There the diary itself is probably at fault: where the weights are from early in training,
# the averages have not caught up with them (lesson 05). So drift says that something is off, and where it begins; it
# does not name it.
#
# And the diary has a second failure: nobody reads it. In training mode the averages are ignored, and each batch is
# normalised by itself. Then an answer depends on who else is asked:

# %%
import numpy as np

for number, patient in patients.items():
    crops = patient.tested_on.sample(16, random_state=0)
    alone, together = patient.scores(crops, together=1), patient.scores(crops, together=16)
    print(f"detector {number}: alone or in company, answers differ by {np.abs(alone - together).mean():.3f}")

# %% [markdown]
# **What we saw.** One of them gives the same face another score when other faces are in the batch. That is the
# signature of a forgotten `eval()`. It is a mild illness here (compare its AUC with its validation), because a single
# crop of many pixels is a batch of its own. In networks whose last batch norm sees one number a crop, as in
# InceptionResnetV1, lesson 05 showed what it can do.

# %% [markdown]
# ## 5 · Who is in it, and how often?
#
# Two questions that need no picture at all. What are the training batches made of? And has the network met its
# validation clips before?


# %%
def clips(faces: pd.DataFrame) -> set:
    """The clips of some crops; a clip's name is shared by its four fakes, so the method belongs to it."""
    return set(zip(faces["method"], faces["clip_id"], strict=True))


rows = {}
for number, patient in patients.items():
    trained, validated = clips(patient.trained_on), clips(patient.validated_on)
    classes = patient.trained_on.groupby("target_id")["label"].nunique()
    rows[number] = {
        "fakes among the crops drawn": (patient.batch_labels() == "fake").mean(),
        "validation clips also in training": len(trained & validated) / len(validated),
        "people who are both real and fake": (classes == 2).mean(),
    }
pd.DataFrame(rows).T.rename_axis("detector").round(2)

# %% [markdown]
# **What we saw.** One team never balanced its batches. Another shuffled frames, so that every validation clip has
# crops in training; and nobody in its data is there both ways, so to know the person is to know the answer. Now hold
# that against its validation accuracy in section 1.

# %% [markdown]
# ## 6 · Your diagnosis
#
# Here are the most telling measurements of sections 1 to 5 on one page.

# %%
chart = lesson_08.chart(patients)
chart.round(2)

# %% [markdown]
# **Exercise 1.** Seven mistakes, one healthy detector. Give each number one of these names:
#
# | name | what the team did |
# |---|---|
# | `blur` | blurred the fakes, in training and in validation |
# | `augmentation` | added noise to the reals to have more of them, in training and in validation |
# | `mode` | forgot `eval()` in the test program |
# | `range` | gave the network 0…1 at test instead of −1…1 |
# | `labels` | trained with `ImageFolder`'s labels (fake = 0), and read the answer as P(fake) |
# | `imbalance` | trained on four fakes to a real, and chose the epoch by accuracy |
# | `split` | shuffled frames of a data set in which nobody is both real and fake |
# | `healthy` | made none of these mistakes |

# %%
diagnosis = {1: None, 2: None, 3: None, 4: None, 5: None, 6: None, 7: None, 8: None}

# %%
lesson_08.check_diagnosis(diagnosis)

# %% [markdown]
# <details><summary><b>Solution</b> (look only when you have given all eight)</summary>
#
# `diagnosis = {1: "range", 2: "split", 3: "labels", 4: "healthy", 5: "blur", 6: "imbalance", 7: "mode", 8:
# "augmentation"}`
#
# 1: its lowest input is 0. 2: it knows its validation clips. 3: its AUC is far below a half. 4: nothing stands out.
# 5: its training *fakes* differ from the files, and they are softer. 6: four fifths of its batches are fake, and its
# accuracy is the always-fake line. 7: its answers depend on company. 8: its training *reals* differ, and are rougher.
#
# </details>

# %% [markdown]
# ## 7 · Which mistake says “real” to everybody?
#
# So far one seed, and the mistakes at their plainest. Now all candidates that the team, or its readers, have named,
# each switched on alone, three seeds each. Some come in a mild and in a strong form.
#
# > **Predict first.** Write down the two that you believe make a detector call nearly every test crop *real*, with a
# > good validation accuracy. What about the team's own suspect, blurred crops in training?

# %%
from torchfakes_utils.course.lab import LAB_COLUMNS
from torchfakes_utils.io.tables import read_table

scores = read_table(course.ensure("lab"), LAB_COLUMNS)
lesson_08.symptoms(scores)

# %%
lesson_08.answers(scores)

# %% [markdown]
# **What we saw**, on Mini-FF++ and with this small network: mean over three seeds, lowest and highest in brackets.
#
# - **Blur alone is acquitted.** With blurred crops kept in training it is about as good as the healthy one: its three
#   seeds differ more than the two rows do. With *every* training crop blurred it gets worse (its AUC at test is 0.69
#   on average, the healthy one's 0.78). Neither turns to “real”. What the team saw needs more.
# - **Blur in one class convicts.** If the fakes are softer in training *and* in validation, validation is nearly
#   perfect, and at test every sharp fake is “real”. A filter that asks each crop by itself would take out such soft
#   fakes, if its threshold were high enough. Ours asks the original, and keeps them where that one is sharp (lesson
#   03, section 6). So the team's explanation may hold in this form: not “the data was blurry” but “the *fakes* were
#   blurrier”. Lesson 03 shows how to ask that of a data set.
# - **`ImageFolder` convicts as well.** The labels are the other way round, validation cannot notice, and on a test
#   set that is mostly fake the screen reads *Real, Real, Real*. Its AUC is the give-away: about one minus the healthy
#   one.
# - **Imbalance says the opposite:** “fake”, to everybody, and its accuracy is the always-fake line, 0.80 here and 0.79
#   on the team's data. The last epoch has begun to put crops in order (its AUC), but at a threshold of 0.5 nobody sees
#   it; and whoever chooses by accuracy may keep an epoch that has not even begun. With `ImageFolder`'s labels on top,
#   “fake” for everybody becomes “real” for everybody.
# - **Augmentation in training only** is no illness: it makes the task harder, and these few steps are too few for it.
#   Here it calls fewer crops fake than the healthy one. But it deceives nobody: its validation is as low as its test.
# - **Noise on *one* class** is a label leak, as blur is; here it makes nearly everybody “fake”.
# - **A closer crop** makes nearly everybody “fake”, the reals no less than the fakes; **the wrong range** does so with
#   one seed of three. Nothing says that it must be “fake”: which way a detector falls when it is fed what it does not
#   know is luck. A forgotten
#   `eval()` is mild here: the order suffers (its AUC), the accuracy hardly.
# - **A frame-level split** flatters a little where everybody is there both ways, and entirely where nobody is. At
#   test such a detector throws a coin. That is not “real, real, real” either.
#
# What we cannot know is which of them the team had. Imbalance with swapped labels would have left them near their
# always-fake line of 79 %, far below their 96 %. Swapped labels on a network that did learn, or softer fakes, could
# explain both numbers, and a frame-level split may have added to the 96. **One look at the AUC and at the share
# called fake would have told labels from blur**, and neither needs the training to be repeated.

# %% [markdown]
# ## 8 · Who can be cured without training again?
#
# Three of the seven have sound weights. The mistake is in the program around them.
#
# > **Predict first.** Which three?

# %%
from torchfakes_utils.course import teams

cured = {
    1: patients[1].with_program(test=teams.normalised).test,  # normalise as in training
    7: patients[7].with_program(training_mode=False).test,  # call eval()
    3: patients[3].test.assign(probability_fake=lambda own: 1 - own["probability_fake"]),  # it was P(real)
}
rows = {}
for number, after in cured.items():
    was, now = lesson_08.score_summary(patients[number].test), lesson_08.score_summary(after)
    rows[number] = {f"{what}, {when}": seen[what] for what in ("accuracy", "AUC")
                    for when, seen in (("before", was), ("after", now))}  # fmt: skip
pd.DataFrame(rows).T.rename_axis("detector").round(2)

# %% [markdown]
# **What we saw.** Wrong inputs and wrong labels can be mended after the fact, and the detector is as good as it ever
# was. The other four learned something else than forgeries: a blur, a noise, who somebody is, how common fakes are.
# No program around them helps. They have to be trained as one should, and then they are detector 4.

# %% [markdown]
# ## 9 · What would have rung?
#
# The package's own loop prints the share called fake and the always-fake line after every epoch, keeps the
# preprocessing with the weights, and draws pairs. That prevents some of the seven. An alarm catches what is left.
#
# **Exercise 2.** Write `alarm(patient)`, which returns `True` for a sick detector and `False` for a healthy one. Use
# whatever you measured: `lesson_08.score_summary(patient.test)`, `lesson_08.change(patient, label)`,
# `patient.inputs("test", patient.tested_on)`, `lesson_08.company(patient)`, `lesson_08.known_clips(patient)`,
# `patient.batch_labels()`. It is tried on eight *other* detectors, trained from another seed.


# %%
def alarm(patient):
    """True if something is wrong with it."""
    # your code here


# %%
strangers = [course.broken_detector(number, seed=1) for number in range(1, 9)]
lesson_08.check_alarm(alarm, strangers)

# %% [markdown]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def alarm(patient):
#     test = lesson_08.score_summary(patient.test)
#     return (
#         test["AUC"] < 0.4  # labels the other way round
#         or max(lesson_08.change(patient, label) for label in (0, 1)) > 0.01  # training and test see other pictures
#         or lesson_08.company(patient) > 0.01  # still in training mode
#         or lesson_08.known_clips(patient) > 0  # split by frame
#         or (patient.batch_labels() == "fake").mean() > 0.6  # not balanced
#     )
# ```
#
# Only the first line needs a labelled test set. The third needs the trained network, and all others could have rung
# on the first day, before any training.
#
# </details>

# %% [markdown]
# **Exercise 3.** Judgement. A colleague shows you the figure of section 7 and says: “So blur is harmless. We can keep
# all crops.” Write down three reasons why this figure does not show that. (Think of which crops were blurred, by how
# much, and of whom all of Mini-FF++ is made.)
#
# ## Open challenge
#
# Make a ninth detector whose validation accuracy is above 0.9 and whose test accuracy is below 0.5, with a mistake
# that is in *none* of the rows of section 7 and that no column of the chart gives away (`teams.CANDIDATES` shows how
# the others are made). Then add the column that does. You got somewhere if somebody else needs more than ten minutes
# to find it.

# %% [markdown]
# ## Misconceptions
#
# - **"The data was blurry."** Perhaps. Blur in both classes made a weaker detector that knew it. Blur in one class
#   made a perfect one that was blind. Measure by class.
# - **"Validation was good, so the model is fine and the test set is odd."** Five of the seven mistakes are made
#   before validation, or in it, and validation shares them.
# - **"It says “real” to everything, so it is biased towards real."** Or its labels are swapped and your test set is
#   mostly fake. Look at the AUC.
# - **"An accuracy of 80 % is at least something."** Not where four of five are fake.
# - **"We changed five things, and now it works."** Then you know that it works. You do not know why, and it will come
#   back.
#
# ## Recap: the checklist
#
# 1. **Scores.** Share called fake, AUC, histogram by class; validation beside test.
# 2. **Inputs.** One training file through both programs; subtract; by class.
# 3. **Statistics.** What batch norm remembers against what arrives; the same crop alone and in company.
# 4. **Labels.** One known fake and one known real face, by hand. What does 1 mean?
# 5. **People.** Clips and people on both sides; what batches are made of; the always-fake line.
# 6. Change **one thing at a time**, with the same seed and budget, and more than one seed.
#
# ## Next
#
# Lesson 09 gives a detector to strangers: a page on which anybody can have a photo judged, and what you owe them.
#
# ## Sources
#
# - D. Afchar, V. Nozick, J. Yamagishi, I. Echizen: MesoNet: a Compact Facial Video Forgery Detection Network. WIFS
#   2018.
# - R. Geirhos et al.: Shortcut Learning in Deep Neural Networks. Nature Machine Intelligence 2, 2020.
# - S. Ioffe, C. Szegedy: Batch Normalization. ICML 2015.
# - D. Sculley et al.: Hidden Technical Debt in Machine Learning Systems. NeurIPS 2015.
# - S. Kapoor, A. Narayanan: Leakage and the Reproducibility Crisis in Machine-Learning-Based Science. Patterns 4,
#   2023.
# - A. Rössler et al.: FaceForensics++. ICCV 2019.
