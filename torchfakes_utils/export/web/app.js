// The page: what its user does, and what is shown of it.
//
// Other pages and programs may use what this one can do, without its surface:
//   await torchfakes.ready;                        // resolves once the networks are loaded and tested
//   await torchfakes.judge(blob);                  // a Blob or File, or the address of a picture on the same site
// gives what `torchfakes predict --json` prints; a photo that cannot be used is "cannot tell", with the reason.

import { showAbout, showHow } from "./about.js";
import { Camera, CameraError, severalCameras } from "./camera.js";
import { Client } from "./client.js";
import { PhotoError, tooLarge } from "./decode.js";
import { keepOffline } from "./offline.js";
import { overall, refused } from "./verdict.js";
import { sentence, showBoxes, shownFaces, showVerdict, spoken } from "./view.js";

const root = document.documentElement;
const element = Object.fromEntries(Array.from(document.querySelectorAll("[id]"), (one) => [one.id, one]));

// Milliseconds after which a verdict on the camera's picture may be spoken again.
const SPOKEN_EVERY = 5000;

let settings = null; // once loaded: page.json, detector.json, and how the networks run
let failure = ""; // why nothing can be judged
let job = 0; // of what is done with several photos in a row, the last counts

let received = 0;
const client = new Client({
  onLoaded(bytes, total) {
    received += bytes;
    element.progress.value = Math.min(1, received / total);
    element.state.textContent = `Loading the detector: ${Math.round(received / 1e6)} of ${Math.round(total / 1e6)} MB`;
  },
  onHow(how) {
    settings.how = how;
    showHow(element, settings);
  },
});

const ready = begin();
ready.catch(() => {}); // it is shown; whoever uses `torchfakes.ready` gets it, too

window.torchfakes = {
  ready: ready.then(() => undefined),
  get runtime() {
    return settings && { ...settings.how };
  },
  async judge(source) {
    await ready;
    const name = source instanceof Blob ? (source.name ?? "these bytes") : String(source);
    try {
      const blob = source instanceof Blob ? source : await download(source);
      const { notes } = await examine(blob);
      const { prediction } = await client.judge(blob, name, { notes });
      // People count from 1, in the reasons as in all that is shown.
      return { ...prediction, faces: prediction.faces.map((face) => ({ ...face, face: face.face + 1 })) };
    } catch (error) {
      if (error instanceof PhotoError || error.kind === "photo") return refused(name, error.message);
      throw error;
    }
  },
};
window.torchfakes.ready.catch(() => {});

async function begin() {
  root.dataset.script = "on";
  if (!("OffscreenCanvas" in window && "createImageBitmap" in window)) {
    return fail("This browser is too old for this page; use a current Firefox, Chrome, Edge or Safari.");
  }
  try {
    const force = new URLSearchParams(location.search).get("runtime");
    settings = await client.start(force);
  } catch (error) {
    return fail(error.message);
  }
  root.dataset.state = "ready";
  showAbout(element, settings);
  showHow(element, settings);
  keepOffline((take) => {
    element.newer.hidden = false;
    element["use-newer"].onclick = take;
  }).then((kept) => (root.dataset.offline = kept ? "yes" : "no"));
  return settings;
}

function fail(message) {
  failure = message;
  root.dataset.state = "failed";
  element.state.textContent = "The detector is not there.";
  showError(message);
  throw new Error(message);
}

// ---- a photo

/** Judge a photo and show it. */
async function photo(blob, name, notes = []) {
  const mine = ++job;
  if (failure) return showError(failure);
  stopCamera();
  showError("");
  root.dataset.state = "working";
  try {
    const { notes: others, ...shape } = await examine(blob);
    if (mine !== job) return;
    showPhoto(blob, name, shape);
    await ready;
    const { prediction, crops, width, height } = await client.judge(blob, name, { notes: [...notes, ...others] });
    if (mine !== job) return;
    show(prediction, crops, { width, height });
    say(spoken(prediction, settings.detector.decision));
  } catch (error) {
    if (mine !== job) return;
    showDrop();
    if (failure) return showError(failure);
    showError(error instanceof PhotoError || error.kind === "photo" ? `“${name}” ${error.message}` : error.message);
  }
}

/** Refuse what cannot be judged before all of it is decoded. */
async function examine(blob) {
  if (!blob.size) throw new PhotoError("is empty; copy or download it again.");
  if (blob.type.startsWith("video/")) {
    throw new PhotoError(
      "is a video. This page judges photos and what the camera sees; for videos use `torchfakes predict`.",
    );
  }
  const address = URL.createObjectURL(blob);
  const image = new Image();
  try {
    image.src = address;
    await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
    const pixels = image.naturalWidth * image.naturalHeight,
      most = settings?.page.megapixels;
    if (most && pixels > most * 1e6) throw new PhotoError(tooLarge(pixels, most));
  } catch (error) {
    if (error instanceof PhotoError) throw error;
    const heic = /hei[cf]/.test(blob.type) ? "is a HEIC photo, which this browser cannot open; save it as JPEG." : "";
    throw new PhotoError(heic || "is not a picture that this browser can open; give a JPEG, PNG or WebP photo.");
  } finally {
    URL.revokeObjectURL(address);
  }
  const notes = (await moves(blob)) ? ["only the first picture of this animation is looked at"] : [];
  return { notes, width: image.naturalWidth, height: image.naturalHeight };
}

/** Whether a picture is an animation, where the browser tells. */
async function moves(blob) {
  if (!("ImageDecoder" in window) || !/gif|png|webp|avif/.test(blob.type)) return false;
  let decoder;
  try {
    decoder = new ImageDecoder({ data: blob.stream(), type: blob.type });
    await decoder.completed; // before that, any GIF may be one
    return decoder.tracks.selectedTrack.frameCount > 1;
  } catch {
    return false;
  } finally {
    decoder?.close();
  }
}

