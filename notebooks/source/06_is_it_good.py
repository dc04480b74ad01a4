# %% [markdown]
# # 06 · Is it good?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/06_is_it_good.ipynb)
#
# **In this lesson you turn scores into numbers that can be believed: what the detector knows, what its errors cost
# and whom, and how far the number may be off.**
#
# - **You will be able to** compute an AUC with a table of pairs, say what an accuracy is worth without looking at the
#   model, choose a threshold for a purpose, put an honest interval round a number, and test once.
# - **You need** lesson 04 (splits by person, always-fake baseline). A little probability helps. No GPU.
# - **Time:** about 35 min to read, 45 s to run on two CPU cores.
#
# The bootcamp team's report says 96.6 %. It is one number, it looks excellent, and it cannot answer a single question
# that somebody would ask before using the thing: Good at what? Good for whom? How sure are you? Let us see what they
# should have written.

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
from torchfakes_utils.course import lesson_06
from torchfakes_utils.evaluation import score
from torchfakes_utils.metrics import by_clip

crops = score(course.detector(), course.faces_table("val"))  # a row a crop; the longest wait in this lesson
clips = by_clip(crops)  # a row a clip: the mean over its crops
truth, p_fake = clips["label"], clips["probability_fake"]
lesson_06.dots(clips, "Every mark is a clip: which number says how good this is?")

# %% [markdown]
# The course's detector and the *validation* split: people it was not trained on. Blue circles should be on the left,
# vermilion crosses on the right. All of this lesson but one section works on these clips. The test split stays closed
# until we know exactly what we want to ask it.

# %% [markdown]
# ## 1 · What does it know? Order, counted in pairs
#
# Take a real clip and a fake one at random. How often does the fake one get the higher score? That share is the
# **AUC**, the area under the ROC curve. It needs no threshold, and the number of fakes and reals does not matter to
# it.
#
# > **Predict first.** Four reals with scores 0.1, 0.2, 0.4, 0.6 and three fakes with 0.4, 0.7, 0.9. How many pairs
# > are there, and how many are in the right order? (A tie counts half.)

# %% tags=["nbval-check-output"]
import numpy as np


