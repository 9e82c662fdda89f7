import * as z from 'zod';
import { type Backend, required, type SessionRef, type TakenTurn } from '../../backend/types.ts';
import { answerBytes, fitItems, fitTo, shownBytes } from '../../model/budget.ts';
import type { Event } from '../../model/event.ts';
import { maxPageSize } from '../../model/page.ts';
import { turnSchema } from '../../model/turn.ts';
import { aliveMs } from '../support/alive.ts';
import { idText, sessionId } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { eventBrief, sessionBrief, truncated } from '../support/results.ts';
import { asNamed } from '../support/speaker.ts';

/** Bytes of an answer that the turn with its note, the session with its state, and one event may take. */
const turnBytes = 7000;
const sessionBytes = 5000;
const eventBytes = 3000;
const how = 'list_events has all';

export const takeTurn = defineTool({
  name: 'take_turn',
  title: 'Take a turn',
  description:
    'Waits until a session is handed to an agent (handOver of append_event), and claims its turn for you until the lease ends. Returns the note and what is new since its last turn. Answer by append_event with claim.',
  toolset: 'events',
  needs: ['turns.take'],
  instead: 'To wait for what other agents say there, use wait_for_events.',
  reach: 'user',
  speaksAs: asNamed('agent'),
  waits: true,
  input: () => ({
    agent: idText().describe('Agent that you are'),
    sessionId: sessionId().optional(),
    worker: idText().optional().describe('Your own name; a repeated call then renews the turn you hold'),
    waitSeconds: z.int().min(0).max(300).default(25).describe('Maximum wait; many clients allow 60'),
    leaseSeconds: z.int().min(1).max(3600).default(120).describe('Renewed by writes with the claim'),
  }),
  output: () =>
    z.object({
      turn: turnSchema().meta({ brief: true, description: 'As in get_session' }).optional(),
      claim: z.string().optional(),
      session: sessionBrief().optional(),
      events: z.array(eventBrief()).optional(),
      timedOut: z.boolean(),
      truncated: truncated(),
    }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run({ agent, sessionId: id, worker, waitSeconds, leaseSeconds }, ctx) {
    const take = required(ctx.backend.turns?.take, ctx.backend, 'hand out turns');
    const alive = setInterval(() => ctx.progress('Waiting for a turn.'), aliveMs);
    try {
      const taken = await take(
        ctx.owner,
        { agent, sessionId: id, worker, leaseMs: leaseSeconds * 1000, waitMs: waitSeconds * 1000 },
        ctx.signal,
      );
      return taken === undefined ? { timedOut: true } : await show(ctx.backend, taken);
    } finally {
      clearInterval(alive);
    }
  },
});

async function show(backend: Backend, { ref, turn, note, claim, actedUpTo }: TakenTurn) {
  const get = required(backend.sessions?.get, backend, 'get a session');
  const [{ turn: _turn, ...session }, news] = await Promise.all([get(ref), newsOf(backend, ref, actedUpTo)]);
  const head = {
    turn: fitTo({ ...turn, note }, turnBytes, 'get_event of its eventId has all').value,
    claim,
    session: fitTo(session, sessionBytes, 'get_session has all').value,
    timedOut: false,
  };
  // The latest have room first, and are answered in their order.
  const latest = news.events.map((event) => (event.id === turn.eventId ? withoutNote(event) : event));
  const events = fitItems(latest, answerBytes - 1000 - shownBytes(head), eventBytes, how);
  return {
    ...head,
    events: events.value.toReversed(),
    truncated: news.more || events.truncated || undefined,
  };
}

/** What is new since the agent acted last, the latest first. */
async function newsOf(
  backend: Backend,
  ref: SessionRef,
  actedUpTo: string | undefined,
): Promise<{ events: Event[]; more: boolean }> {
  const list = required(backend.events?.list, backend, 'list events');
  const page = await list(ref, { order: 'desc', pageSize: maxPageSize, afterEventId: actedUpTo });
  return { events: page.items, more: page.cursor !== undefined };
}

/** The note is in the answer already. */
function withoutNote(event: Event): Event {
  const { handOver: _note, ...others } = event.customMetadata ?? {};
  const { customMetadata: _all, ...rest } = event;
  return Object.keys(others).length === 0 ? rest : { ...rest, customMetadata: others };
}
