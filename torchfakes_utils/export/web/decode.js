// From what a browser can show to pixels that can be counted on.

// Rows that are drawn at a time: a phone's canvas has a smaller limit than its photos.
const STRIP = 512;
// A shorter side in which there is room for a face, pixels; see `faces/detection.py`.
export const LEAST_SIDE = 20;

/** A photo that cannot be used; its text is for people. */
export class PhotoError extends Error {}

/**
 * The pixels of a photo as it is displayed: turned as its EXIF data say, in sRGB, on white where it is transparent.
 *
 * @param source a Blob, or an ImageBitmap, which is closed.
 * @param megapixels the most that are taken.
 */
export async function pixelsOf(source, megapixels) {
  let bitmap = source;
  if (source instanceof Blob) {
    try {
      bitmap = await createImageBitmap(source, { imageOrientation: "from-image" });
    } catch {
      throw new PhotoError("is not a picture that this browser can open; give a JPEG, PNG or WebP photo.");
    }
  }
  try {
    const { width, height } = bitmap;
    if (width * height > megapixels * 1e6) throw new PhotoError(tooLarge(width * height, megapixels));
    if (Math.min(width, height) < LEAST_SIDE) {
      const needed = `it needs ${LEAST_SIDE} a side`;
      throw new PhotoError(`has ${width} x ${height} pixels, too small or too thin for a face; ${needed}`);
    }
    return { data: read(bitmap, width, height), width, height, step: 4 };
  } finally {
    bitmap.close();
  }
}

function read(bitmap, width, height) {
  let data;
  try {
    data = new Uint8Array(4 * width * height);
  } catch {
    throw new PhotoError("needs more memory than this browser gives; scale it down.");
  }
  const canvas = new OffscreenCanvas(width, Math.min(STRIP, height));
  // In memory, not on a GPU: it is read back at once, and not every GPU gives back what was drawn.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    data.set(context.getImageData(0, 0, width, rows).data, 4 * width * top);
  }
  return data;
}

export const tooLarge = (pixels, megapixels) =>
  `has ${Math.ceil(pixels / 1e6)} megapixels, and ${megapixels} are the most here; scale it down.`;
