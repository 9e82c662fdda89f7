/**
 * What changes the order of the text around it, or hides in it: marks that reorder, and tag characters. In names and
 * addresses they are shown as what they are.
 */
const deceiving =
  /[\p{Cc}\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/** A short text, such as a name, on one line and with nothing unseen in it. */
export const plainName = (text: string): string =>
  text.replace(deceiving, (sign) =>
    /\s/.test(sign) ? ' ' : `⟨${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  );

/** Overrides and tags only: what reorders a whole text or hides one in it. Line ends and joiners stay. */
const reordering = /[\u202d\u202e\u{e0000}-\u{e007f}]/gu;

export const shownText = (text: string): string =>
  text.replace(reordering, (sign) => `⟨${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase()}⟩`);
