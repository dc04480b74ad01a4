// The detector on the GPU, in a worker of its own: a driver that hangs takes nothing else with it.
//
// Messages in: {start: {page, size, force}}, {crops, count}. Messages out: {how}, {answers}, or {error}.

import { startOnGpu } from "./runtime.js";

let detector;

self.onmessage = async ({ data: { start, crops, count } }) => {
  try {
    if (!start) return self.postMessage({ answers: await detector(crops, count) });
    const started = await startOnGpu(start.page, start.size, start.force);
    detector = started.detector;
    self.postMessage({ how: started.how });
  } catch (error) {
    self.postMessage({ error: error.message ?? String(error) });
  }
};
