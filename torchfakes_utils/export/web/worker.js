// All computing is done here, beside the page, which stays free to answer to its user.
//
// Messages in: {id, start: {force}}, {id, judge: {source, name, notes, passes}}.
// Messages out: {loaded, total}, bytes of a piece and of all; {id, result}; {id, error, kind}, kind "start" or "photo";
// {how}, once a GPU has taken over or was found not to be of use.

import { pixelsOf, PhotoError } from "./decode.js";
import { judge } from "./judge.js";
import { fetchJson, start, StartError } from "./runtime.js";

// Milliseconds that a GPU has to get ready, and to judge some faces; then it is given up.
const GPU_START = 60_000,
  GPU_RUN = 10_000;

let page, description, networks;
// One after the other: a second picture waits for the first.
let queue = Promise.resolve();

self.onmessage = ({ data: { id, ...message } }) => {
  const task = message.start ? () => begin(message.start) : () => judged(message.judge);
  queue = queue.then(task).then(
    ({ result, transfer = [] }) => self.postMessage({ id, result }, transfer),
    (error) => self.postMessage({ id, error: textOf(error), kind: error instanceof PhotoError ? "photo" : "start" }),
  );
};

const textOf = (error) =>
  error instanceof StartError || error instanceof PhotoError
    ? error.message
    : `Something unforeseen happened: ${error}`;

async function begin({ force }) {
  description = await fetchJson("detector.json");
  page = await fetchJson("page.json");
  const { size } = description.preprocessing;
  const started = await start(page, size, (loaded) => self.postMessage({ loaded, total: page.bytes }));
  networks = started.networks;
  // Ready at once; a GPU, if any, takes over later. On a phone that takes a while, and may fail in many ways.
  if (force !== "wasm") setTimeout(() => tryGpu(started.how, force === "webgpu"), 500);
  return { result: { how: started.how, page, detector: description } };
}

/** Let a GPU do the detector's work if it gives the right answer sooner; WebAssembly stays, in case it ceases to. */
async function tryGpu(how, force) {
  const gpu = new Worker(new URL("gpu.js", import.meta.url), { type: "module" });
  const onWasm = networks.detector;
  const giveUp = (reason) => {
    gpu.terminate();
    networks.detector = onWasm;
    self.postMessage({ how: { ...how, gpu: reason } });
  };
  try {
    const { how: better } = await ask(gpu, { start: { page, size: description.preprocessing.size, force } }, GPU_START);
    if (better.milliseconds >= how.milliseconds && !force) return giveUp("the GPU is not faster");
    networks.detector = async (crops, count) => {
      try {
        return (await ask(gpu, { crops, count }, GPU_RUN)).answers;
      } catch (error) {
        giveUp(error.message);
        return onWasm(crops, count);
      }
    };
    self.postMessage({ how: better });
  } catch (error) {
    giveUp(error.message);
  }
}

/** One question to the GPU's worker; they come one at a time. */
function ask(gpu, question, patience) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the GPU took longer than ${patience / 1000} s`)), patience);
    gpu.onmessage = ({ data }) => {
      clearTimeout(late);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    gpu.onerror = (event) => {
      event.preventDefault();
      clearTimeout(late);
      reject(new Error(event.message || "the GPU's program cannot be loaded"));
    };
    gpu.postMessage(question);
  });
}

async function judged({ source, name, notes, passes }) {
  const since = performance.now();
  const image = await pixelsOf(source, page.megapixels);
  const detection = description.face_detection;
  const search_passes = detection.search_passes.slice(0, passes);
  const far_passes = passes === undefined ? detection.far_passes : [];
  const chosen = { ...description, face_detection: { ...detection, search_passes, far_passes } };
  const { prediction, crops } = await judge(image, networks, chosen, name, notes);
  const result = {
    prediction,
    crops: crops.map(({ data, width, height }) => ({ data, width, height })),
    width: image.width,
    height: image.height,
    milliseconds: performance.now() - since,
  };
  return { result, transfer: result.crops.map((crop) => crop.data.buffer) };
}
