import type { ServerResponse } from 'node:http';
import { echo, run, type Sink, type Step } from './agent.ts';
import { invalid, Refusal, send } from './routes.ts';
import type { FakeVectara, Recorded } from './server.ts';
import { addArtifact, addEvent, type FakeSession, type Json, newKey, nextTime } from './store.ts';

/** POST events: all four inputs, as JSON or as a form with files (docs/protocols/vectara.md, "Talking to an agent"). */
export async function interact(
  fake: FakeVectara,
  request: Recorded,
  response: ServerResponse,
  session: FakeSession,
): Promise<void> {
  const { input, files } = await read(request);
  const type = input.type ?? 'input_message';
  const sink: Sink = {
    stream: input.stream_response === true ? response : undefined,
    slice: fake.options.slice ?? 1_000_000,
    collected: [],
  };
  const script = fake.agents.get(session.agent) ?? echo;
  if (type === 'interrupt') {
    session.interrupt?.();
    return finish(response, session, sink, [{ live: 'session_interrupted' }]);
  }
  if (type === 'compact') return finish(response, session, sink, compaction(session, input));
  if (type === 'tool_output') {
    const answered = outputs(session, input);
    const steps = script(input, session);
    return finish(response, session, sink, [...answered, ...steps]);
  }
  if (type !== 'input_message') throw invalid('type', 'unknown');
  const messages = (input.messages as Json[] | undefined) ?? [];
  if (messages.length + files.length === 0) throw invalid('messages', 'required');
  if (session.running && input.since === undefined)
    throw new Refusal(409, { messages: ['upstream-text: running'] });
  const before = [...session.events];
  const steps: Step[] = [];
  if (messages.length > 0) steps.push({ store: 'input_message', fields: { messages } });
  if (files.length > 0)
    steps.push({ store: 'artifact_upload', fields: { artifacts: files.map((f) => store(session, f)) } });
  // The message waits until the present run ends; the answer then holds the events from `since` on.
  if (session.running) {
    await session.done;
    const from = input.since === 'start' ? 0 : before.findIndex((event) => event.id === input.since) + 1;
    steps.unshift(
      ...session.events.slice(from).map((event) => ({ raw: `data: ${JSON.stringify(event)}\n\n` })),
    );
  }
  return finish(response, session, sink, [...steps, ...script(input, session)]);
}

async function finish(
  response: ServerResponse,
  session: FakeSession,
  sink: Sink,
  steps: readonly Step[],
): Promise<void> {
  if (sink.stream !== undefined) {
    response.writeHead(201, { 'content-type': 'text/event-stream' });
    response.write(': stream open\n\n');
  }
  session.done = run(session, steps, sink);
  await session.done;
  if (sink.stream !== undefined) response.end();
  else if (!response.destroyed)
    send(response, 201, { events: sink.collected, session_key: session.key, x_added_later: [] });
}

interface Upload {
  name: string;
  type: string;
  data: Buffer;
}

async function read(request: Recorded): Promise<{ input: Json; files: Upload[] }> {
  const type = request.headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) return { input: request.json ?? {}, files: [] };
  const form = await new Response(new Uint8Array(request.body), {
    headers: { 'content-type': type },
  }).formData();
  const files: Upload[] = [];
  for (const file of form.getAll('files')) {
    if (typeof file === 'string') throw invalid('files', 'no file');
    files.push({ name: file.name, type: file.type, data: Buffer.from(await file.arrayBuffer()) });
  }
  const text = (name: string) => {
    const value = form.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  return {
    files,
    input: {
      messages: JSON.parse(text('messages') ?? '[]') as Json[],
      stream_response: text('stream_response') === 'true',
      since: text('since'),
      behavior: text('behavior'),
    },
  };
}

function store(session: FakeSession, file: Upload): Json {
  const { artifact_id, filename, mime_type, size_bytes } = addArtifact(
    session,
    file.name,
    file.type,
    file.data,
  );
  return { artifact_id, filename, mime_type, size_bytes };
}

function compaction(session: FakeSession, input: Json): Step[] {
  const turns = session.events.filter((e) => e.type === 'input_message' && !session.hidden.has(e.id));
  if (turns.length < 2) return [{ live: 'error', fields: { messages: ['upstream-text: too few turns'] } }];
  const last = turns.at(-1);
  const upTo = input.compact_up_to_event_id;
  const end = session.events.findIndex((e) => (upTo === undefined ? e === last : e.id === upTo));
  const gone = session.events.slice(0, upTo === undefined ? end : end + 1);
  for (const event of gone) session.hidden.set(event.id, 'compacted');
  return [
    {
      store: 'compaction',
      fields: {
        turns_compacted: turns.length - 1,
        events_compacted: gone.length,
        summary_key: newKey('sum'),
        summary_text: 'They spoke.',
      },
    },
  ];
}

function outputs(session: FakeSession, input: Json): Step[] {
  const given = (input.tool_outputs as Json[] | undefined) ?? [];
  const wanted = session.pending.map((call) => call.event_id);
  if (wanted.length === 0) throw invalid('tool_outputs', 'nothing is outstanding');
  if (given.length !== wanted.length || !wanted.every((id) => given.some((output) => output.event_id === id)))
    throw invalid('tool_outputs', 'one entry per outstanding call');
  session.pending = [];
  return given.map((output): Step => {
    const made = session.events.find((event) => event.id === output.event_id);
    return {
      store: 'tool_output',
      fields: {
        tool_call_id: made?.tool_call_id,
        tool_configuration_name: made?.tool_configuration_name,
        tool_name: made?.tool_name,
        tool_output: output.type === 'error' ? { error: output.error } : output.output,
        error: output.type === 'error',
        resolved_argument_overrides: { told_at: nextTime() },
      },
    };
  });
}

/** Stores an event of the user without running the agent. */
export const said = (session: FakeSession, text: string) =>
  addEvent(session, 'input_message', { messages: [{ type: 'text', content: text, x_added_later: 1 }] });
