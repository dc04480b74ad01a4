// Who is in front of the camera: faces of one frame are matched with those of the last ones, so that a verdict rests on
// some seconds and not on one frame, as that of a video does (torchfakes_utils/faces/tracking.py).

import { faceVerdict } from "./verdict.js";

// Frames that a verdict rests on, as many as `torchfakes predict` takes of a video.
const FRAMES = 16;
// Seconds after which somebody who is not seen any more is forgotten.
const PATIENCE = 2;
// A face is the same one if it has moved by less than this share of its edge, and grown or shrunk by less than so much.
const MOVED = 0.8,
  GROWN = 2;

export class Live {
  #people = [];

  constructor(decision) {
    this.decision = decision;
  }

  /**
   * Take in what was found in one frame.
   *
   * @param faces of a prediction.
   * @param time of the frame, seconds.
   * @returns a verdict on everybody who is there now, by number; `frames` ends with this one.
   */
  add(faces, time) {
    this.#people = this.#people.filter((person) => time - person.seen <= PATIENCE);
    const frames = faces.map((face) => ({ ...face.frames[0], time }));
    const matched = matches(
      this.#people.map((person) => person.frames.at(-1).box),
      frames.map((frame) => frame.box),
    );
    const present = frames.map((frame, i) => {
      const person = matched.has(i) ? this.#people[matched.get(i)] : this.#stranger();
      person.frames = [...person.frames, frame].slice(-FRAMES);
      person.seen = time;
      return person;
    });
    return present
      .map((person) => faceVerdict(person.number, person.frames, this.decision))
      .sort((a, b) => a.face - b.face);
  }

  #stranger() {
    const taken = new Set(this.#people.map((person) => person.number));
    let number = 0;
    while (taken.has(number)) number++;
    const person = { number, frames: [], seen: 0 };
    this.#people.push(person);
    return person;
  }
}

/** Which new face (key) is which known one (value): the nearest pairs first. */
function matches(known, faces) {
  const pairs = [];
  known.forEach((a, person) => {
    faces.forEach((b, face) => {
      const edges = [edge(a), edge(b)];
      const distance =
        Math.hypot(middle(a, 0) - middle(b, 0), middle(a, 1) - middle(b, 1)) / ((edges[0] + edges[1]) / 2);
      const ratio = Math.max(edges[0] / edges[1], edges[1] / edges[0]);
      if (distance <= MOVED && ratio <= GROWN) pairs.push({ person, face, distance });
    });
  });
  const matched = new Map(),
    taken = new Set();
  for (const { person, face } of pairs.sort((a, b) => a.distance - b.distance)) {
    if (matched.has(face) || taken.has(person)) continue;
    matched.set(face, person);
    taken.add(person);
  }
  return matched;
}

const edge = (box) => Math.max(box[2] - box[0], box[3] - box[1], 1e-6);
const middle = (box, axis) => (box[axis] + box[axis + 2]) / 2;
