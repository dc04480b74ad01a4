// The networks, run by onnxruntime-web: WebAssembly everywhere, a GPU where it is faster and gives the right answer.

// What onnxruntime-web consists of, for each of its builds: its interface, its loader, its compiled code.
const BUILDS = {
  wasm: ["ort/ort.wasm.min.js", "ort/ort-wasm-simd-threaded.js", "ort/ort-wasm-simd-threaded.wasm"],
  webgpu: [
    "ort/ort.webgpu.min.js",
    "ort/ort-wasm-simd-threaded.asyncify.js",
    "ort/ort-wasm-simd-threaded.asyncify.wasm",
  ],
};
// More threads than this hardly help with crops of this size, and take cores from everything else.
const MOST_THREADS = 4;
// Milliseconds after which a browser in which the runtime does not start gets to know that.
const INIT = 60_000;
// Of how many runs the fastest counts when WebAssembly and GPU are compared.
const TIMED = 5;

/** Something that the page cannot do its work without; its text is for people. */
export class StartError extends Error {}

const here = (name) => new URL(name, import.meta.url).href;

/**
 * A file of this folder, whole.
 *
 * @param onBytes is called for every piece that has come, by its length.
 */
async function fetchBytes(name, onBytes = () => {}) {
  let response;
  try {
    response = await fetch(here(name));
  } catch {
    throw new StartError(`${name} cannot be loaded; is the server that this page comes from still running?`);
  }
  if (!response.ok) {
    throw new StartError(`${name} is missing (the server answers ${response.status}); copy the whole folder again.`);
  }
  const pieces = [];
  try {
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      onBytes(value.length);
    }
  } catch {
    throw new StartError(`${name} came only in part; load this page again.`);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

export async function fetchJson(name) {
  try {
    return JSON.parse(new TextDecoder().decode(await fetchBytes(name)));
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${name} cannot be read; copy the whole folder again.`);
  }
}

/** One of the builds, ready to make sessions. Threads need a page that is isolated from other origins. */
async function load(build, threads, onBytes) {
  const [code, loader, binary] = BUILDS[build];
  const wasmBinary = await fetchBytes(binary, onBytes);
  let ort;
  try {
    ort = await import(here(code));
  } catch {
    throw new StartError(`${code} cannot be loaded; copy the whole folder again.`);
  }
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.initTimeout = INIT;
  ort.env.wasm.wasmBinary = wasmBinary;
  ort.env.wasm.wasmPaths = { mjs: here(loader), wasm: here(binary) };
  return ort;
}

async function session(ort, name, bytes, provider = "wasm") {
  try {
    // Errors alone: of an export by other versions, the runtime else says on the console which nodes it runs where.
    return await ort.InferenceSession.create(bytes, { executionProviders: [provider], logSeverityLevel: 3 });
  } catch (error) {
    throw new StartError(`${name} cannot be run in this browser (${error.message ?? error}).`);
  }
}

const detectorOn = (ort, running, size) => async (crops, count) => {
  const outputs = await running.run({ crops: new ort.Tensor("uint8", crops, [count, 3, size, size]) });
  return { logits: Array.from(outputs.logit.data), distances: Array.from(outputs.distance.data) };
};

const faceNetworkOn = (ort, running) => (pixels, count, height, width) =>
  running.run({ [running.inputNames[0]]: new ort.Tensor("float32", pixels, [count, 3, height, width]) });

/**
 * Load everything on WebAssembly and make sure that it computes what Python did.
 *
 * @param page what page.json says.
 * @param size edge of the network's input, pixels.
 * @param onBytes is called for every piece that has come.
 * @returns networks for `judge`, and `how` they run.
 */
export async function start(page, size, onBytes) {
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  const files = ["pnet.onnx", "rnet.onnx", "onet.onnx", page.detector.file];
  const [ort, ...bytes] = await Promise.all([
    load("wasm", threads, onBytes),
    ...files.map((name) => fetchBytes(name, onBytes)),
  ]);
  // One after the other: two sessions at once compete for the same threads.
  const running = [];
  for (const [i, name] of files.entries()) running.push(await session(ort, name, bytes[i]));
  const [pnet, rnet, onet, detector] = running;
  const networks = {
    pnet: faceNetworkOn(ort, pnet),
    rnet: faceNetworkOn(ort, rnet),
    onet: faceNetworkOn(ort, onet),
    detector: detectorOn(ort, detector, size),
  };
  const { wrong, error, milliseconds } = await selfTest(networks.detector, page.self_test, size);
  if (wrong) {
    throw new StartError(
      "The detector computes something else in this browser than where it was exported " +
        `(${wrong}); what it would say here cannot be trusted. Try another browser.`,
    );
  }
  return { networks, how: { on: "WebAssembly", threads, error, milliseconds } };
}

/**
 * The detector on the GPU.
 *
 * @param force also a GPU that is emulated; for tests.
 * @returns detector, and `how` it runs.
 */
export async function startOnGpu(page, size, force) {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) throw new StartError("this browser offers no GPU");
  if (adapter.info?.isFallbackAdapter && !force) throw new StartError("the GPU is emulated");
  const ort = await load("webgpu", 1);
  const running = await session(ort, page.detector.file, await fetchBytes(page.detector.file), "webgpu");
  const detector = detectorOn(ort, running, size);
  const { wrong, error, milliseconds } = await selfTest(detector, page.self_test, size);
  if (wrong) throw new StartError(`on the GPU ${wrong}`);
  const name = adapter.info?.description || adapter.info?.vendor || "";
  return { detector, how: { on: "WebGPU", threads: 1, error, milliseconds, gpu: name } };
}

/** By how much answers to known crops are off, what is wrong with them ("": nothing), and how long a crop takes. */
async function selfTest(detector, expected, size) {
  const crops = probePictures(size);
  const found = await detector(crops, 2);
  const error = farthest(found.logits, expected.logits),
    distance = farthest(found.distances, expected.distances);
  let wrong = "";
  if (!(error <= expected.tolerance)) wrong = `a logit is off by ${Number(error).toFixed(3)}`;
  else if (!(distance <= expected.distance_tolerance)) wrong = `a distance is off by ${Number(distance).toFixed(3)}`;
  const one = crops.subarray(0, 3 * size * size);
  let milliseconds = Infinity;
  for (let run = 0; run < TIMED; run++) {
    const since = performance.now();
    await detector(one, 1);
    milliseconds = Math.min(milliseconds, performance.now() - since);
  }
  return { wrong, error, milliseconds };
}

/** The largest difference; NaN, which is no right answer, where one is no number or their count is another. */
const farthest = (found, expected) =>
  found.length === expected.length ? Math.max(...found.map((value, i) => Math.abs(value - expected[i]))) : NaN;

/** Two pictures of no face that Python makes just so (`web_page.probe_pictures`), (2, 3, size, size). */
function probePictures(size) {
  const area = size * size,
    crops = new Uint8Array(6 * area);
  for (let c = 0, at = 0; c < 3; c++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++, at++) {
        crops[at] = (x * (3 + c) + y * (5 - c) + ((x * y) >> 4)) & 255;
        crops[3 * area + at] = 255 - crops[at];
      }
    }
  }
  return crops;
}
