/**
 * The order of keys, and the keys that the store keeps for itself. Keys of its users never begin with "~".
 */
export const secretKey = '~secret';
export const copyKey = '~copy';
export const keyvPrefix = '~keyv/';
export const limitsPrefix = '~limits/';

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
  // U+D800 to U+DFFF are surrogates, not characters, so U+E000 follows U+D7FF.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}

/** The least text that is greater than this key. It is never a key itself, since keys contain no NUL. */
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

/** The rank of a UTF-16 unit: surrogates, which stand for code points from U+10000 on, rank above U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
