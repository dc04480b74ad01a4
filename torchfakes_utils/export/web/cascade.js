// MTCNN's cascade: what goes on between the three networks that find faces. It mirrors torchfakes_utils/export/mtcnn_numpy.py,
// step by step and in 32-bit numbers, so that a candidate near a limit falls on the same side of it.
//
// Source: Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE
// Signal Processing Letters 2016.

import { LEAST_SIDE } from "./decode.js";
import { pool, resizeArea, roundEven } from "./pixels.js";

// A position of the first network's map stands for a window of so many pixels; neighbours are so far apart.
const WINDOW = 12,
  STRIDE = 2;
// Each level of the pyramid has so many times the lines of the one above: half the area.
const FACTOR = 0.709;
// How sure each of the three networks has to be that there is a face.
const SURE = [0.6, 0.7, 0.7].map(Math.fround);
// Two boxes that overlap more than this are the same face: within a level, then over all levels and after each network.
const OVERLAP_LEVEL = Math.fround(0.5),
  OVERLAP = Math.fround(0.7);
// Patches that go through a network at once.
const BATCH = 128;

// What a picture may cost, whatever its shape; see `faces/detection.py`: the smallest face that the first
// network sees, pixels that are shown to the cascade, and those that this one works on.
const SEEN = 12,
  MOST_SHOWN = 24_000_000,
  MOST_SEARCHED = 400_000;

const f = Math.fround;

/**
 * Find the faces of a picture.
 *
 * @param image the whole picture.
 * @param pass an entry of detector.json's `search_passes`. min_face: the smallest face, as a share of the shorter side;
 *   lines: shorter side of what the cascade is shown, pixels.
 * @param networks pnet, rnet and onet, each (pixels, count, height, width) to a promise of its outputs by name, as the
 *   ONNX files have them.
 * @returns faces, the surest first: box [x1, y1, x2, y2] in pixels of the picture, and probability.
 */
export async function detect(image, pass, networks) {
  const shorter = Math.min(image.width, image.height);
  if (shorter < LEAST_SIDE) return [];
  const pixels = image.width * image.height;
  const scale = Math.min(1, pass.lines / shorter, Math.sqrt(MOST_SHOWN / pixels));
  const least = SEEN * Math.max(1, scale * Math.sqrt(pixels / MOST_SEARCHED));
  const width = Math.max(1, roundEven(image.width * scale)),
    height = Math.max(1, roundEven(image.height * scale));
  const shown = width === image.width && height === image.height ? image : resizeArea(image, width, height);
  const faces = await findFaces(shown, Math.max(pass.min_face * shorter * scale, least), networks);
  // Width and height are rounded separately when scaled.
  const back = [f(image.width / width), f(image.height / height)];
  return faces.map(({ box, probability }) => ({ box: box.map((end, i) => f(end * back[i % 2])), probability }));
}

/** The cascade on a picture that is scaled down already; `smallest` is the edge of the smallest face, pixels. */
async function findFaces(picture, smallest, networks) {
  const proposed = await propose(picture, smallest, networks.pnet);
  const refined = await refine(picture, proposed, networks.rnet);
  return decide(picture, refined, networks.onet);
}

/** The levels of the first network's pyramid, from fine to coarse. */
export function pyramid(height, width, smallest) {
  const levels = [];
  let scale = WINDOW / smallest,
    shorter = Math.min(height, width) * scale;
  while (shorter >= WINDOW) {
    levels.push({ scale, height: Math.trunc(height * scale + 1), width: Math.trunc(width * scale + 1) });
    scale *= FACTOR;
    shorter *= FACTOR;
  }
  return levels;
}

/** First network: every window of every level that may hold a face, as squares. */
async function propose(picture, smallest, pnet) {
  const found = [];
  for (const { scale, height, width } of pyramid(picture.height, picture.width, smallest)) {
    const input = new Float32Array(3 * height * width);
    pool(picture, [0, 0, picture.width, picture.height], width, height, input);
    const { probability, offsets } = await pnet(input, 1, height, width);
    const [, rows, columns] = probability.dims;
    const plane = rows * columns,
      small = f(scale),
      level = [];
    for (let at = 0; at < plane; at++) {
      if (!(probability.data[at] >= SURE[0])) continue;
      const corner = [(at % columns) * STRIDE, Math.floor(at / columns) * STRIDE];
      const ends = [1, 1, WINDOW, WINDOW].map((reach, i) => Math.floor(f((corner[i % 2] + reach) / small)));
      const shifts = [0, 1, 2, 3].map((i) => offsets.data[i * plane + at]);
      level.push({ box: ends, probability: probability.data[at], shifts });
    }
    found.push(...distinct(level, OVERLAP_LEVEL));
  }
  return distinct(found, OVERLAP).map(({ box, shifts }) => {
    // Of the first network alone an edge of n pixels is n long; the others move boxes by edges of n + 1.
    const edges = [f(box[2] - box[0]), f(box[3] - box[1])];
    return squared(box.map((end, i) => f(end + f(shifts[i] * edges[i % 2]))));
  });
}

