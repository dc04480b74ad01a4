// What the page says of itself: what it runs, where its answers end, and how good it was when it was measured.

import { fixed } from "./verdict.js";

const percent = (share) => `${Number((100 * share).toPrecision(3))} %`;

/** How the networks run. */
export function showHow(element, { page, detector, how }) {
  const network = `${detector.source.architecture} (${page.detector.precision})`;
  const gpu = how.on === "WebGPU" && how.gpu ? ` (${how.gpu})` : "";
  const threads = how.threads > 1 ? ` with ${how.threads} threads` : "";
  const speed = `${Math.max(1, Math.round(how.milliseconds))} ms a face`;
  element.state.textContent = `Ready. ${network} runs on ${how.on}${gpu}${threads}, ${speed}.`;
  const note = page.detector.note ? ` (${page.detector.note})` : "";
  const unused = how.on !== "WebGPU" && how.gpu ? ` WebGPU is not used: ${how.gpu}.` : "";
  const { architecture, weights_sha256: digest } = detector.source;
  element.made.textContent =
    `${architecture} ${digest.slice(0, 12)}, ${page.detector.precision}${note}; ` +
    `exported by TorchFakes ${detector.torchfakes}; run by ${page.runtime}.${unused}`;
}

/** Both thresholds and how often they were wrong, ranges, scope, and what the run's report says. */
export function showAbout(element, { page, detector }) {
  const { ranges, caution, silence, scope, meaning, photo, film, fewest_frames: fewest } = detector.decision;
  element.fixed.hidden = Boolean(silence);
  element.caution.hidden = !caution;
  element.caution.textContent = `Caution: ${caution}.`;
  element.meaning.textContent = meaning;
  element.scope.textContent = `The detector: ${scope.line}.`;
  element.bands.replaceChildren(
    ...(silence ? [`No verdict is given: ${silence}.`] : []).map(item),
    ...[...band("In a photo", photo), ...band(`Before the camera, from ${fewest} usable looks on`, film)].map(item),
  );
  const lines = [
    ...within(ranges.outside, " %", "Share of a crop outside of the picture"),
    ...within(ranges.face, " px", "Size of a face that gets an answer"),
    ...within(ranges.brightness, "", "Brightness (mean, of 255)"),
    ...within(ranges.contrast, "", "Contrast (standard deviation)"),
    ...within(ranges.sharpness, "", "Sharpness (variance of the Laplacian)"),
    ...within(ranges.distance, "", "Distance from the faces of training (standard deviations)", 1),
  ];
  element.ranges.replaceChildren(...lines.map(item));
  element["measured-lines"].replaceChildren(...page.measured.map(item));
  element.measured.hidden = !page.measured.length;
}

/** One band in a few lines: its thresholds, how often it was wrong, and how often it said nothing. */
function band(where, { fake_from: from, real_to: to, rate, silent_real: real, silent_fake: fake }) {
  if (!from.length && to === null) return [];
  const several = from.length > 3 && from[3] !== from[0] ? ` (${threshold(from[3])} among four faces)` : "";
  const limits = [
    from.length ? `fake from ${threshold(from[0])} on${several}` : "never fake",
    to === null ? "never real" : `real up to ${threshold(to)}`,
  ];
  const lines = [`${where}: ${limits.join(", ")}.`];
  if (from.length) lines.push(sentence(rate.fake));
  if (to !== null) lines.push(sentence(rate.real));
  if (real !== null && fake !== null) {
    lines.push(`No answer: ${percent(real)} of the real ones, ${percent(fake)} of the fakes.`);
  }
  return [lines.join(" ")];
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

/** Two digits, or as many as tell it from 0 and 1. */
function threshold(value) {
  const digits = [2, 3, 4, 5].find((one) => !["0", "1"].includes(String(Number(fixed(value, one))))) ?? 6;
  return fixed(value, digits);
}

function within([low, high] = [null, null], unit, what, digits = 0) {
  const text = (value) => value.toFixed(digits);
  if (low == null && high == null) return [];
  if (high == null) return [`${what}: ${text(low)}${unit} or more`];
  if (low == null) return [`${what}: ${text(high)}${unit} or less`];
  return [`${what}: ${text(low)} to ${text(high)}${unit}`];
}

const item = (text) => Object.assign(document.createElement("li"), { textContent: text });
