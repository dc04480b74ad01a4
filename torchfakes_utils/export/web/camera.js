// The camera: a few frames a second, each as soon as the last one is judged.

import { Live } from "./live.js";

// Milliseconds between two frames, at least: more would only heat the device.
const PAUSE = 200;
// Where nobody is found, every so often small faces are looked for, too: that takes longer than a frame may.
const SEARCH = 2000;

const REFUSED = {
  NotAllowedError: "The camera was not allowed. Allow it for this page in the browser’s settings, then try again.",
  SecurityError: "The camera was not allowed. Allow it for this page in the browser’s settings, then try again.",
  NotFoundError: "No camera was found. Connect one, or give a photo.",
  OverconstrainedError: "No camera was found. Connect one, or give a photo.",
  NotReadableError: "The camera is used by another program. Close that, then try again.",
};

/** Why there is no picture from the camera; its text is for people. */
export class CameraError extends Error {}

export class Camera {
  #stream = null;
  #facing = "user";

  /**
   * @param video the element that shows what the camera sees.
   * @param judge judges an ImageBitmap; its second argument says how many search passes are made at most, all there are
   *   if undefined.
   * @param onFrame is called with every frame that was judged: faces, crops, size.
   * @param onEnd is called with the reason, in words, for which the camera has stopped by itself.
   */
  constructor(video, judge, { onFrame, onEnd }) {
    Object.assign(this, { video, judge, onFrame, onEnd });
  }

  get running() {
    return this.#stream !== null;
  }

  /** Whether the picture is to be shown as in a mirror. */
  get mirrored() {
    return this.#facing === "user";
  }

  /** Ask for the camera and begin to judge what it sees, by the `decision` of detector.json. */
  async start(decision) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new CameraError("The camera needs a page from https:// or from localhost. Give a photo instead.");
    }
    let stream;
    try {
      const video = { facingMode: this.#facing, width: { ideal: 1280 }, height: { ideal: 720 } };
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      throw new CameraError(
        REFUSED[error.name] ?? `The camera cannot be used (${error.message}). Give a photo instead.`,
      );
    }
    this.stop();
    this.#stream = stream;
    const [track] = stream.getVideoTracks();
    this.#facing = track.getSettings().facingMode ?? this.#facing;
    track.addEventListener("ended", () => {
      if (this.#stream === stream) this.onEnd("The camera has stopped.");
    });
    this.video.srcObject = stream;
    await this.video.play().catch(() => {}); // stopped in the meantime
    this.#watch(stream, new Live(decision));
  }

  /** Take the camera on the other side of a phone. */
  async other(decision) {
    this.#facing = this.mirrored ? "environment" : "user";
    this.stop();
    await this.start(decision);
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
  }

  async #watch(stream, live) {
    let searched = -Infinity,
      empty = false;
    while (this.#stream === stream) {
      const since = performance.now();
      // Nobody sees a hidden page, so nothing is computed for it.
      if (!document.hidden && this.video.videoWidth) {
        const search = empty && since - searched > SEARCH;
        if (search) searched = since;
        let result;
        try {
          result = await this.judge(await createImageBitmap(this.video), search ? undefined : 1);
        } catch (error) {
          if (this.#stream === stream) this.onEnd(error.message);
          return;
        }
        if (this.#stream !== stream) return;
        const { faces } = result.prediction;
        empty = !faces.length;
        const { crops, order } = inOrder(live, faces, result.crops, since / 1000);
        this.onFrame({ faces: order, crops, width: result.width, height: result.height });
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(20, PAUSE - (performance.now() - since))));
    }
  }
}

/** Verdicts over time, and each one's crop of this frame. */
function inOrder(live, faces, crops, time) {
  const order = live.add(faces, time);
  const place = (face) => faces.findIndex((one) => one.frames[0].box === face.frames.at(-1).box);
  return { order, crops: order.map((face) => crops[place(face)]) };
}

/** Whether this device has more cameras than one; known only once one was allowed. */
export async function severalCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter((device) => device.kind === "videoinput").length > 1;
}