/** Second network: most windows thrown away, the others moved. */
async function refine(picture, boxes, rnet) {
  const candidates = await judged(picture, boxes, 24, rnet, SURE[1]);
  return distinct(candidates, OVERLAP).map(({ box, shifts }) => squared(moved(box, shifts)));
}

/** Third network: the faces. */
async function decide(picture, boxes, onet) {
  const candidates = await judged(picture, boxes, 48, onet, SURE[2]);
  const faces = candidates.map(({ box, probability, shifts }) => ({ box: moved(box, shifts), probability }));
  return distinct(faces, OVERLAP, true).map(({ box, probability }) => ({ box, probability }));
}

/** The boxes of whose patches a network is sure enough. */
async function judged(picture, boxes, size, network, sure) {
  const inside = boxes.map((box) => ({ box, area: areaOf(picture, box) })).filter(({ area }) => area);
  const kept = [],
    patch = 3 * size * size;
  for (let start = 0; start < inside.length; start += BATCH) {
    const batch = inside.slice(start, start + BATCH);
    const input = new Float32Array(batch.length * patch);
    batch.forEach(({ area }, i) => pool(picture, area, size, size, input, i * patch));
    const { probability, offsets } = await network(input, batch.length, size, size);
    batch.forEach(({ box }, i) => {
      if (!(probability.data[i] > sure)) return;
      kept.push({ box, probability: probability.data[i], shifts: Array.from(offsets.data.slice(4 * i, 4 * i + 4)) });
    });
  }
  return kept;
}

/**
 * What of a box lies in the picture: left, top, right, bottom; null where nothing does. Its ends are cut to whole
 * pixels, the first pixel being 1.
 */
function areaOf(picture, box) {
  const [x1, y1, x2, y2] = box.map(Math.trunc);
  const area = [Math.max(x1, 1) - 1, Math.max(y1, 1) - 1, Math.min(x2, picture.width), Math.min(y2, picture.height)];
  return area[0] < area[2] && area[1] < area[3] ? area : null;
}

/**
 * Non-maximum suppression: of boxes that overlap, the surest.
 *
 * @param boxes each with box and probability.
 * @param most boxes that overlap more than this with a surer one go.
 * @param smaller what two boxes share is taken of the smaller box, pixels at both ends counting, and not of their
 *   union: a box inside another goes, too.
 * @returns those that stay, the surest first.
 */
export function distinct(boxes, most, smaller = false) {
  const extra = smaller ? 1 : 0;
  const side = (low, high) => f(f(high - low) + extra);
  let waiting = boxes
    .map((one) => ({ one, area: f(side(one.box[0], one.box[2]) * side(one.box[1], one.box[3])) }))
    .sort((a, b) => b.one.probability - a.one.probability);
  const kept = [];
  while (waiting.length) {
    const [first, ...rest] = waiting;
    kept.push(first.one);
    const a = first.one.box;
    waiting = rest.filter(({ one: { box: b }, area }) => {
      const wide = Math.max(0, side(Math.max(a[0], b[0]), Math.min(a[2], b[2])));
      const high = Math.max(0, side(Math.max(a[1], b[1]), Math.min(a[3], b[3])));
      const shared = f(wide * high);
      const whole = smaller ? Math.min(first.area, area) : f(f(first.area + area) - shared);
      return shared <= f(most * whole);
    });
  }
  return kept;
}

/** The square over the middle of a box, as wide as its longer edge. */
function squared([x1, y1, x2, y2]) {
  const wide = f(x2 - x1),
    high = f(y2 - y1),
    longest = Math.max(wide, high);
  const left = f(f(x1 + f(wide * 0.5)) - f(longest * 0.5)),
    top = f(f(y1 + f(high * 0.5)) - f(longest * 0.5));
  return [left, top, f(left + longest), f(top + longest)];
}

/** A box whose ends are moved by shares of its edges. */
function moved(box, shifts) {
  const edges = [f(f(box[2] - box[0]) + 1), f(f(box[3] - box[1]) + 1)];
  return box.map((end, i) => f(end + f(shifts[i] * edges[i % 2])));
}