async function download(address) {
  let response;
  try {
    response = await fetch(address);
  } catch {
    throw new PhotoError("cannot be fetched; this page fetches from its own site only. Give the picture as a Blob.");
  }
  if (!response.ok) throw new PhotoError(`cannot be fetched; the server answers ${response.status}.`);
  return response.blob();
}

function showPhoto(blob, name, shape) {
  const focused = element.drop.contains(document.activeElement);
  URL.revokeObjectURL(element.photo.src);
  element.photo.src = URL.createObjectURL(blob);
  element.photo.alt = `The photo ${name}`;
  showShape(shape);
  element.name.textContent = name;
  element.answer.hidden = true;
  element.busy.hidden = false;
  showBoxes(element, [], { width: 1, height: 1 });
  showStage("photo");
  if (focused) element.another.focus();
  say("Looking at the photo.");
}

function showShape({ width, height }) {
  element.media.style.setProperty("--w", width);
  element.media.style.setProperty("--h", height);
}

function show(prediction, crops, size, mirrored = false) {
  element.busy.hidden = true;
  element.answer.hidden = false;
  root.dataset.state = "shown";
  showBoxes(element, shownFaces(prediction, settings.detector.decision), size, mirrored);
  showVerdict(element, prediction, crops, settings.detector.decision);
}

// ---- the camera

let spokenAt = -Infinity,
  spokenLast = "";
const camera = new Camera(element.video, (bitmap, passes) => client.judge(bitmap, "camera", { passes }), {
  onFrame({ faces, crops, width, height }) {
    showShape({ width, height }); // a phone may be turned
    const { decision } = settings.detector;
    const prediction = overall("camera", faces, decision);
    show(prediction, crops, { width, height }, camera.mirrored);
    const sound = sentence(prediction, decision);
    if (sound !== spokenLast && performance.now() - spokenAt > SPOKEN_EVERY) {
      [spokenAt, spokenLast] = [performance.now(), sound];
      say(`${sound}.`);
    }
  },
  onEnd(why) {
    showDrop();
    showError(why);
  },
});

async function startCamera(start) {
  const mine = ++job;
  showError(failure);
  try {
    await ready;
    await start();
    if (mine !== job) return camera.stop();
    showCamera();
    element.switch.hidden = !(await severalCameras());
  } catch (error) {
    if (mine !== job) return;
    showDrop();
    showError(failure || error.message);
    if (!failure && !(error instanceof CameraError)) throw error;
  }
}

function showCamera() {
  element.name.textContent = "Live; nothing is recorded or sent";
  element.answer.hidden = true;
  element.busy.hidden = true;
  showShape({ width: element.video.videoWidth || 4, height: element.video.videoHeight || 3 });
  showBoxes(element, [], { width: 1, height: 1 });
  showStage("camera");
  element.stop.focus();
  [spokenAt, spokenLast] = [-Infinity, ""];
  say("The camera is on.");
}

function stopCamera() {
  if (!camera.running) return;
  camera.stop();
  say("The camera is off.");
}

// ---- what is on the stage: the place to drop something, a photo, or the camera

function showStage(what) {
  root.dataset.stage = what;
  element.drop.hidden = what !== "drop";
  element.shown.hidden = what === "drop";
  element.photo.hidden = what !== "photo";
  element.video.hidden = what !== "camera";
  element.media.classList.toggle("mirrored", what === "camera" && camera.mirrored);
  element.stop.hidden = what !== "camera";
  element.another.textContent = what === "camera" ? "Choose a photo" : "Another photo";
  element["camera-too"].hidden = what === "camera";
  if (what !== "camera") element.switch.hidden = true;
}

function showDrop() {
  const focused = element.shown.contains(document.activeElement);
  stopCamera();
  URL.revokeObjectURL(element.photo.src);
  element.photo.removeAttribute("src");
  element.answer.hidden = true;
  root.dataset.state = failure ? "failed" : settings ? "ready" : "loading";
  showStage("drop");
  if (focused) element.choose.focus();
}

function showError(message) {
  element.error.textContent = message;
}

function say(words) {
  element.said.textContent = words;
}

// ---- what its user does

/** Judge what was chosen, dropped or pasted: the first file of it. */
function take(files, refusal) {
  const [file, ...more] = files ?? [];
  if (!file) return showError(refusal);
  const notes = more.length ? [`only the first of ${more.length + 1} files is looked at`] : [];
  photo(file, file.name || "pasted picture", notes);
}

element.choose.onclick = element.another.onclick = () => element.file.click();
element.file.onchange = () => {
  if (element.file.files.length) take(element.file.files);
  element.file.value = ""; // so that the same file may be chosen again
};
element.camera.onclick = element["camera-too"].onclick = () =>
  startCamera(() => camera.start(settings.detector.decision));
element.switch.onclick = () => startCamera(() => camera.other(settings.detector.decision));
element.stop.onclick = () => {
  job++;
  showDrop();
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && camera.running) element.stop.click();
});
document.addEventListener("paste", (event) => {
  take(event.clipboardData?.files, "What was pasted is not a picture. Copy the picture itself, not its address.");
});

let over = 0;
document.addEventListener("dragenter", () => root.classList.toggle("dragging", ++over > 0));
document.addEventListener("dragleave", () => root.classList.toggle("dragging", --over > 0));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  over = 0;
  root.classList.remove("dragging");
  take(event.dataTransfer?.files, "What was dropped is not a file. Save the picture first, then drop it here.");
});

if (/Mac|iP(hone|ad)/.test(navigator.platform)) element.key.textContent = "⌘";

// So that tests and others know that everything above is in place.
root.dataset.listening = "yes";
