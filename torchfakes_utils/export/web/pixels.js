// Pictures as arrays of bytes: cutting, resizing and measuring, as OpenCV and torchvision do it in training.
//
// A network that meets crops resized in another way than those of its training answers another question. So nothing
// here is left to the browser's own scaling, which differs from one browser to the next.
//
// A picture is {data, width, height, step}: bytes row by row, `step` of them a pixel, of which the first three are
// red, green and blue. What these functions make has a step of 3, or of 1 where it is grey.

/** The nearest whole number; of two, the even one, as Python and OpenCV round. */
export function roundEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

const toByte = (value) => (value <= 0 ? 0 : value >= 255 ? 255 : roundEven(value));

/** Which source pixels make an output pixel, and with what weight, where a side shrinks by averaging (INTER_AREA). */
function areaTable(from, to) {
  const scale = from / to;
  const at = [],
    source = [],
    weight = [];
  const add = (out, index, share) => {
    at.push(out);
    source.push(index);
    weight.push(share);
  };
  for (let out = 0; out < to; out++) {
    const start = out * scale,
      end = start + scale;
    const cell = Math.min(scale, from - start);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(start), last);
    // What covers less than a thousandth of a pixel is left out.
    if (first - start > 1e-3) add(out, first - 1, (first - start) / cell);
    for (let index = first; index < last; index++) add(out, index, 1 / cell);
    if (end - last > 1e-3) add(out, last, Math.min(Math.min(end - last, 1), cell) / cell);
  }
  return { at: Int32Array.from(at), source: Int32Array.from(source), weight: Float32Array.from(weight) };
}

/**
 * Shrink by averaging over all pixels, as cv2.resize with INTER_AREA.
 *
 * @param image any step; no side may grow.
 * @returns a picture of `width` x `height`.
 */
export function resizeArea(image, width, height) {
  const { data, step } = image;
  const channels = Math.min(step, 3);
  const across = areaTable(image.width, width),
    down = areaTable(image.height, height);
  const count = across.at.length;
  // Exactly halved, a mean that lies between two levels goes up.
  const halved = image.width === 2 * width && image.height === 2 * height;
  const level = halved ? (value) => Math.floor(value + 0.5) : toByte;
  const line = new Float32Array(width * channels),
    sum = new Float32Array(width * channels);
  const out = new Uint8Array(width * height * channels);
  for (let entry = 0; entry < down.at.length; entry++) {
    line.fill(0);
    const row = down.source[entry] * image.width;
    for (let k = 0; k < count; k++) {
      const from = (row + across.source[k]) * step,
        to = across.at[k] * channels,
        share = across.weight[k];
      for (let c = 0; c < channels; c++) line[to + c] += data[from + c] * share;
    }
    const share = down.weight[entry];
    for (let i = 0; i < sum.length; i++) sum[i] += line[i] * share;
    if (entry + 1 === down.at.length || down.at[entry + 1] !== down.at[entry]) {
      const start = down.at[entry] * sum.length;
      for (let i = 0; i < sum.length; i++) out[start + i] = level(sum[i]);
      sum.fill(0);
    }
  }
  return { data: out, width, height, step: channels };
}

/** Of every output pixel, the first source pixel of `taps` and their weights; the pixels' centres are aligned. */
function tapTable(from, to, taps, weights) {
  const scale = from / to;
  const source = new Int32Array(to * taps),
    weight = new Float32Array(to * taps);
  for (let out = 0; out < to; out++) {
    const centre = (out + 0.5) * scale - 0.5,
      floor = Math.floor(centre);
    const shares = weights(centre - floor);
    for (let tap = 0; tap < taps; tap++) {
      // The outermost pixels are repeated.
      source[out * taps + tap] = Math.min(Math.max(floor + tap + 1 - taps / 2, 0), from - 1);
      weight[out * taps + tap] = shares[tap];
    }
  }
  return { source, weight };
}

// Keys' cubic convolution (1981), with a = -0.75 as OpenCV has it.
function cubicWeights(x) {
  const a = -0.75,
    y = 1 - x;
  const shares = [
    ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a,
    ((a + 2) * x - (a + 3)) * x * x + 1,
    ((a + 2) * y - (a + 3)) * y * y + 1,
  ];
  return [...shares, 1 - shares[0] - shares[1] - shares[2]];
}

const linearWeights = (x) => [1 - x, x];

