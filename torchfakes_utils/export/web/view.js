// What is shown of a verdict: boxes over the picture, and a card for each face. Colour never stands alone: a circle is
// real, a cross is fake, a question mark is neither.

import { CANNOT_TELL, FAKE, REAL, digitsApart, fixed, limitsOf } from "./verdict.js";

const SVG = "http://www.w3.org/2000/svg";
const KIND = { [FAKE]: "fake", [REAL]: "real", [CANNOT_TELL]: "unknown" };
const TITLE = { [FAKE]: "Looks fake", [REAL]: "Looks real", [CANNOT_TELL]: "Cannot tell" };
const SHAPES = {
  real: [["circle", { cx: 8, cy: 8, r: 4.6 }]],
  fake: [["path", { d: "M3.800 3.800l8.400 8.400m0-8.400-8.400 8.400" }]],
  unknown: [
    ["path", { d: "M5.400 6.200a2.700 2.700 0 1 1 4 2.400c-1 .6-1.400 1-1.400 2" }],
    ["path", { d: "M8 13.100v.1" }],
  ],
};

// What may help where a crop is unlike those of training.
const ADVICE = {
  "too small": "Give a larger photo, or come closer.",
  "too dark": "Give a brighter photo, or more light.",
  "too bright": "Give a darker photo, or less light.",
  "too little contrast": "Give a photo with clearer light, not through glass or haze.",
  "too much contrast": "Give a photo in softer light.",
  "too blurred": "Give a sharper photo, or hold still.",
  "too noisy": "Give a photo in better light; noise and heavy sharpening hide what is looked for.",
};

/** An element with a class and children, of HTML. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function drawn(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function marker(kind) {
  const svg = drawn("svg", { viewBox: "0 0 16 16", class: `marker ${kind}`, "aria-hidden": "true" });
  svg.append(...SHAPES[kind].map(([tag, attributes]) => drawn(tag, attributes)));
  return svg;
}

const judgedOf = (faces) => faces.filter((face) => face.probability_fake !== null);

/** The faces as one picture's: of several, one has to pass a higher limit to look fake than by itself. */
export function shownFaces({ faces }, decision) {
  const judged = judgedOf(faces).length;
  return faces.map((face) => {
    const passes = face.probability_fake !== null && face.probability_fake >= limitsOf(face, decision, judged)[1];
    return face.verdict === FAKE && !passes ? { ...face, verdict: CANNOT_TELL } : face;
  });
}

/** The verdict on the whole picture, in a sentence. */
export function sentence(prediction, decision) {
  const { verdict, reason } = prediction,
    faces = shownFaces(prediction, decision);
  const total = faces.length;
  if (!total) return reason.startsWith("no face") ? "No face found" : TITLE[verdict];
  if (total === 1) return TITLE[verdict];
  const count = (wanted) => faces.filter((face) => face.verdict === wanted).length;
  const fake = count(FAKE),
    unknown = count(CANNOT_TELL),
    all = total === 2 ? "Both" : `All ${total}`;
  if (fake === total) return `${all} faces look fake`;
  if (fake) return `${fake} of ${total} faces ${fake === 1 ? "looks" : "look"} fake`;
  if (verdict === CANNOT_TELL) return TITLE[verdict];
  return unknown ? `No face looks fake; ${unknown} of ${total} cannot be told` : `${all} faces look real`;
}

/** What a screen reader says of a verdict. */
export function spoken(prediction, decision) {
  const judged = judgedOf(prediction.faces).length;
  const parts = shownFaces(prediction, decision).map((face) => {
    const who = prediction.faces.length > 1 ? `Face ${face.face + 1}: ` : "";
    return `${who}${TITLE[face.verdict]}. ${explanation(face, decision, judged)}`;
  });
  const first = prediction.faces.length === 1 ? "" : `${sentence(prediction, decision)}. `;
  const said = parts.length ? parts.join(" ") : withoutFaces(prediction);
  return [first + said, ...remarks(prediction)].join(" ");
}

