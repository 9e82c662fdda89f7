import { type Event, textOf } from '../../model/event.ts';
import { cutEnd } from '../../model/text.ts';
import { toTime } from '../../model/time.ts';
import type { IndexedText } from '../../store/types.ts';
import type { Owner } from '../types.ts';

/** Characters of one event that can be searched. Of an answer of a tool that is longer, the beginning tells what it is. */
const searchedLength = 20_000;
/** Depth to which the arguments of a call and the answer to it are read. */
const depth = 6;

/** All events of a user in an app are searched together; no memory has such a scope. */
export const eventScope = (owner: Owner): string => JSON.stringify([owner.app, owner.userId, 'events']);

export const sessionTag = (uid: string): string => `session ${uid}`;
export const authorTag = (author: string): string => `author ${author}`;
const monthTag = (time: string): string => `month ${time.slice(0, 7)}`;

/** Months that a search of a period asks for; of a longer one the last. */
const mostMonths = 240;

/** The tags of the months of a period, of which a search looks at the events one by one. Milliseconds. */
export function monthTags(after: number | undefined, before: number): string[] {
  const first = after === undefined ? '' : monthTag(toTime(after));
  const last = new Date(before);
  return Array.from({ length: mostMonths }, (_, i) =>
    monthTag(toTime(Date.UTC(last.getUTCFullYear(), last.getUTCMonth() - i))),
  ).filter((tag) => tag >= first);
}

/** What is indexed of an event, in the update that stores it; undefined for one that no search shall find. */
export function indexedText(session: Owner & { uid: string }, event: Event): IndexedText | undefined {
  if (event.hidden === true || event.partial === true) return undefined;
  const body = searchedText(event);
  if (body === '') return undefined;
  return {
    scope: eventScope(session),
    body,
    tags: [sessionTag(session.uid), authorTag(event.author), monthTag(event.timestamp)],
  };
}

/** What was said, and what tools were called with and answered. */
function searchedText(event: Event): string {
  const texts = [textOf(event)];
  for (const { functionCall, functionResponse, executableCode, codeExecutionResult } of event.content
    ?.parts ?? []) {
    if (functionCall !== undefined) texts.push(functionCall.name, ...textsIn(functionCall.args, depth));
    if (functionResponse !== undefined) texts.push(...textsIn(functionResponse.response, depth));
    if (executableCode !== undefined) texts.push(executableCode.code);
    if (codeExecutionResult?.output !== undefined) texts.push(codeExecutionResult.output);
  }
  if (event.errorMessage !== undefined) texts.push(event.errorMessage);
  const said = texts.join('\n').trim();
  // Who speaks is often what is asked for; most texts do not say it.
  return said === ''
    ? ''
    : cutEnd(said.includes(event.author) ? said : `${event.author}\n${said}`, searchedLength);
}

function textsIn(value: unknown, levels: number): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  if (typeof value !== 'object' || value === null || levels === 0) return [];
  return Object.values(value).flatMap((one) => textsIn(one, levels - 1));
}
