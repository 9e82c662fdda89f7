import { type Backend, required, type SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { counted } from '../model/plural.ts';
import type { Session } from '../model/session.ts';
import { preview } from '../model/text.ts';
import { pagesOf } from '../transfer/source.ts';
import type { Call } from './command.ts';
import { deedsOf } from './event-lines.ts';
import { withOutput } from './output.ts';
import { jsonLine, printable, timeOf } from './printable.ts';
import { withReadTarget } from './target.ts';

interface Values {
  limit: number | undefined;
  json: boolean;
}

const lastLength = 120;

/** Prints the sessions of the user, the latest first. */
export const list = (call: Call<Values>): Promise<number> =>
  withReadTarget(call, ({ backend, owner }) =>
    withOutput(call.io, async ({ write }) => {
      const { limit = Number.POSITIVE_INFINITY, json } = call.values;
      const load = required(backend.sessions?.list, backend, 'list sessions', 'Name another with --backend.');
      let count = 0;
      for await (const { state: _state, ...session } of pagesOf((query) =>
        load({ ...query, ...owner, orderBy: 'updateTime desc' }),
      )) {
        await write(json ? `${jsonLine(session)}\n` : await entryOf(backend, session));
        count += 1;
        if (count === limit) return;
      }
      if (count === 0)
        call.io.report(
          `User ${printable(owner.userId)} has no sessions in app ${printable(owner.app)}. --user and --app name others.\n`,
        );
    }),
  );

async function entryOf(backend: Backend, session: Session): Promise<string> {
  const { id, displayName, updateTime, eventCount } = session;
  const name = displayName === undefined ? '' : `  ${printable(displayName)}`;
  const facts = [
    `updated ${timeOf(updateTime)}`,
    ...(eventCount === undefined ? [] : [counted(eventCount, 'event')]),
    ...(await endOf(backend, session)),
  ];
  return `${printable(id)}${name}\n  ${facts.join(', ')}\n`;
}

/** The author and beginning of the last event, where the backend knows them. */
async function endOf(backend: Backend, { app, userId, id, lastEvent }: Session): Promise<string[]> {
  if (lastEvent === undefined) return [];
  const text = lastEvent.text ?? (await deedOf(backend, { app, userId, sessionId: id }, lastEvent.id));
  return [`last ${printable(lastEvent.author)}: ${printable(text)}`];
}

/** An event without text: what was done in it. */
async function deedOf(backend: Backend, ref: SessionRef, eventId: string): Promise<string> {
  const event = await backend.events?.get?.(ref, eventId).catch((error: unknown) => {
    // Deleted since it was listed.
    if (error instanceof SessionError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
  const [deed = 'says nothing'] = event === undefined ? [] : deedsOf(event);
  return preview(deed, lastLength);
}
