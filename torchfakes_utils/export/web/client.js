// The page's side of the worker: questions go out with a number, answers come back with it.

/** What the worker could not do. `kind` is "photo" where another photo may help, "start" where nothing here will. */
class JudgeError extends Error {
  constructor(message, kind) {
    super(message);
    this.kind = kind;
  }
}

export class Client {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #next = 0;

  /**
   * @param onLoaded is called for every piece of the networks that has come: bytes of it and of all.
   * @param onHow is called when the networks run elsewhere than before.
   */
  constructor({ onLoaded, onHow }) {
    this.#worker.onmessage = ({ data }) => {
      if (data.loaded) return onLoaded(data.loaded, data.total);
      if (data.how) return onHow(data.how);
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) reject(new JudgeError(data.error, data.kind));
      else resolve(data.result);
    };
    // A worker that cannot even be loaded says no more than that.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message ? ` (${event.message})` : "";
      const advice = "copy the whole folder again, or use a newer browser";
      const message = `A part of this page cannot be loaded${reason}; ${advice}.`;
      for (const { reject } of this.#waiting.values()) reject(new JudgeError(message, "start"));
      this.#waiting.clear();
    };
  }

  /** Load the networks; `force` is "wasm" or "webgpu", for tests. */
  start(force) {
    return this.#ask({ start: { force } });
  }

  /**
   * Judge a picture.
   *
   * @param source a Blob, or an ImageBitmap, which goes over to the worker.
   * @param name what it is called.
   * @param passes how many search passes are made at most; all there are where not given.
   */
  judge(source, name, { notes = [], passes } = {}) {
    return this.#ask({ judge: { source, name, notes, passes } }, source instanceof Blob ? [] : [source]);
  }

  #ask(message, transfer = []) {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message }, transfer);
    });
  }
}
