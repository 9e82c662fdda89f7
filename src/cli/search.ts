import { required } from '../backend/types.ts';
import { invalidArgument } from '../errors.ts';
import type { Memory } from '../model/memory.ts';
import type { Call } from './command.ts';
import { withOutput } from './output.ts';
import { jsonLine, printable, printableLines, timeOf } from './printable.ts';
import { withReadTarget } from './target.ts';

interface Values {
  limit: number;
  json: boolean;
}

/** Prints the memories of the user that match some words, the best first. */
export async function search(call: Call<Values>): Promise<number> {
  const text = call.operands.join(' ').trim();
  if (text === '') throw invalidArgument('There are no words to search for.', 'Write some.');
  return withReadTarget(call, ({ backend, owner }) =>
    withOutput(call.io, async ({ write }) => {
      const { limit, json } = call.values;
      const find = required(
        backend.memory?.search,
        backend,
        'search memories',
        'Name another with --backend.',
      );
      const found = await find(owner, { text, limit });
      const whose = `of user ${printable(owner.userId)} in app ${printable(owner.app)}`;
      if (found.length === 0)
        call.io.report(
          `No memory ${whose} matches. Only memories are searched, not the text of sessions; add_session_to_memory makes memories of a session.\n`,
        );
      else if (!json) call.io.report(`Memories ${whose}, the best match first:\n`);
      for (const memory of found) await write(json ? `${jsonLine(memory)}\n` : entryOf(memory));
    }),
  );
}

function entryOf({ id, fact, createTime, source }: Memory): string {
  const facts = [
    `memory ${printable(id)}`,
    ...(createTime === undefined ? [] : [timeOf(createTime)]),
    ...(source === undefined ? [] : [`from session ${printable(source.sessionId)}`]),
  ];
  return `${printableLines(fact).join('\n  ')}\n  ${facts.join(', ')}\n`;
}
