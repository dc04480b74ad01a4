// From logits to answers, as torchfakes_utils/models/decision.py and inference/verdict.py give them: fake, real, or "cannot tell".

import { light, percentOutside, varianceOfLaplacian } from "./pixels.js";

export const FAKE = "fake",
  REAL = "real",
  CANNOT_TELL = "cannot tell";

// What can be out of range, its unit, and what is said of too little and of too much of it. The first that holds is
// said: what is dark has few edges, too, and light is what would mend it.
const LIMITS = {
  outside: [" %", "", "cut off by the edge of the picture"],
  face: [" px", "too small", ""],
  brightness: ["", "too dark", "too bright"],
  contrast: ["", "too little contrast", "too much contrast"],
  sharpness: ["", "too blurred", "too noisy"],
  distance: ["", "", "unlike the faces of its training"],
};

/** P(fake) of a logit. */
export const probability = (logit, temperature) => 1 / (1 + Math.exp(-logit / temperature));

/**
 * What the ranges speak of: how much of a crop lies outside of the picture (per cent), the longer edge of the face in
 * pixels of the picture, light and sharpness of its crop, and its distance from those of training (null or
 * NaN: not measured; Infinity: measured, and no number).
 */
export function qualities(crop, box, image, scale, distance) {
  return {
    distance,
    outside: percentOutside(image, box, scale),
    face: Math.max(box[2] - box[0], box[3] - box[1]),
    sharpness: varianceOfLaplacian(crop),
    ...light(crop),
  };
}

/** Why a crop gets no answer, such as "too small (face 31; 70 px or more wanted)"; "" for one that does. */
export function outside(ranges, values) {
  for (const [name, [unit, less, more]] of Object.entries(LIMITS)) {
    const [low, high] = ranges[name] ?? [null, null];
    const value = values[name];
    if (name === "distance" && value === Infinity) return `${more} (its distance is no number)`;
    if (!Number.isFinite(value)) continue;
    if (low != null && value < low) {
      return `${less} (${name} ${apart(value, low)}${unit} or more wanted)`;
    }
    if (high != null && value > high) {
      return `${more} (${name} ${apart(value, high)}${unit} or less wanted)`;
    }
  }
  return "";
}

/** A number, 0 or more, with so many digits after the point; of one in the middle between two the even one, as Python. */
export function fixed(value, digits) {
  const text = value.toFixed(digits);
  const doubled = value * 2 ** (digits + 1);
  const middle = Number.isInteger(doubled) && doubled < 2 ** 31 && doubled % 2;
  if (!middle || "02468".includes(text.at(-1))) return text;
  return (value - 0.5 / 10 ** digits).toFixed(digits);
}

/** A value and an end that it lies beyond, with as many digits as show that it does: "92; 93", "92.2; 92.4". */
function apart(value, end) {
  for (const digits of [0, 1, 2, 3, 4, 5]) {
    const [one, other] = [value, end].map((x) => fixed(x, digits));
    if (one !== other) return `${one}; ${other}`;
  }
  return `${value}; ${end}`;
}

// Digits after the point tell any two numbers of [0.1, 1] apart.
const MOST_DIGITS = 17;

/**
 * How many digits after the point show on which side of each end a score lies: two, or as many as it takes; and up to
 * five that show that an end can be reached: "fake from 1.00 on" would say that nothing ever is. An end that the score
 * is equal to gets five.
 */
export function digitsApart(score, ...ends) {
  const apart = (digits, some) => some.every((end) => fixed(end, digits) !== fixed(score, digits));
  const inside = (digits) =>
    ends.every((end) => end <= 0 || end >= 1 || (0 < fixed(end, digits) && fixed(end, digits) < 1));
  const few = [2, 3, 4].find((digits) => apart(digits, ends) && inside(digits));
  if (few !== undefined) return few;
  const others = ends.filter((end) => end !== score);
  let digits = 5;
  while (digits < MOST_DIGITS && !apart(digits, others)) digits += 1;
  return digits;
}

const usableOf = (face) => face.frames.filter((frame) => !frame.cannot_tell);

/** The band for somebody who is seen in so many usable frames. */
const bandOf = (decision, frames) => (frames >= decision.fewest_frames ? decision.film : decision.photo);

/**
 * Up to where somebody is called real, and from where on fake, as one of so many faces.
 *
 * @returns two numbers, -Infinity and Infinity where nothing is called so.
 */
export function limitsOf(face, decision, faces = 1) {
  const { real_to: realTo, fake_from: fakeFrom } = bandOf(decision, usableOf(face).length);
  return [realTo ?? -Infinity, fakeFrom[Math.min(faces, fakeFrom.length) - 1] ?? Infinity];
}

/**
 * The verdict on one person, by itself.
 *
 * @param number which person, counted from 0.
 * @param frames where they were judged: {frame, time, box, face_probability, probability_fake, cannot_tell, distance}.
 * @param decision of detector.json.
 */
