// A picture in, a verdict out: find the faces, cut them, ask the detector. It knows neither the page nor the runtime.

import { detect } from "./cascade.js";
import { planes, resizeSmooth, squareCrop } from "./pixels.js";
import { faceVerdict, outside, overall, probability, qualities } from "./verdict.js";

/**
 * Everybody in a picture, the most prominent first.
 *
 * @param image the picture, {data, width, height, step}.
 * @param networks see `cascade.js`'s `detect`.
 * @param detection `face_detection` of detector.json. search_passes: tried in turn until one finds somebody;
 *   min_probability: how sure the face detector has to be.
 */
export async function people(image, networks, detection) {
  const shorter = Math.min(image.width, image.height);
  let last = null;
  for (const pass of detection.search_passes) {
    const shown = { ...pass, lines: Math.min(pass.lines, shorter) };
    // A small picture is shown whole already: a finer pass would be the same again.
    if (last && last.min_face === shown.min_face && last.lines === shown.lines) continue;
    last = shown;
    const faces = await detect(image, shown, networks);
    const sure = faces.filter((face) => face.probability >= Math.fround(detection.min_probability));
    if (sure.length) return sure.sort((a, b) => weight(b) - weight(a));
  }
  return [];
}

const weight = ({ box, probability }) => probability * (box[2] - box[0]) * (box[3] - box[1]);

/**
 * Judge a picture.
 *
 * @param image the picture.
 * @param networks also with detector(crops, count): a promise of logits, of crops (count, 3, size, size) uint8.
 * @param settings preprocessing, decision and face_detection of detector.json.
 * @param path what the picture is called.
 * @returns prediction, as `torchfakes predict --json` gives it, and the crops as they were cut, one a face.
 */
export async function judge(image, networks, settings, path = "", notes = []) {
  const { preprocessing, decision } = settings;
  const found = await people(image, networks, settings.face_detection);
  const crops = found.map(({ box }) => squareCrop(image, box, preprocessing.crop_scale, preprocessing.crop_size));
  const logits = await scores(crops, networks.detector, preprocessing.size);
  const faces = found.map(({ box, probability: sure }, number) => {
    const frame = {
      frame: 0,
      time: 0,
      box: box.map((end) => Number(end.toFixed(1))),
      face_probability: sure,
      probability_fake: probability(logits[number], decision.temperature),
      cannot_tell: outside(decision.ranges, qualities(crops[number], box)),
    };
    return faceVerdict(number, [frame], decision.threshold);
  });
  const cautions = decision.caution ? [`caution: ${decision.caution}`] : [];
  return { prediction: overall(path, faces, [...notes, ...cautions]), crops };
}

/** The detector's logits of crops. */
async function scores(crops, detector, size) {
  const logits = [];
  // A few at a time: a photo of a crowd must not take a gigabyte.
  for (let start = 0; start < crops.length; start += 8) {
    const batch = crops.slice(start, start + 8);
    const input = new Uint8Array(batch.length * 3 * size * size);
    batch.forEach((crop, i) => {
      const sized = crop.width === size ? crop : resizeSmooth(crop, size, size);
      input.set(planes(sized), i * 3 * size * size);
    });
    logits.push(...(await detector(input, batch.length)));
  }
  return logits;
}