function resizeTaps(image, width, height, taps, weights) {
  const { data, step } = image;
  const channels = Math.min(step, 3);
  const across = tapTable(image.width, width, taps, weights),
    down = tapTable(image.height, height, taps, weights);
  const lines = new Float32Array(image.height * width * channels);
  for (let y = 0, to = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++, to++) {
        let sum = 0;
        for (let k = x * taps; k < (x + 1) * taps; k++) {
          sum += data[(y * image.width + across.source[k]) * step + c] * across.weight[k];
        }
        lines[to] = sum;
      }
    }
  }
  const out = new Uint8Array(width * height * channels),
    stride = width * channels;
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < stride; i++) {
      let sum = 0;
      for (let k = y * taps; k < (y + 1) * taps; k++) sum += lines[down.source[k] * stride + i] * down.weight[k];
      out[y * stride + i] = toByte(sum);
    }
  }
  return { data: out, width, height, step: channels };
}

/** Enlarge as cv2.resize with INTER_CUBIC. */
export const resizeCubic = (image, width, height) => resizeTaps(image, width, height, 4, cubicWeights);

/** Enlarge as cv2.resize with INTER_LINEAR. */
export const resizeLinear = (image, width, height) => resizeTaps(image, width, height, 2, linearWeights);

/** Of every output pixel, the span of source pixels under a triangle as wide as the scale, and their weights. */
function triangleTable(from, to) {
  const scale = from / to,
    support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, out) => {
    const centre = (out + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), from);
    const shares = [];
    for (let index = first; index < last; index++) {
      shares.push(Math.max(0, 1 - Math.abs((index - centre + 0.5) / support)));
    }
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { first, shares: shares.map((share) => share / total) };
  });
}

/** Resize as torchvision does with antialias=True (bilinear, 8 bits kept between the two directions). */
export function resizeSmooth(image, width, height) {
  const across = triangleTable(image.width, width),
    down = triangleTable(image.height, height);
  const lines = new Uint8Array(image.height * width * 3),
    out = new Uint8Array(width * height * 3);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      const { first, shares } = across[x];
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < shares.length; k++) {
          sum += image.data[(y * image.width + first + k) * image.step + c] * shares[k];
        }
        lines[(y * width + x) * 3 + c] = toByte(sum);
      }
    }
  }
  for (let y = 0; y < height; y++) {
    const { first, shares } = down[y];
    for (let i = 0; i < width * 3; i++) {
      let sum = 0;
      for (let k = 0; k < shares.length; k++) sum += lines[(first + k) * width * 3 + i] * shares[k];
      out[y * width * 3 + i] = toByte(sum);
    }
  }
  return { data: out, width, height, step: 3 };
}

/**
 * Cut a square round a face and bring it to one size (`square_crop` of torchfakes_utils/faces/detection.py).
 *
 * @param image the whole picture.
 * @param box x1, y1, x2, y2 of the face; the square may reach over the picture, whose outermost pixels are repeated.
 * @param scale edge of the square over the longer edge of the box.
 * @param size edge of the result, pixels.
 */
export function squareCrop(image, box, scale, size) {
  const [left, top, edge] = squareOf(box, scale);
  const cut = cutOut(image, left, top, edge);
  if (edge === size) return cut;
  return edge > size ? resizeArea(cut, size, size) : resizeCubic(cut, size, size);
}

/** Left, top and edge of the square that `squareCrop` cuts. */
export function squareOf([x1, y1, x2, y2], scale) {
  const edge = Math.max(1, roundEven(scale * Math.max(x2 - x1, y2 - y1)));
  return [roundEven((x1 + x2 - edge) / 2), roundEven((y1 + y2 - edge) / 2), edge];
}

/** How much of a crop lies outside of the picture, per cent (`percent_outside` of torchfakes_utils/faces/quality.py). */
export function percentOutside(image, box, scale) {
  const [left, top, edge] = squareOf(box, scale);
  const seen = (start, length) => Math.max(0, Math.min(start + edge, length) - Math.max(start, 0));
  return 100 * (1 - (seen(left, image.width) * seen(top, image.height)) / edge ** 2);
}

function cutOut(image, left, top, edge) {
  const { data, step } = image;
  const out = new Uint8Array(edge * edge * 3);
  for (let y = 0, to = 0; y < edge; y++) {
    const row = Math.min(Math.max(top + y, 0), image.height - 1) * image.width;
    for (let x = 0; x < edge; x++, to += 3) {
      const from = (row + Math.min(Math.max(left + x, 0), image.width - 1)) * step;
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    }
  }
  return { data: out, width: edge, height: edge, step: 3 };
}

