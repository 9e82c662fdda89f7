/**
 * A vector as it is stored and compared: one signed byte for each number, whatever the length of the original. Only
 * the direction counts, and a hundred thousand vectors take a quarter of the memory and of the disk.
 */
export type Direction = Int8Array;

const greatest = 127;

/** The direction of a vector; undefined where it has none: all zeros, or not all numbers. */
export function directionOf(vector: ArrayLike<number>): Direction | undefined {
  let most = 0;
  for (let i = 0; i < vector.length; i += 1) {
    const size = Math.abs(vector[i] ?? Number.NaN);
    if (!Number.isFinite(size)) return undefined;
    most = Math.max(most, size);
  }
  if (most === 0) return undefined;
  const direction = new Int8Array(vector.length);
  // Divided first: a factor may be too great for a number where the vector is very short.
  for (let i = 0; i < vector.length; i += 1) direction[i] = Math.round(((vector[i] ?? 0) / most) * greatest);
  return direction;
}

export const textOfDirection = (direction: Direction): string =>
  Buffer.from(direction.buffer, direction.byteOffset, direction.length).toString('base64');

export function directionOfText(text: string): Direction {
  const bytes = Buffer.from(text, 'base64');
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function lengthOf(direction: Direction): number {
  let sum = 0;
  for (const value of direction) sum += value * value;
  return Math.sqrt(sum);
}
