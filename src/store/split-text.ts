import type { IndexedText, SplitText } from './types.ts';
import { indexTerms, tagTerm } from './words.ts';

/** The terms that an engine indexes. A text that was split by another store stays as it is. */
export function splitText(text: IndexedText | SplitText): SplitText {
  if ('terms' in text) return text;
  const words = indexTerms(text.body);
  const tags = text.tags?.map(tagTerm) ?? [];
  return { scope: text.scope, terms: [...words, ...tags], words: words.length };
}