// A number and its sign stay on one line.
const noted = (note) =>
  `${note[0].toUpperCase()}${note.slice(1)}${note.endsWith(".") ? "" : "."}`.replaceAll(" %", "\u00a0%");

/** What goes with every verdict: how often it is wrong, what the detector knows, what a verdict means. */
const remarks = ({ rate, scope, meaning, notes }) => [rate, ...notes, scope, meaning].filter(Boolean).map(noted);

const withoutFaces = ({ reason }) =>
  reason.startsWith("no face")
    ? "A face is needed that is upright, turned to the camera and not too small. Faces behind masks, in profile or " +
      "cut off by the edge are often missed."
    : noted(reason);

function explanation(face, decision, judged) {
  if (face.probability_fake === null) {
    const why = face.frames.at(-1).cannot_tell;
    // Such as "too small (face 31; 70 px or more wanted)".
    const [, kind, name, value, wanted] = /^(.*) \((\w+) (.*); (.*)\)$/.exec(why) ?? [null, why];
    const sizes = wanted ? ` (${name === "face" ? `${value}\u00a0px` : `${name} ${value}`}; ${wanted})` : "";
    const known = decision.scope.practice
      ? "a practice detector is meant for its own data only"
      : "unlike those that the network was trained on";
    return `The face is ${kind}${sizes}: ${known}. ${ADVICE[kind] ?? ""}`.trim();
  }
  const { score, fake, real, alone } = numbers(face, decision, judged);
  const usable = face.frames.filter((frame) => !frame.cannot_tell).length;
  const over = usable > 1 ? ` on average over the last ${usable} looks` : "";
  if (!fake && !real) return `P(fake) is ${score}${over}. No verdict is given: ${decision.silence || "too few clips"}.`;
  const among = judged > 1 && fake ? ` among ${judged} faces` : "";
  const self = alone ? ` (from ${alone} on by itself; each face is another chance of a false alarm)` : "";
  const between = face.verdict === CANNOT_TELL && fake && real ? " Between these nothing is said." : "";
  const called = fake ? `called fake from ${fake} on${among}${self}` : "never called fake";
  return `P(fake) is ${score}${over}; ${called}, ${real ? `real up to ${real}` : "never real"}.${between}`;
}

/** Score and limits, with as many digits as tell them apart; "" for a limit that there is not. */
function numbers(face, decision, judged) {
  const [realTo, fakeFrom] = limitsOf(face, decision, judged),
    [, by] = limitsOf(face, decision);
  const score = face.probability_fake,
    alone = by <= score && score < fakeFrom ? by : Infinity;
  const digits = digitsApart(score, ...[realTo, fakeFrom, alone].filter(Number.isFinite));
  const text = (value) => (Number.isFinite(value) ? fixed(value, digits) : "");
  return { score: text(score), fake: text(fakeFrom), real: text(realTo), alone: text(alone) };
}

/** The scale from 0 to 1: up to where it is real, from where on fake, nothing between; and the score. */
function axis(face, decision, judged) {
  const kind = KIND[face.verdict],
    [realTo, fakeFrom] = limitsOf(face, decision, judged);
  const { score: text, fake, real } = numbers(face, decision, judged);
  const up = real ? `real up to ${real}` : "real never",
    from = fake ? `fake from ${fake}` : "fake never";
  const scale = make("div", "axis");
  scale.setAttribute("role", "img");
  scale.setAttribute("aria-label", `P(fake) ${text} on a scale from 0 to 1; ${up}, ${from}`);
  scale.style.setProperty("--real-to", Math.max(0, realTo));
  scale.style.setProperty("--fake-from", Math.min(1, fakeFrom));
  scale.style.setProperty("--score", face.probability_fake);
  const score = make("span", `score ${kind}`, make("b", "", text), marker(kind));
  const ticks = [real && "tick real", fake && "tick fake"].filter(Boolean).map((name) => make("span", name));
  const names = [make("span", "real", up), make("span", "", "cannot tell"), make("span", "fake", from)];
  scale.append(make("div", "track", ...ticks, score), make("div", "ends", ...names));
  return scale;
}

