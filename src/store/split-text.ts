import type { IndexedText, SplitText } from './types.ts';
import { indexTerms, tagTerm } from './words.ts';

/** The terms that an engine indexes. A text that was split by another store stays as it is. */
export function splitText(text: IndexedText | SplitText): SplitText {
  if ('terms' in text) return text;
  const terms = indexTerms(text.body);
  const words = terms.length;
  for (const tag of text.tags ?? []) terms.push(tagTerm(tag));
  return { scope: text.scope, terms, words };
}
