import { once } from './once.ts';

/** Text without its rest: at most `length` UTF-16 units, never a half character, and no sign torn from its accents. */
export function cutEnd(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, boundaryBefore(text, length));
}

/** The same from the other side: the last `length` units at the most. */
export function cutStart(text: string, length: number): string {
  if (text.length <= length) return text;
  const at = text.length - length;
  return text.slice(isLowHalf(text, at) ? at + 1 : at);
}

/** Text without the half of a character at its end, whose other half may still come. */
export const withoutHalf = (text: string): string =>
  /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text;

/** What a cut text ends with. */
const ellipsis = '…';

/** A text for a place that holds little, with a sign that it goes on. */
export const preview = (text: string, length: number): string =>
  text.length <= length ? text : `${cutEnd(text, length)}${ellipsis}`;

/** Longest run of units that is looked at for one sign as readers see it: families of emoji have about 12. */
const signUnits = 32;

const graphemes = once(() => new Intl.Segmenter(undefined, { granularity: 'grapheme' }));

/** The last place at or before `at` where the text may be cut. */
function boundaryBefore(text: string, at: number): number {
  // Between two letters of most alphabets nothing needs to be asked, and nearly all cuts are such.
  if (text.charCodeAt(at) < 0x300 && text.charCodeAt(at - 1) < 0x300) return at;
  let from = Math.max(0, at - signUnits);
  if (isLowHalf(text, from)) from += 1;
  const sign = graphemes()
    .segment(text.slice(from, at + signUnits))
    .containing(at - from);
  const start = from + (sign?.index ?? at - from);
  // No script puts a hundred accents on one letter: such a pile is cut, but never inside a character.
  if (start > from || from === 0) return start > 0 ? start : halfSafe(text, at);
  return halfSafe(text, at);
}

const halfSafe = (text: string, at: number) => (isLowHalf(text, at) ? at - 1 : at);

/** Whether the unit there is the second half of a character of two. */
function isLowHalf(text: string, at: number): boolean {
  return /[\udc00-\udfff]/.test(text.charAt(at)) && /[\ud800-\udbff]/.test(text.charAt(at - 1));
}

/**
 * What a reader cannot see or what reorders text, in one table: control characters, separators of lines and
 * paragraphs, annotation marks, and all that Unicode calls default-ignorable: soft hyphens, zero-width and
 * bidirectional marks, fillers, variation selectors and the tag characters in which whole sentences hide. It is made when it is used: that takes half a millisecond of the start.
 */
const unseen = () => /[\p{Cc}\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Two of them make a visible difference and are left: the joiner between two emoji, and the selector that
 * makes a sign an emoji or a text. Others of the kind, and rows of them, can carry a message.
 */
function isVisible(sign: string, text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 4), at);
  const after = text.slice(at + 1, at + 3);
  if (sign === '\u200d')
    return (
      /\p{Extended_Pictographic}[\ufe0f\p{Emoji_Modifier}]?$/u.test(before) &&
      /^\p{Extended_Pictographic}/u.test(after)
    );
  if (sign !== '\ufe0f' && sign !== '\ufe0e') return false;
  return /\p{Extended_Pictographic}$/u.test(before) || (/[\d#*]$/.test(before) && after.startsWith('\u20e3'));
}

/** A JSON text, or what stands in quotes, with the unseen written as escapes. It means the same. */
export function escapeUnseen(json: string): string {
  if (/^[ -~]*$/.test(json)) return json;
  return json.replace(unseen(), (sign, at: number) =>
    isVisible(sign, json, at)
      ? sign
      : Array.from(
          { length: sign.length },
          (_, i) => `\\u${sign.charCodeAt(i).toString(16).padStart(4, '0')}`,
        ).join(''),
  );
}

/** Whether a text holds what its reader would not see, other than line ends and tabs. */
export function hasUnseen(text: string): boolean {
  // Many editors begin a file with a byte order mark.
  for (const { 0: sign, index } of text.matchAll(unseen()))
    if (!/[\t\n\r]/.test(sign) && !(sign === '\ufeff' && index === 0) && !isVisible(sign, text, index))
      return true;
  return false;
}