/** Red, green and blue one after the other, (3, H, W), as networks take a picture. */
export function planes(image) {
  const area = image.width * image.height;
  const out = new Uint8Array(3 * area);
  for (let i = 0, from = 0; i < area; i++, from += image.step) {
    out[i] = image.data[from];
    out[area + i] = image.data[from + 1];
    out[2 * area + i] = image.data[from + 2];
  }
  return out;
}

/** Luma by ITU-R BT.601 in whole steps, as cv2.cvtColor makes it. */
export function grey(image) {
  const out = new Uint8Array(image.width * image.height);
  for (let i = 0, from = 0; i < out.length; i++, from += image.step) {
    out[i] = (image.data[from] * 9798 + image.data[from + 1] * 19235 + image.data[from + 2] * 3735 + 16384) >> 15;
  }
  return { data: out, width: image.width, height: image.height, step: 1 };
}

/** Pixels: the size at which crops are measured, `_SIZE` of torchfakes_utils/faces/quality.py. */
const MEASURED = 160;

function atSize(image, size) {
  if (image.width === size && image.height === size) return image;
  return (Math.max(image.width, image.height) > size ? resizeArea : resizeLinear)(image, size, size);
}

/** Sharpness: the variance of the Laplacian at `size` x `size` pixels (torchfakes_utils/faces/quality.py). */
export function varianceOfLaplacian(image, size = MEASURED) {
  const { data } = atSize(grey(image), size);
  // Over the edge the picture is mirrored, and its outermost pixel is not repeated.
  const mirrored = (at) => (at < 0 ? -at : at >= size ? 2 * size - 2 - at : at);
  let sum = 0,
    squares = 0;
  for (let y = 0; y < size; y++) {
    const above = mirrored(y - 1) * size,
      below = mirrored(y + 1) * size;
    for (let x = 0; x < size; x++) {
      const beside = data[y * size + mirrored(x - 1)] + data[y * size + mirrored(x + 1)];
      const value = data[above + x] + data[below + x] + beside - 4 * data[y * size + x];
      sum += value;
      squares += value * value;
    }
  }
  const count = size * size;
  return squares / count - (sum / count) ** 2;
}

/** Brightness and contrast: mean and standard deviation of the luma of every second pixel, at `size` x `size` pixels. */
export function light(picture, size = MEASURED) {
  const image = atSize(picture, size);
  let sum = 0,
    squares = 0,
    count = 0;
  for (let y = 0; y < image.height; y += 2) {
    for (let x = 0; x < image.width; x += 2) {
      const from = (y * image.width + x) * image.step;
      const luma = 0.299 * image.data[from] + 0.587 * image.data[from + 1] + 0.114 * image.data[from + 2];
      sum += luma;
      squares += luma * luma;
      count++;
    }
  }
  const mean = sum / count;
  return { brightness: mean, contrast: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
}

/**
 * Average over a grid of windows that cover a part of a picture and may overlap (torch's "area" interpolation), and
 * bring the result to the range that MTCNN's networks take, about -1…1.
 *
 * @param image the picture.
 * @param area left, top, right, bottom of the part, pixels.
 * @param out gets (3, height, width) float32, from `offset` on.
 */
export function pool(image, [left, top, right, bottom], width, height, out, offset = 0) {
  const { data, step } = image;
  const inWidth = right - left,
    inHeight = bottom - top,
    plane = width * height;
  const starts = new Int32Array(width),
    ends = new Int32Array(width);
  for (let x = 0; x < width; x++) {
    starts[x] = left + Math.floor((x * inWidth) / width);
    ends[x] = left + Math.ceil(((x + 1) * inWidth) / width);
  }
  for (let y = 0; y < height; y++) {
    const first = top + Math.floor((y * inHeight) / height),
      last = top + Math.ceil(((y + 1) * inHeight) / height);
    for (let x = 0; x < width; x++) {
      let red = 0,
        green = 0,
        blue = 0;
      for (let row = first; row < last; row++) {
        for (let from = (row * image.width + starts[x]) * step, k = starts[x]; k < ends[x]; k++, from += step) {
          red += data[from];
          green += data[from + 1];
          blue += data[from + 2];
        }
      }
      const rows = last - first,
        columns = ends[x] - starts[x],
        to = offset + y * width + x;
      out[to] = normalised(red, rows, columns);
      out[to + plane] = normalised(green, rows, columns);
      out[to + 2 * plane] = normalised(blue, rows, columns);
    }
  }
}

// In the same steps as torch, each in 32 bits: candidates near a limit fall on the same side of it.
const normalised = (sum, rows, columns) => Math.fround(Math.fround(Math.fround(sum / rows) / columns) - 127.5) / 128;