def auc_by_pairs(labels, scores) -> float:
    """The share of pairs (a real, a fake) in which the fake scores higher; ties count half."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    fakes, reals = scores[labels == 1], scores[labels == 0]
    higher = fakes[:, None] > reals[None, :]  # (fakes, reals)
    ties = fakes[:, None] == reals[None, :]
    return float((higher + 0.5 * ties).mean())


labels, scores = [0, 0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.4, 0.6, 0.4, 0.7, 0.9]
auc = auc_by_pairs(labels, scores)
print(f"{4 * 3} pairs, {auc * 12:.1f} in the right order: AUC {auc:.3f}")
print(f"squared scores:       AUC {auc_by_pairs(labels, np.square(scores)):.3f}")
print(f"scores divided by 10: AUC {auc_by_pairs(labels, np.divide(scores, 10)):.3f}")

# %% [markdown]
# Squaring and dividing do not change the order, so they do not change the AUC. Keep that in mind for section 4: an
# AUC says *nothing* about whether a score of 0.9 means 90 %.
#
# The same count on our clips, beside scikit-learn's and the package's:

# %% tags=["nbval-check-output"]
from sklearn.metrics import roc_auc_score

from torchfakes_utils.metrics import binary_metrics

measured = binary_metrics(truth, p_fake)
by_hand = auc_by_pairs(truth, p_fake)
print("by pairs = scikit-learn:", np.isclose(by_hand, roc_auc_score(truth, p_fake)))
print("by pairs = the package: ", np.isclose(by_hand, measured["auc"]))

# %%
lesson_06.pair_table(truth, p_fake, f"The share of light cells is the AUC: {by_hand:.3f}")

# %% [markdown]
# **What we saw.** Each cell is one pair. Light cells are in the right order, dark ones are not. The line between them
# is the **ROC curve**: walk to the right past a real clip, and see how many fakes you have climbed over. Area and
# share of pairs are the same thing.

# %% [markdown]
# ## 2 · What does it do? One threshold, four counts
#
# Nobody can use an order. Somebody has to say *from here on we call it fake*. Then there are two ways to be wrong: a
# **false alarm** (a real clip called fake) and a **miss** (a fake called real).
#
# > **Predict first.** Slide the threshold from 0 to 1 in your mind. Which of the two errors falls, which one rises?
# > Must they meet?

# %%
print("threshold  false alarms  misses")
for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
    alarms, misses = lesson_06.error_rates(truth, p_fake, threshold)
    print(f"{threshold:9.1f} {alarms:13.0%} {misses:7.0%}")
print(f"\nthey meet at {measured['eer']:.1%}, the equal error rate (EER)")
print("at 0.5:", measured["confusion"], "(positive = fake: fp are false alarms, fn are misses)")

# %%
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(4.6, 4.2))
plots.roc(ax, truth, p_fake, "by clip,", "black")
plots.roc(ax, crops["label"], crops["probability_fake"], "by crop,", plots.NEUTRAL)
ax.set_title("Few clips, coarse steps")
plots.finish(figure)

# %% [markdown]
# **What we saw.** One error buys the other. The EER is where the two are equal: handy for comparing models in a
# table, and nobody's wish. The clip's curve has coarse steps: each step to the right is one of very few real clips.
# Remember that when we ask how sure we are.

# %% [markdown]
# ## 3 · Is 96.6 % good?
#
# The first project had 21,000 fake and 5,500 real crops, and reached an accuracy of 96.6 %.
#
# > **Predict first.** What accuracy has a program that always prints "fake"? And with 96.6 % accuracy, how bad can it
# > be on *real* faces at worst?

# %% tags=["nbval-check-output"]
fakes, reals, accuracy = 21000, 5500, 0.966
always_fake = fakes / (fakes + reals)
wrong = (1 - accuracy) * (fakes + reals)
print(f"always “fake”: {always_fake:.1%} accuracy, 50.0% balanced accuracy")
print(f"96.6 %: {wrong:.0f} wrong answers, against {reals} of always “fake”")
for name, own in {"reals": reals, "fakes": fakes}.items():
    print(f"  if all of them are {name}: {wrong / own:.1%} of the {name} wrong, balanced {1 - wrong / own / 2:.1%}")

# %% [markdown]
# **What we saw.** 96.6 % is compatible with every sixth honest person being called a forgery, and with nobody being.
# **Balanced accuracy**, the mean of the two classes' shares of right answers, gives the always-fake program the 50 %
# that it deserves. It is the least that belongs beside an accuracy.
#
# And accuracy is not a property of a detector. It belongs to a detector *and* to the world that it is used in. Take
# one that finds nine fakes in ten and leaves nine reals in ten alone:

# %% tags=["nbval-check-output"]
alarms, misses = 0.1, 0.1
for share in (0.8, 0.5, 0.1, 0.01):
    own = (1 - misses) * share + (1 - alarms) * (1 - share)
    print(f"{share:4.0%} fakes: accuracy {own:.0%}, without looking {max(share, 1 - share):.0%}")
print(f"looking pays where more than {alarms / (alarms + 1 - misses):.0%} are fake")

# %%
lesson_06.accuracies(1 - misses, 1 - alarms)

# %%
for name, own in {"by clip": clips, "by crop": crops}.items():
    alarms, misses = lesson_06.error_rates(own["label"], own["probability_fake"], 0.5)
    reals = int((own["label"] == 0).sum())
    low, high = lesson_06.wilson(round(alarms * reals), reals)
    print(f"ours {name}: {misses:.0%} missed, {alarms:.0%} false alarms (of {reals}; 95 %: {low:.0%} to {high:.0%});")
    print(f"    so looking pays where more than {alarms / (alarms + 1 - misses):.0%} are fake")

# %% [markdown]
# **What we saw.** With balanced errors the accuracy stands still, and what one gets *without looking* moves. Where
# fakes are rare, a program that prints "real" is the more accurate one, and of no use at all. So quote the two error
# rates, and with them how many clips they were counted on: no false alarm among eight real clips is not "no false
# alarms". (The interval by crop is narrower. Section 6 tells why you should not believe it.)

# %% [markdown]
# ## 4 · Does 0.9 mean 90 %?
#
# A score that keeps its word is called *calibrated*: of all crops with scores about 0.9, nine in ten are fake. Modern
# networks rarely are (Guo et al., ICML 2017). Put the crops into bins by score and count.
#
# > **Predict first.** The network was trained with half fakes and half reals (lesson 04's sampler). Our validation
# > split holds four fakes for each real. Will the shares of fakes in the bins be too high or too low?

# %%
table = lesson_06.reliability(crops["label"], crops["probability_fake"])
table.round(2)

# %%
lesson_06.reliability_figure(crops["label"], crops["probability_fake"], worlds=[0.8, 0.5, 0.1, 0.01, 0.001])

# %% [markdown]
# **What we saw.** On the left: among the low scores more is fake than the score says. The network was trained on
# halves, and here fakes are more common. On the right the high scores, with the same crops weighted as if fakes were
# rarer; no score changes. In a world of four fakes to a real a high score is almost surely a fake. *The same score*
# where one in a hundred is fake is most probably a false alarm. A score carries the balance that it was trained with
# inside it.
#
# That part can be repaired with pencil and paper (Saerens et al., 2002): add the change in log-odds to the logit.

# %% tags=["nbval-check-output"]
def in_another_world(score: float, fakes: float, trained_with: float = 0.5) -> float:
    """P(fake) where the share of fakes is another than in training."""
    log_odds = lambda p: np.log(p / (1 - p))  # noqa: E731
    z = log_odds(score) + log_odds(fakes) - log_odds(trained_with)
    return 1 / (1 + np.exp(-z))


for fakes in (0.5, 0.1, 0.01, 0.001):
    print(f"a score of 0.90 where {fakes:5.1%} are fake: P(fake) = {in_another_world(0.9, fakes):.3f}")

# %% [markdown]
# **What we saw.** Even a perfectly calibrated 0.9 turns into a few per cent. (Ours is not perfectly calibrated, and
# these bins hold crops of few clips. This is a first look.) Never print "90 % fake" on a screen whose world you do
# not know.

# %% [markdown]
# ## 5 · Which threshold, and for whom?
#
# Two customers want our detector.
#
# - **A newsroom** gets clips from witnesses. Some are fake. A missed fake still meets an editor. A false alarm tells
#   a witness that she is a liar, and the story is lost.
# - **A bank** opens accounts by video. Fakes are rarer, but one that passes empties an account. A false alarm asks an
#   honest customer for a second video.
#
# The points below are invented. Put in your own: the method is what counts. The cost of a threshold is what its
# errors cost, each weighted by how often it occurs *there*, not in our validation split.
#
# > **Predict first.** Who will want the higher threshold? Will either of them choose 0.5?

# %% tags=["nbval-check-output"]
for desk in (lesson_06.NEWSROOM, lesson_06.BANK):
    even = desk.alarm / (desk.alarm + desk.miss)
    print(f"{desk.name}: {desk.fakes:.0%} fakes, a miss costs {desk.miss:g}, a false alarm {desk.alarm:g}")
    print(f"    call it fake if P(fake) > {even:.3f}")

# %% [markdown]
# That rule is the textbook's: call it fake if the expected cost of silence is higher, P × miss > (1 − P) × alarm. But
# it wants calibrated probabilities *in their world*, and section 4 warned us. So we do not trust the formula; we look
# at what each threshold does.

# %%
from torchfakes_utils.course import widgets


def at_desk(threshold: float = 0.5, desk: str = "newsroom"):
    return lesson_06.at_desk(truth, p_fake, threshold, lesson_06.DESKS[desk])


widgets.explore(at_desk, threshold=(0.0, 1.0, 0.01, 0.5), desk=list(lesson_06.DESKS))

# %%
decided = {name: lesson_06.best_threshold(truth, p_fake, desk) for name, desk in lesson_06.DESKS.items()}
for name, desk in lesson_06.DESKS.items():
    lost = lesson_06.cost(truth, p_fake, decided[name], desk)
    perhaps = lesson_06.pessimistic_cost(truth, p_fake, decided[name], desk)  # both errors at their intervals' ends
    print(f"{name:9s} cheapest at {decided[name]:.2f}: {lost:.0f} points lost on 100 clips, perhaps {perhaps:.0f}")
at_desk(decided["newsroom"], "newsroom")

# %%
at_desk(decided["bank"], "bank")

# %% [markdown]
# **What we saw.** One detector, one set of clips, two bills. The newsroom's rises to the left, where witnesses are
# called liars; the bank's rises to the right, where fakes pass. Nothing makes 0.5 special, and "is it good?" has no
# answer before somebody says what an error costs. Where some real clip scores above some fake, the newsroom's
# cheapest threshold is the higher one. Where none does, as in the run that is printed here, both get the same: the
# middle of the widest gap. (Slide it out of the gap, and see who complains first.)
#
# Note how jagged the cost is: it jumps when the threshold passes one of the few clips. Do not believe the second
# decimal. The cheapest of many thresholds always looks cheaper on the clips that it was chosen on. A cost of 0 is no
# promise; the larger of the printed numbers is the one to tell a customer.

# %% [markdown]
# ## 6 · How sure are we?
#
# Every number above comes from the clips that we happen to have. With other clips of the same kind it would have been
# another. The **bootstrap** (Efron, 1979) asks how much: draw from your own data, with replacement, as many as you
# had; compute the number again; do it five hundred times; look where the middle 95 % lie.
#
# But draw *what*? Crops? Clips? People?
#
# > **Predict first.** There are about a dozen crops of each clip. If we draw crops instead of clips, does the
# > interval come out too wide or too narrow? By how much?

# %%
def bootstrap(table, unit: list[str], by_class: bool = True, replicates: int = 500) -> tuple[float, float]:
    """A 95 % interval for the AUC by crop, when whole units are drawn, from each class if `by_class`."""
    rng, values = np.random.default_rng(0), []
    classes = [own for _, own in table.groupby("label")] if by_class else [table]
    units = [[rows.index.to_numpy() for _, rows in own.groupby(unit)] for own in classes]
    labels, scores = table["label"].to_numpy(), table["probability_fake"].to_numpy()
    for _ in range(replicates):
        drawn = [pool[i] for pool in units for i in rng.integers(0, len(pool), len(pool))]
        rows = np.concatenate(drawn)
        values.append(auc_by_pairs(labels[rows], scores[rows]))
    return tuple(np.quantile(values, [0.025, 0.975]))


table = crops.assign(people=lesson_06.pairs_of_people(crops["clip_id"]))  # who swapped faces with whom
value = auc_by_pairs(table["label"], table["probability_fake"])
rows = []
for name, unit in {"crops": ["path"], "clips": ["method", "clip_id"], "pairs of people": ["people"]}.items():
    count = len(table.drop_duplicates(unit))
    rows.append((f"{count} {name}", value, *bootstrap(table, unit, by_class=name != "pairs of people")))

# %%
widths = {name: high - low for name, _, low, high in rows}
print({name: f"{width:.3f} wide" for name, width in widths.items()})
print(f"clips against crops: {list(widths.values())[1] / list(widths.values())[0]:.1f} times as wide")
lesson_06.interval_rows(rows, "The same AUC: how sure you are depends on what you count", "AUC by crop")

# %% [markdown]
# **What we saw.** The crops of one clip are near copies: same person, same light, same forgery. Who counts them as
# independent claims a precision that is not there. The honest unit is what would be *new* in a new data set: at least
# the clip, better the person. (With a handful of pairs even the bootstrap is out of its depth: take its last line as
# "at least".) And every one of our people is made from one of two portraits; no bootstrap can know about portraits
# that it has never seen.
#
# The package does this for the numbers that we report, by clip. Mind an interval of no width, if you see one: where
# every fake scores above every real clip, drawing the same clips again can show nothing else. It says that these clips
# were separated. It does not say that the next ones will be.

# %%
from torchfakes_utils.metrics import bootstrap_interval

for metric in ("auc", "balanced_accuracy", "eer"):
    low, high = bootstrap_interval(clips, metric)
    print(f"{metric:18s} {measured[metric]:.3f}   95 %: {low:.3f} to {high:.3f}")

# %% [markdown]
# ## 7 · Open the test split, once
#
# Why once? Because choosing is fitting. Whoever tries twenty models on the test split and keeps the best has trained
# on it, by hand.
#
# > **Predict first.** Two hundred "detectors" throw dice on 8 real and 32 fake clips. What is the best one's AUC?

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(0)
dice = [auc_by_pairs([0] * 8 + [1] * 32, rng.random(40)) for _ in range(200)]
print(f"200 dice: mean AUC {np.mean(dice):.2f}, best {max(dice):.2f}")
print(f"best of the first 20: {max(dice[:20]):.2f}")

# %% [markdown]
# So first we write down what we shall report, then we look:
#
# 1. AUC and balanced accuracy at 0.5, by clip, with intervals; by crop and by method for information.
# 2. What the two desks lose at the thresholds that were fixed on validation, in `decided`.
#
# Nothing is changed afterwards, whatever comes out.

# %%
import pandas as pd

from torchfakes_utils.evaluation import summarise
from torchfakes_utils.tables import SCORE_COLUMNS, read_table

test = read_table(course.ensure("scores"), SCORE_COLUMNS)
summary = summarise(test, "test")
kept = ["n", "auc", "balanced_accuracy", "accuracy", "always_fake_accuracy", "eer"]
pd.DataFrame({name: {key: summary[name][key] for key in kept} for name in ("clip", "frame")}).T.round(3)

# %%
rows = [("all, by clip", summary["clip"]["auc"], *summary["clip"]["auc_interval"])]
rows += [(name, own["auc"], *own["auc_interval"]) for name, own in summary["methods"].items()]
lesson_06.interval_rows(rows, "Test: each manipulation against all real clips", "AUC by clip")

# %%
test_clips, clip = by_clip(test), summary["clip"]
low, high = clip["balanced_accuracy_interval"]
print(f"balanced accuracy by clip: {clip['balanced_accuracy']:.3f}, 95 %: {low:.3f} to {high:.3f}")
for name, desk in lesson_06.DESKS.items():
    promised = lesson_06.cost(truth, p_fake, decided[name], desk)
    own = test_clips["label"], test_clips["probability_fake"]
    alarms, misses = lesson_06.error_rates(*own, decided[name])
    print(f"{name:9s} at {decided[name]:.2f}: {alarms:.0%} false alarms, {misses:.0%} missed; points lost:", end=" ")
    print(f"promised {promised:.0f}, test {lesson_06.points(alarms, misses, desk):.0f}")

# %% [markdown]
# **What we saw.** Read the intervals before the numbers. Where one ends at 1.00 because every fake of a method scored
# above nearly every real clip, that is not certainty: it is eight clips. Methods whose intervals overlap are not
# ranked by this test. And compare the desks' losses with what validation promised. A threshold is *fitted* to
# validation's few real clips; a single real clip that scores higher among new people is, for the newsroom, a witness
# lost. This difference is why a test split exists, and why one does not go back to move the threshold now.
#
# What the team should have written, then, is a line like this one, computed and not polished:

# %%
from_to = [f"{name} {clip[key]:.2f} (95 %: {clip[f'{key}_interval'][0]:.2f} to {clip[f'{key}_interval'][1]:.2f})"
           for name, key in (("AUC", "auc"), ("balanced accuracy", "balanced_accuracy"))]  # fmt: skip
print(f"Mini-FF++, {clip['n_real']} real and {clip['n_fake']} fake test clips, none of a person trained on.")
print(f"By clip: {from_to[0]}; at {clip['threshold']}, {from_to[1]}.")
print(f"Always “fake” has an accuracy of {clip['always_fake_accuracy']:.0%}; ours is {clip['accuracy']:.0%}.")

# %% [markdown]
# ## 8 · Who is harmed by a false alarm?
#
# A miss harms whoever is shown in the fake, and whoever believes it. A false alarm harms the one who told the truth:
# the witness whose clip is not aired, the woman whose bank calls her a forgery, the student accused of not having
# been in the exam. These people rarely have a second camera. And every false alarm makes it a little easier to wave
# away a real recording.
#
# Here are the real validation clips that our detector finds most suspicious.

# %%
faces = course.faces_table("val")
suspects = clips[clips["label"] == 0].nlargest(5, "probability_fake")
own = [faces[(faces["clip_id"] == name) & (faces["label"] == 0)] for name in suspects["clip_id"]]
pictures = [plots.face(rows["file"].iloc[len(rows) // 2]) for rows in own]
sharp = [f"sharpness {rows['sharpness'].median():.0f}" for rows in own]
titles = [f"P(fake) {p:.2f}\n{text}" for p, text in zip(suspects["probability_fake"], sharp, strict=True)]
typical = faces.loc[faces["label"] == 0, "sharpness"].median()
title = f"All of these are real (the median real crop has a sharpness of {typical:.0f})"
plots.images(pictures, titles, title=title, labels=[0] * len(pictures), inches=1.7)

# %% [markdown]
# Look at them for a moment, and at their sharpness (lesson 03). Where blurred clips come first, the false alarms fall
# on those with the cheap camera and the shaking hand: witnesses, mostly.
#
# It is the next question that a responsible tester asks: *are false alarms shared out equally?* Detectors trained on
# the public data sets are not equally good for all skin tones, ages and sexes (Trinh & Liu, IJCAI 2021; Xu et al.,
# 2024). So count by group, and give each group its interval:
#
# > **Predict first.** Our "groups" are the two portraits that all of Mini-FF++ is made of. Four validation clips
# > each. If one has no false alarm at all, how high may its true rate still be?

# %%
import json

note = course.ensure("mini") / "mini.json"
people = json.loads(note.read_text())["people"] if note.is_file() else []  # only Mini-FF++ has it
portrait = {person["id"]: person["portrait"] for person in people}
real = clips[clips["label"] == 0].assign(group=lambda own: own["clip_id"].map(portrait).fillna("all"))
for group, own in real.groupby("group"):
    count = int((own["probability_fake"] >= 0.5).sum())
    low, high = lesson_06.wilson(count, len(own))
    print(f"{group:10s} {count} false alarms in {len(own)} real clips; 95 %: {low:.0%} to {high:.0%}")

# %% tags=["nbval-check-output"]
def clips_needed(rate: float, other: float) -> int:
    """Real clips in each of two groups, so that a test at 95 % sees the difference four times out of five."""
    spread = rate * (1 - rate) + other * (1 - other)
    return int(np.ceil((1.96 + 0.84) ** 2 * spread / (rate - other) ** 2))


print(f"0 of 4 false alarms: the true rate may be up to {lesson_06.wilson(0, 4)[1]:.0%}")
for rate, other in [(0.05, 0.25), (0.05, 0.10), (0.01, 0.02)]:
    print(f"to tell {rate:.0%} from {other:.0%}: {clips_needed(rate, other):,} real clips in each group")

# %% [markdown]
# **What we saw.** Whatever the two counts are, look at the intervals: four clips cannot show a gap, and they cannot
# show that there is none. And if they could, it would be one between *two photographs*, not between groups of people.
# **Mini-FF++ can say nothing about demographic gaps.** It takes hundreds to thousands of real clips a group, of
# people who agreed to be grouped. Until somebody has done that for your detector, the honest line in the model card
# is "not measured".

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In section 5, give the bank your own costs (`lesson_06.Desk("my bank", fakes=…, miss=…, alarm=…)`). How much
#    dearer must a miss be than a false alarm before the cheapest threshold moves? Why does it move in jumps?
# 2. In section 6, change `bootstrap` so that it draws with half as many clips. By which factor does the interval
#    grow? Guess first.
# 3. Take the *maximum* over a clip's crops instead of the mean (`crops.groupby(["method",
#    "clip_id"])["probability_fake"].max()`). Which of the two errors gets worse at 0.5, and why does the AUC change
#    less?
#
# ## Open challenge
#
# Choose a threshold for a newsroom that you know, with costs from a talk with somebody who works there, and defend it
# in five sentences that hold no jargon. You got somewhere if that person asks you for a *third* answer besides fake
# and real.

# %% [markdown]
# ## Misconceptions
#
# - **"Accuracy is the score."** It is the score in one world. Elsewhere it is another number, and looking at nothing
#   may beat it.
# - **"0.9 means 90 % sure."** It may mean a few per cent where fakes are rare, and only calibration makes it a
#   probability anywhere.
# - **"0.5 is the neutral threshold."** It is the right one where both errors cost the same and fakes are as common as
#   in training. Nobody lives there.
# - **"Thousands of crops, so the number is precise."** Forty clips. A few people. Two portraits.
# - **"AUC 1.00 for this method: solved."** Eight clips.
#
# ## Recap
#
# - AUC is the share of pairs in the right order. It knows no threshold, no costs and no probabilities.
# - Beside an accuracy belong the always-fake baseline and balanced accuracy; better, the two error rates.
# - The threshold follows from costs and from how common fakes are. Choose it on validation.
# - Draw clips or people, not crops, and report the interval. Open the test split once.
# - A false alarm has a face. Who is hit more often was not measured here.
#
# ## Next
#
# [07 · Where does it look?](07_where_does_it_look.ipynb) The number is good, perhaps. Did the network look at the
# face to get it?
#
# ## Sources
#
# - J. Hanley, B. McNeil: The Meaning and Use of the Area under a ROC Curve. Radiology 143, 1982.
# - T. Fawcett: An Introduction to ROC Analysis. Pattern Recognition Letters 27, 2006.
# - B. Efron: Bootstrap Methods: Another Look at the Jackknife. Annals of Statistics 7, 1979.
# - E. Wilson: Probable Inference, the Law of Succession, and Statistical Inference. JASA 22, 1927.
# - M. Saerens, P. Latinne, C. Decaestecker: Adjusting the Outputs of a Classifier to New a Priori Probabilities.
#   Neural Computation 14, 2002.
# - C. Guo, G. Pleiss, Y. Sun, K. Weinberger: On Calibration of Modern Neural Networks. ICML 2017.
# - A. Rössler et al.: FaceForensics++. ICCV 2019.
# - L. Trinh, Y. Liu: An Examination of Fairness of AI Models for Deepfake Detection. IJCAI 2021.
# - Y. Xu, P. Terhörst, M. Pedersen, K. Raja: Analyzing Fairness in Deepfake Detection with Massively Annotated
#   Databases. IEEE Transactions on Technology and Society 5, 2024.
