// One box for one face, wherever the picture begins: it mirrors torchfakes_utils/faces/steadying.py.

import { planes, squareCrop, squareOf } from "./pixels.js";

const SEEN = 48,
  FACE = 96,
  ROOM = 1.5,
  REGION = 144,
  ROUNDS = 2,
  LEAST_SHARED = 0.5;
// Edge of each view, and how far its centre lies from the face's, pixels of the region.
const VIEWS = [
  [FACE, 0, 0],
  [88, 4, 4],
  [88, -4, -4],
  [104, -4, 4],
  [104, 4, -4],
].map(([edge, x, y]) => ({ left: (REGION - edge) / 2 + x, top: (REGION - edge) / 2 + y, edge }));

/**
 * A steadier box of the same face.
 *
 * @param image the whole picture.
 * @param first [x1, y1, x2, y2] in its pixels.
 * @param onet the last network of the cascade, see `cascade.js`.
 * @returns the box; `first` where the face is not found again round it.
 */
export async function steadied(image, first, onet) {
  let box = first;
  for (let round = 0; round < ROUNDS; round++) {
    const [left, top, edge] = squareOf(box, ROOM);
    const picture = squareCrop(image, box, ROOM, REGION);
    const upright = await seen(picture, onet),
      mirrored = await seen(flipped(picture), onet);
    const back = [REGION - mirrored[2], mirrored[1], REGION - mirrored[0], mirrored[3]];
    box = back.map((end, i) => ((end + upright[i]) / 2) * (edge / REGION) + (i % 2 ? top : left));
    if (!isSame(first, box)) return first;
  }
  return box.map(Math.fround);
}

/** Where the views of a region put the face, on average. */
async function seen(region, onet) {
  const input = new Float32Array(VIEWS.length * 3 * SEEN * SEEN);
  VIEWS.forEach(({ left, top, edge }, i) => {
    const view = planes(squareCrop(region, [left, top, left + edge, top + edge], 1, SEEN));
    view.forEach((level, at) => (input[i * view.length + at] = (level - 127.5) * 0.0078125));
  });
  const { offsets } = await onet(input, VIEWS.length, SEEN, SEEN);
  return [0, 1, 2, 3].map((i) => {
    const ends = VIEWS.map(({ left, top, edge }, view) => {
      const start = (i % 2 ? top : left) + (i < 2 ? 0 : edge);
      return start + offsets.data[4 * view + i] * edge;
    });
    return ends.reduce((sum, end) => sum + end, 0) / VIEWS.length;
  });
}

function flipped({ data, width, height, step }) {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * step;
      out.set(data.subarray(from, from + step), (y * width + width - 1 - x) * step);
    }
  }
  return { data: out, width, height, step };
}

/** Whether enough of two boxes is shared (intersection over union). */
function isSame(a, b) {
  const side = (box, i) => Math.max(0, box[i + 2] - box[i]);
  const shared = (i) => Math.max(0, Math.min(a[i + 2], b[i + 2]) - Math.max(a[i], b[i]));
  const both = shared(0) * shared(1);
  return both >= LEAST_SHARED * (side(a, 0) * side(a, 1) + side(b, 0) * side(b, 1) - both);
}
