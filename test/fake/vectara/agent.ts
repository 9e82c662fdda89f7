import type { ServerResponse } from 'node:http';
import { addEvent, type FakeSession, type Json, newKey, nextTime } from './store.ts';

/** The steps of an agent's turn, in order. */
export type Step =
  /** An answer: streamed in pieces of a few characters, stored whole. */
  | { say: string }
  /** Any stored event. */
  | { store: string; fields?: Json }
  /** An event of the live stream alone. */
  | { live: string; fields?: Json }
  /** Raw bytes in the stream. */
  | { raw: string | Buffer }
  /** Keeps the run going until the promise resolves or somebody interrupts the run. */
  | { gate: Promise<unknown> }
  /** Ends the turn with client tool calls that wait for their outputs. */
  | { call: readonly ClientCall[] }
  /** Cuts the connection. */
  | { cut: true }
  /** Ends the stream without an `end` message. */
  | { close: true };

export interface ClientCall {
  tool: string;
  /** The arguments as the agent wrote them. */
  said: Json;
  /** The arguments as the tool gets them: with overrides, and with secrets filled in. */
  resolved: Json;
  /** `argument_override_paths`; absent from the event when undefined. */
  overrides?: readonly string[] | undefined;
}

export type Script = (input: Json, session: FakeSession) => Step[];

export const echo: Script = (input) => {
  const messages = (input.messages as Json[] | undefined) ?? [];
  return [{ say: `You said: ${messages.map((m) => m.content ?? `/${String(m.skill_name)}`).join(' ')}` }];
};

/** Where the answer is written: into a stream, or into a list. */
export interface Sink {
  stream: ServerResponse | undefined;
  /** Bytes in one write. Small writes cut characters and JSON apart. */
  slice: number;
  collected: Json[];
}

/** Runs a script to its end, also when the client has left: a closed connection stops no run. */
export async function run(session: FakeSession, steps: readonly Step[], sink: Sink): Promise<void> {
  session.running = true;
  let interrupted = false;
  const interrupt = new Promise<void>((resolve) => {
    session.interrupt = () => {
      interrupted = true;
      resolve();
    };
  });
  try {
    for (const step of steps) {
      if (interrupted) break;
      if ('gate' in step) await Promise.race([step.gate, interrupt]);
      else if ('cut' in step) {
        // A moment later, so that what was written before still arrives.
        await new Promise((resolve) => setTimeout(resolve, 20));
        sink.stream?.destroy();
        return;
      } else if ('close' in step) return;
      else await perform(session, step, sink);
    }
    if (interrupted) await live(session, sink, 'session_interrupted');
  } finally {
    session.running = false;
    session.interrupt = undefined;
  }
  await send(sink, { type: 'end' });
}

async function perform(
  session: FakeSession,
  step: Exclude<Step, { gate: unknown } | { cut: true } | { close: true }>,
  sink: Sink,
): Promise<void> {
  if ('raw' in step) return write(sink, Buffer.from(step.raw));
  if ('live' in step) return live(session, sink, step.live, step.fields);
  if ('store' in step) return tell(sink, addEvent(session, step.store, step.fields));
  if ('call' in step) return park(session, step.call, sink);
  const pieces = step.say.match(/[\s\S]{1,7}/gu) ?? [];
  for (const content of pieces)
    await send(sink, { type: 'streaming_agent_output', content, created_at: nextTime() });
  const event = addEvent(session, 'agent_output', { content: step.say });
  sink.collected.push(event);
  await send(sink, { type: 'streaming_agent_output_end', event_id: event.id, created_at: nextTime() });
}

async function park(session: FakeSession, calls: readonly ClientCall[], sink: Sink): Promise<void> {
  for (const { tool, said, resolved, overrides } of calls) {
    const event = addEvent(session, 'tool_input', {
      tool_call_id: newKey('call'),
      tool_configuration_name: `${tool}_config`,
      tool_name: tool,
      tool_input: said,
      ...(overrides === undefined ? {} : { argument_override_paths: overrides }),
    });
    await tell(sink, event);
    session.pending.push({
      event_id: event.id,
      tool_configuration_name: `${tool}_config`,
      tool_name: tool,
      arguments: resolved,
      x_added_later: true,
    });
  }
  await live(session, sink, 'client_tool_pending', { pending_calls: session.pending });
}

async function live(session: FakeSession, sink: Sink, type: string, fields: Json = {}): Promise<void> {
  await tell(sink, { type, id: newKey('aev'), session_key: session.key, created_at: nextTime(), ...fields });
}

async function tell(sink: Sink, event: Json): Promise<void> {
  sink.collected.push(event);
  await send(sink, event);
}

const send = (sink: Sink, event: Json): Promise<void> =>
  write(sink, Buffer.from(`data: ${JSON.stringify(event)}\n\n`));

async function write({ stream, slice }: Sink, bytes: Buffer): Promise<void> {
  if (stream === undefined || stream.destroyed) return;
  for (let at = 0; at < bytes.length; at += slice) {
    stream.write(bytes.subarray(at, at + slice));
    // One turn of the event loop, so that the pieces are not sent as one.
    if (bytes.length > slice) await new Promise((resolve) => setImmediate(resolve));
  }
}