function thumbnail(crop, label) {
  const canvas = make("canvas", "crop");
  [canvas.width, canvas.height] = [crop.width, crop.height];
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  const image = new ImageData(crop.width, crop.height);
  for (let i = 0, from = 0; i < image.data.length; i += 4, from += 3) {
    image.data.set([crop.data[from], crop.data[from + 1], crop.data[from + 2], 255], i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function card(face, crop, decision, { alone, judged }) {
  const kind = KIND[face.verdict];
  const item = make("li", `face ${kind}`);
  const title = alone
    ? ""
    : make("h3", "", marker(kind), ` Face ${face.face + 1}: ${TITLE[face.verdict].toLowerCase()}`);
  const text = make("div", "words", title, make("p", "", explanation(face, decision, judged)));
  item.append(
    make("div", "with-crop", ...(crop ? [thumbnail(crop, `Face ${face.face + 1} as the network sees it`)] : []), text),
  );
  if (face.probability_fake !== null) item.append(axis(face, decision, judged));
  return item;
}

// What a verdict on a picture says, in a sentence.
const MEANS = {
  [FAKE]: "There is a likeness to the forgeries that the network was trained on. It may be wrong.",
  [REAL]: "Nothing resembles the forgeries that the network was trained on. That is no proof.",
  [CANNOT_TELL]: "A score lies between real and fake, where an answer would be wrong too often.",
};

/**
 * Show a verdict.
 *
 * @param elements headline and faces, to be filled.
 * @param prediction of `judge`, or what stands for one.
 * @param crops one a face; none where they are not wanted.
 * @param decision of detector.json.
 */
export function showVerdict({ headline, faces }, prediction, crops, decision) {
  const kind = KIND[prediction.verdict];
  headline.className = `headline ${kind}`;
  headline.replaceChildren(make("h2", "", marker(kind), ` ${sentence(prediction, decision)}`));
  // Of faces that were not judged, and where no verdict is ever given, their cards say why.
  const answered = prediction.probability_fake !== null && !decision.silence;
  if (!prediction.faces.length) headline.append(make("p", "", withoutFaces(prediction)));
  else if (answered) headline.append(make("p", "", MEANS[prediction.verdict]));
  for (const remark of remarks(prediction)) headline.append(make("p", "note", remark));
  const among = { alone: prediction.faces.length === 1, judged: judgedOf(prediction.faces).length };
  faces.replaceChildren(...shownFaces(prediction, decision).map((face, i) => card(face, crops[i], decision, among)));
}

/**
 * Draw boxes over the picture.
 *
 * @param elements boxes (an svg) and tags, both as large as the picture.
 * @param faces of a prediction.
 * @param size width and height of the picture, pixels.
 * @param mirrored whether the picture is shown mirrored; what is written over it is not.
 */
export function showBoxes({ boxes, tags }, faces, { width, height }, mirrored = false) {
  boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const shapes = [],
    labels = [];
  for (const face of faces) {
    const kind = KIND[face.verdict];
    const [left, top, right, bottom] = face.frames.at(-1).box;
    const x1 = Math.max(0, mirrored ? width - right : left),
      x2 = Math.min(width, mirrored ? width - left : right);
    const y1 = Math.max(0, top),
      y2 = Math.min(height, bottom);
    const place = { x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1) };
    shapes.push(drawn("rect", { ...place, class: "under" }), drawn("rect", { ...place, class: kind }));
    const tag = make(
      "span",
      `tag ${kind}`,
      marker(kind),
      faces.length > 1 ? String(face.face + 1) : TITLE[face.verdict],
    );
    // Above the box where there is room for it, else inside.
    const leftwards = x1 / width > 0.7;
    tag.style.setProperty("--x", leftwards ? 1 - x2 / width : x1 / width);
    tag.style.setProperty("--y", y1 / height);
    tag.classList.toggle("inside", y1 / height < 0.08);
    tag.classList.toggle("leftwards", leftwards);
    labels.push(tag);
  }
  boxes.replaceChildren(...shapes);
  tags.replaceChildren(...labels);
}
