// A picture in, a verdict out: find the faces, cut them, ask the detector. It knows neither the page nor the runtime.

import { detect } from "./cascade.js";
import { planes, resizeSmooth, squareCrop } from "./pixels.js";
import { steadied } from "./steadying.js";
import { faceVerdict, outside, overall, probability, qualities } from "./verdict.js";

/**
 * Everybody in a picture, the most prominent first.
 *
 * @param image the picture, {data, width, height, step}.
 * @param networks see `cascade.js`'s `detect`.
 * @param detection `face_detection` of detector.json. search_passes: tried in turn until one finds somebody;
 *   min_probability: how sure the face detector has to be. far_passes: those for small faces, of which the ones count
 *   that have the largest from_lines of those up to the picture's lines: the first where somebody was found near, whom
 *   it adds to if it is sure by far_probability; else all, in turn.
 */
export async function people(image, networks, detection) {
  const shorter = Math.min(image.width, image.height);
  const far = detection.far_passes.filter((pass) => pass.from_lines <= shorter);
  const farthest = Math.max(...far.map((pass) => pass.from_lines));
  const fitting = far.filter((pass) => pass.from_lines === farthest);
  let found = await firstOf(detection.search_passes);
  if (!found.length) found = await firstOf(fitting);
  else if (fitting.length) {
    const others = await sure(fitting[0], detection.far_probability);
    found.push(...others.filter((other) => !found.some((face) => covers(face.box, other.box))));
  }
  return found.sort((a, b) => weight(b) - weight(a));

  /** Those that the first of some passes finds which finds any. */
  async function firstOf(passes) {
    let last = null;
    for (const pass of passes) {
      const shown = { ...pass, lines: Math.min(pass.lines, shorter) };
      // A small picture is shown whole already: a finer pass would be the same again.
      if (last && last.min_face === shown.min_face && last.lines === shown.lines) continue;
      last = shown;
      const faces = await sure(shown, detection.min_probability);
      if (faces.length) return faces;
    }
    return [];
  }

  async function sure(pass, least) {
    const faces = await detect(image, { ...pass, lines: Math.min(pass.lines, shorter) }, networks);
    return faces.filter((face) => face.probability >= Math.fround(least));
  }
}

/** Whether two boxes share half of the smaller one. */
function covers(a, b) {
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const shared = (from) => Math.max(0, Math.min(a[from + 2], b[from + 2]) - Math.max(a[from], b[from]));
  return shared(0) * shared(1) > Math.min(area(a), area(b)) / 2;
}

const weight = ({ box, probability }) => probability * (box[2] - box[0]) * (box[3] - box[1]);

/**
 * Judge a picture.
 *
 * @param image the picture.
 * @param networks also with detector(crops, count): a promise of {logits, distances}, arrays, of crops (count, 3, size,
 *   size) uint8.
 * @param settings preprocessing, decision and face_detection of detector.json.
 * @param path what the picture is called.
 * @returns prediction, as `torchfakes predict --json` gives it, and the crops as they were cut, one a face.
 */
export async function judge(image, networks, settings, path = "", notes = []) {
  const { preprocessing, decision } = settings;
  const everybody = await people(image, networks, settings.face_detection);
  const found = [];
  for (const { box, probability } of everybody.slice(0, settings.face_detection.most_people))
    found.push({ box: await steadied(image, box, networks.onet), probability });
  const crops = found.map(({ box }) => squareCrop(image, box, preprocessing.crop_scale, preprocessing.crop_size));
  const { logits, distances } = await answers(crops, networks.detector, preprocessing.size);
  const faces = found.map(({ box, probability: sure }, number) => {
    const distance = measured(distances[number], decision);
    const seen = qualities(crops[number], box, image, preprocessing.crop_scale, distance);
    const frame = {
      frame: 0,
      time: 0,
      box: box.map((end) => Number(end.toFixed(1))),
      face_probability: sure,
      probability_fake: probability(logits[number], decision.temperature),
      cannot_tell: outside(decision.ranges, seen),
      distance: Number.isFinite(distance) ? distance : null,
    };
    return faceVerdict(number, [frame], decision);
  });
  const cautions = decision.caution ? [`caution: ${decision.caution}`] : [];
  const left = everybody.length - found.length;
  const verb = left > 1 ? "s were" : " was";
  const others = left ? [`${left} more face${verb} not judged: the ${found.length} most prominent ones were`] : [];
  return { prediction: overall(path, faces, decision, [...notes, ...others, ...cautions], left), crops };
}

/** A distance: NaN where none is measured, infinite where one is and is no number. */
export function measured(distance, decision) {
  if (!decision.measures_distance) return NaN;
  return Number.isFinite(distance) ? distance : Infinity;
}

/** What the detector says of crops. */
async function answers(crops, detector, size) {
  const logits = [],
    distances = [];
  // A few at a time: a photo of a crowd must not take a gigabyte.
  for (let start = 0; start < crops.length; start += 8) {
    const batch = crops.slice(start, start + 8);
    const input = new Uint8Array(batch.length * 3 * size * size);
    batch.forEach((crop, i) => {
      const sized = crop.width === size ? crop : resizeSmooth(crop, size, size);
      input.set(planes(sized), i * 3 * size * size);
    });
    const found = await detector(input, batch.length);
    logits.push(...found.logits);
    distances.push(...found.distances);
  }
  return { logits, distances };
}
