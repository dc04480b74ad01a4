// From logits to answers, as torchfakes_utils/models/decision.py and inference/verdict.py give them: fake, real, or "cannot tell".

import { light, percentOutside, roundEven, varianceOfLaplacian } from "./pixels.js";

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
};

/** P(fake) of a logit. */
export const probability = (logit, temperature) => 1 / (1 + Math.exp(-logit / temperature));

/**
 * What the ranges speak of: how much of a crop lies outside of the picture (per cent), the longer edge of the face in
 * pixels of the picture, and light and sharpness of its crop.
 */
export function qualities(crop, box, image, scale) {
  return {
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

/** A value and an end that it lies beyond, with as many digits as show that it does: "92; 93", "92.2; 92.4". */
function apart(value, end) {
  for (const digits of [0, 1, 2, 3, 4, 5]) {
    const [one, other] = [value, end].map((x) => (digits ? x.toFixed(digits) : String(roundEven(x))));
    if (one !== other) return `${one}; ${other}`;
  }
  return `${value}; ${end}`;
}

/** How many digits after the point show on which side of the threshold a score lies: two, or a few more. */
export const digitsApart = (score, threshold) =>
  [2, 3, 4].find((digits) => score.toFixed(digits) !== threshold.toFixed(digits)) ?? 5;

/**
 * The verdict on one person.
 *
 * @param number which person, counted from 0.
 * @param frames where they were judged: {frame, time, box, probability, probability_fake, cannot_tell}.
 * @param threshold P(fake) from which a face is called fake.
 */
export function faceVerdict(number, frames, threshold) {
  const usable = frames.filter((frame) => !frame.cannot_tell);
  const nothing = { verdict: CANNOT_TELL, probability_fake: null, interval: null, reason: "" };
  const face = { face: number, ...nothing, frames, seen: [] };
  if (!usable.length) return { ...face, reason: unlikeTraining(frames) };
  const mean = usable.reduce((sum, frame) => sum + frame.probability_fake, 0) / usable.length;
  const over = usable.length > 1 ? ` on average over ${usable.length} frames` : "";
  const left = frames.length - usable.length;
  const rest = left ? ` (${left} crops unlike those of training are left out)` : "";
  const digits = digitsApart(mean, threshold);
  const score = mean.toFixed(digits);
  const reason = `P(fake) is ${score}${over}; from ${threshold.toFixed(digits)} on it is called fake${rest}`;
  return { ...face, verdict: mean >= threshold ? FAKE : REAL, probability_fake: mean, reason };
}

/** The verdict on a picture: that on its most fake-looking face. The same JSON as `torchfakes predict --json`. */
export function overall(path, faces, notes = []) {
  const prediction = {
    path,
    verdict: CANNOT_TELL,
    probability_fake: null,
    reason: "",
    faces,
    interval: null,
    kind: "photo",
    notes,
  };
  if (!faces.length) {
    const needed = "one is needed that is upright, turned to the camera and not too small";
    return { ...prediction, reason: `no face found in this photo; ${needed}` };
  }
  const judged = faces.filter((face) => face.probability_fake !== null);
  if (!judged.length) return { ...prediction, reason: unlikeTraining(faces.flatMap((face) => face.frames)) };
  const worst = judged.reduce((most, face) => (face.probability_fake > most.probability_fake ? face : most));
  const who = faces.length > 1 ? `face ${worst.face + 1} of ${faces.length}, the most fake-looking one: ` : "";
  return {
    ...prediction,
    verdict: worst.verdict,
    probability_fake: worst.probability_fake,
    reason: who + worst.reason,
  };
}

/** What is said of a file that cannot be judged at all. */
export function refused(path, reason) {
  return { ...overall(path, []), reason, kind: "" };
}

/** The most frequent reason why crops get no answer, by its first example. */
function unlikeTraining(frames) {
  const kinds = frames.map((frame) => frame.cannot_tell.split(" (")[0]);
  const count = (kind) => kinds.filter((other) => other === kind).length;
  const kind = kinds.reduce((most, one) => (count(one) > count(most) ? one : most));
  const example = frames[kinds.indexOf(kind)].cannot_tell;
  return `a face was found, but it is ${example}: unlike those that the detector was trained on`;
}
