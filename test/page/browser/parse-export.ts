import { type Entry, type Header, lineReader } from '../../../src/transfer/json-lines.ts';

/** Reads an export as `import` does, with all its checks. */
export function parseExport(text: string): { header: Header; entries: Entry[] } {
  const reader = lineReader();
  const lines = text.trimEnd().split('\n');
  const header = reader.first({ number: 1, text: lines[0] ?? '' });
  const entries = lines.slice(1).flatMap((line, i) => reader.next({ number: i + 2, text: line }) ?? []);
  reader.end();
  return { header, entries };
}
