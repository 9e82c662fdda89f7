import { type Backend, type EventHit, type Owner, required } from '../backend/types.ts';
import { invalidArgument } from '../errors.ts';
import type { Memory } from '../model/memory.ts';
import { preview } from '../model/text.ts';
import type { Call } from './command.ts';
import { deedsOf } from './event-lines.ts';
import { withOutput } from './output.ts';
import { jsonLine, printable, printableLines, timeOf } from './printable.ts';
import { withReadTarget } from './target.ts';

interface Values {
  limit: number;
  json: boolean;
}

/** Characters of an event; `show` prints all of it. */
const mostCharacters = 500;

/** Prints the memories of the user, and the events of their sessions, that match some words, the best of each first. */
export async function search(call: Call<Values>): Promise<number> {
  const text = call.operands.join(' ').trim();
  if (text === '') throw invalidArgument('There are no words to search for.', 'Write some.');
  return withReadTarget(call, ({ backend, owner }) =>
    withOutput(call.io, async ({ write }) => {
      const { limit, json } = call.values;
      const { report } = call.io;
      required(
        backend.memory?.search ?? backend.events?.search,
        backend,
        'search',
        'Name another with --backend.',
      );
      const whose = `of user ${printable(owner.userId)} in app ${printable(owner.app)}`;
      const memories = (await backend.memory?.search?.(owner, { text, limit })) ?? [];
      const { hits, indexing } = await eventsWith(text, limit, backend, owner);
      if (memories.length > 0 && !json) report(`Memories ${whose}, the best match first:\n`);
      for (const memory of memories) await write(json ? `${jsonLine({ memory })}\n` : memoryEntry(memory));
      if (hits.length > 0 && !json) report(`Events of the sessions ${whose}, the best match first:\n`);
      for (const hit of hits) await write(json ? eventLine(hit) : eventEntry(hit));
      if (memories.length === 0 && hits.length === 0) report(`${nothing(backend)} ${whose} matches.\n`);
      if (indexing) report('Older events are still being indexed: search again later to find all.\n');
    }),
  );
}

async function eventsWith(text: string, limit: number, { events }: Backend, owner: Owner) {
  const found = await events?.search?.({ ...owner, text, limit, around: 0 });
  return found ?? { hits: [], indexing: false };
}

function nothing({ memory, events }: Backend): string {
  if (events?.search === undefined) return 'No memory';
  return memory?.search === undefined
    ? 'No event of the sessions'
    : 'No memory, and no event of the sessions,';
}

function memoryEntry({ id, fact, createTime, source }: Memory): string {
  const facts = [
    `memory ${printable(id)}`,
    ...(createTime === undefined ? [] : [timeOf(createTime)]),
    ...(source === undefined ? [] : [`from session ${printable(source.sessionId)}`]),
  ];
  return `${printableLines(fact).join('\n  ')}\n  ${facts.join(', ')}\n`;
}

function eventEntry({ session, event }: EventHit): string {
  const { id, displayName } = session;
  const facts = [
    `event ${printable(event.id)}`,
    timeOf(event.timestamp),
    `session ${printable(id)}${displayName === undefined ? '' : `  ${printable(displayName)}`}`,
  ];
  const said = preview(deedsOf(event).join('\n'), mostCharacters).split('\n');
  return `${printable(event.author)}: ${said.join('\n  ')}\n  ${facts.join(', ')}\n`;
}

function eventLine({ session: { state: _state, ...session }, event }: EventHit): string {
  return `${jsonLine({ session, event })}\n`;
}
