/**
 * The order of keys, and the corner of the key space that the store keeps for itself. Nobody else's keys
 * begin with "~".
 */
export const secretKey = '~secret';
export const keyvPrefix = '~keyv/';

const lastCodePoint = 0x10ffff;

/**
 * The least key that is greater than every key with this prefix, in the order of UTF-8 bytes (which is the
 * order of code points); undefined when there is none.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (points.at(-1) === lastCodePoint) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // Surrogates are not characters: after U+D7FF comes U+E000.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}

/** The least text that is greater than this key; no key itself, since none holds NUL. */
export const keyAfter = (key: string): string => `${key}\0`;

/** Negative, zero or positive, as UTF-8 bytes compare. JavaScript's own `<` compares UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for the code points from U+10000 on, above U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
