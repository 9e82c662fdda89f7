import { escapeUnseen } from '../model/text.ts';

/** What came from others, for one line of a terminal: whatever could move the cursor or hide is an escape. */
export const printable = (text: string): string => text.split('\t').map(escapeUnseen).join('\t');

/** The lines of a text that came from others, each safe to print. */
export const printableLines = (text: string): string[] => text.split(/\r?\n/).map(printable);

export const jsonLine = (value: unknown): string => escapeUnseen(JSON.stringify(value));

/** A time as people read it, in UTC: "2026-11-21 09:00:00Z". */
export function timeOf(time: string): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? printable(time) : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
