import { required } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { counted } from '../model/plural.ts';
import type { Session } from '../model/session.ts';
import { pagesOf } from '../transfer/source.ts';
import type { Call } from './command.ts';
import { eventLines } from './event-lines.ts';
import { withOutput } from './output.ts';
import { jsonLine, printable, timeOf } from './printable.ts';
import { withReadTarget } from './target.ts';

interface Values {
  hidden: boolean;
  json: boolean;
}

const elsewhere = 'Name another with --backend.';

/** Prints the events of a session in order, as a conversation or as JSON Lines. */
export const show = (call: Call<Values>): Promise<number> =>
  withReadTarget(call, ({ backend, owner }) =>
    withOutput(call.io, async ({ write }) => {
      const { hidden, json } = call.values;
      const get = required(backend.sessions?.get, backend, 'get a session', elsewhere);
      const list = required(backend.events?.list, backend, 'list events', elsewhere);
      const ref = { ...owner, sessionId: call.operands[0] ?? '' };
      const session = await get(ref).catch((error: unknown) => {
        throw error instanceof SessionError && error.code === 'NOT_FOUND' ? notThere(error) : error;
      });
      if (!json) await write(`${headOf(session)}\n`);
      for await (const event of pagesOf((query) =>
        list(ref, { ...query, order: 'asc', includeHidden: hidden }),
      ))
        await write(json ? `${jsonLine(event)}\n` : `\n${eventLines(event).join('\n')}\n`);
    }),
  );

const notThere = ({ code, message, cause }: SessionError): SessionError =>
  new SessionError(code, message, {
    hint: '`agent-sessions-mcp list` prints those that there are; --user and --app name whose.',
    cause,
  });

function headOf({ id, displayName, app, userId, createTime, updateTime, eventCount }: Session): string {
  const title = displayName === undefined ? '' : `  ${printable(displayName)}`;
  const facts = [
    `user ${printable(userId)}`,
    `app ${printable(app)}`,
    `created ${timeOf(createTime)}`,
    `updated ${timeOf(updateTime)}`,
    ...(eventCount === undefined ? [] : [counted(eventCount, 'event')]),
  ];
  return `${printable(id)}${title}\n${facts.join(', ')}`;
}