export function faceVerdict(number, frames, decision) {
  const face = { face: number, verdict: CANNOT_TELL, probability_fake: null, interval: null, frames, seen: [] };
  const usable = usableOf(face);
  if (!usable.length) return { ...face, reason: unlikeTraining(frames, decision) };
  face.probability_fake = usable.reduce((sum, frame) => sum + frame.probability_fake, 0) / usable.length;
  const [realTo, fakeFrom] = limitsOf(face, decision);
  if (face.probability_fake >= fakeFrom) face.verdict = FAKE;
  else if (face.probability_fake <= realTo) face.verdict = REAL;
  return { ...face, reason: reasonOf(face, decision) };
}

/** What the verdict on somebody who was judged rests on, as one of so many faces that were. */
function reasonOf(face, decision, faces = 1) {
  const usable = usableOf(face).length,
    score = face.probability_fake;
  const [realTo, fakeFrom] = limitsOf(face, decision, faces),
    alone = limitsOf(face, decision)[1];
  const ends = [realTo, fakeFrom, alone].filter(Number.isFinite);
  const digits = digitsApart(score, ...ends);
  const text = (value) => fixed(value, digits);
  const over = usable > 1 ? ` on average over ${usable} frames` : "";
  const left = face.frames.length - usable;
  const rest = left ? ` (${left} crops unlike those of training are left out)` : "";
  if (!ends.length) {
    const why = decision.silence || "validation has too few clips";
    return `P(fake) is ${text(score)}${over}, and no verdict is given: ${why}${rest}`;
  }
  let fake = fakeFrom < Infinity ? `fake from ${text(fakeFrom)} on` : "fake never";
  if (faces > 1 && fakeFrom < Infinity) {
    fake += ` among ${faces} faces`;
    if (alone <= score && score < fakeFrom) {
      fake += ` (from ${text(alone)} on by itself, but each face is another chance of a false alarm)`;
    }
  }
  const real = realTo > -Infinity ? `real up to ${text(realTo)}` : "real never";
  return `P(fake) is ${text(score)}${over}; called ${fake}, ${real}${rest}`;
}

/**
 * The verdict on a picture: fake where one of its faces is, by a limit that rises with the faces that were judged; real
 * where all that were found are. The same JSON as `torchfakes predict --json`.
 *
 * @param faces of `faceVerdict`, in the order of their numbers.
 * @param others how many more were found and not looked at.
 */
export function overall(path, faces, decision, notes = [], others = 0) {
  const silent = { ...nothing(path), faces, kind: "photo", notes, scope: decision.scope.line, meaning: decision.meaning };
  if (!faces.length) {
    const needed = "one is needed that is upright, turned to the camera and not too small";
    return { ...silent, reason: `no face found in this photo; ${needed}` };
  }
  const frames = faces.flatMap((face) => face.frames);
  if (!frames.every((frame) => Number.isFinite(frame.probability_fake))) {
    const why = "its weights are of no use; take another detector";
    return { ...silent, faces: [], reason: `the detector gives no number for a face in it: ${why}` };
  }
  const judged = faces.filter((face) => face.probability_fake !== null);
  if (!judged.length) return { ...silent, reason: unlikeTraining(frames, decision) };
  const forged = judged.filter((face) => face.probability_fake >= limitsOf(face, decision, judged.length)[1]);
  const [first, ...rest] = forged.length ? forged : judged;
  const worst = rest.reduce((most, face) => (face.probability_fake > most.probability_fake ? face : most), first);
  const real = judged.every((face) => face.verdict === REAL);
  const unknown = faces.length - judged.length + others;
  const verdict = forged.length ? FAKE : real && !unknown ? REAL : CANNOT_TELL;
  // Seen once and seen often have limits of their own: the highest score need not be the one that makes a file fake.
  const most = Math.max(...judged.map((face) => face.probability_fake));
  const which = worst.probability_fake === most ? "the most fake-looking one" : "which decides";
  const who = `face ${worst.face + 1} of ${faces.length}, ${which}: `;
  let reason = faces.length === 1 ? worst.reason : who + reasonOf(worst, decision, judged.length);
  if (real && !forged.length && unknown)
    reason += `; so far real, but ${unknown} of ${faces.length + others} faces could not be judged`;
  return {
    ...silent,
    verdict,
    probability_fake: worst.probability_fake,
    reason,
    limits: limitsOf(worst, decision, judged.length).map((end) => (Number.isFinite(end) ? end : null)),
    rate: bandOf(decision, usableOf(worst).length).rate[verdict] ?? "",
  };
}

const nothing = (path) => ({
  path,
  verdict: CANNOT_TELL,
  probability_fake: null,
  reason: "",
  faces: [],
  interval: null,
  kind: "",
  notes: [],
  limits: [null, null],
  rate: "",
  scope: "",
  meaning: "",
});

/** What is said of a file that cannot be judged at all. */
export const refused = (path, reason) => ({ ...nothing(path), reason });

/** The most frequent reason why crops get no answer, by its first example. */
function unlikeTraining(frames, decision) {
  const kinds = frames.map((frame) => frame.cannot_tell.split(" (")[0]);
  const count = (kind) => kinds.filter((other) => other === kind).length;
  const kind = kinds.reduce((most, one) => (count(one) > count(most) ? one : most));
  const example = frames[kinds.indexOf(kind)].cannot_tell;
  if (decision.scope.practice) return `a practice detector, and this face is not of its data: it is ${example}`;
  return `a face was found, but it is ${example}: unlike those that the detector was trained on`;
}
