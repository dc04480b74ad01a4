// What the page says of itself: what it runs, where its answers end, and how good it was when it was measured.

const whole = (value) => value.toFixed(0);

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

/** Threshold, ranges, and what the run's report says. */
export function showAbout(element, { page, detector }) {
  const { threshold, ranges, caution, notes } = detector.decision;
  element.fixed.hidden = notes.length > 0;
  element.caution.hidden = !caution;
  element.caution.textContent = `Caution: ${caution}.`;
  const lines = [
    `Threshold: ${threshold.toFixed(2)}`,
    ...within(ranges.outside, " %", "Share of a crop outside of the picture"),
    ...within(ranges.face, " px", "Size of a face that gets an answer"),
    ...within(ranges.brightness, "", "Brightness (mean, of 255)"),
    ...within(ranges.contrast, "", "Contrast (standard deviation)"),
    ...within(ranges.sharpness, "", "Sharpness (variance of the Laplacian)"),
  ];
  element.ranges.replaceChildren(...lines.map(item));
  element["measured-lines"].replaceChildren(...page.measured.map(item));
  element.measured.hidden = !page.measured.length;
}

function within([low, high] = [null, null], unit, what) {
  if (low == null && high == null) return [];
  if (high == null) return [`${what}: ${whole(low)}${unit} or more`];
  if (low == null) return [`${what}: ${whole(high)}${unit} or less`];
  return [`${what}: ${whole(low)} to ${whole(high)}${unit}`];
}

const item = (text) => Object.assign(document.createElement("li"), { textContent: text });
