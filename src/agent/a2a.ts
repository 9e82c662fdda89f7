import type { StreamResponse } from '@a2a-js/sdk';
import {
  type Client,
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from '@a2a-js/sdk/client';
import { SessionError } from '../errors.ts';
import type { JsonObject } from '../model/json.ts';
import { timeLimit } from '../net/time-limit.ts';
import { toMessage } from './a2a-map.ts';
import { type RemoteTurn, remoteTurn } from './a2a-task.ts';
import type { Agent, AgentEvent, Turn } from './types.ts';

export interface A2aConfig {
  kind: 'a2a';
  name: string;
  /** Where the agent is, or the address of its card, which ends in `.json`. */
  url: string;
  /** Bearer token. */
  token?: string | undefined;
  /** Milliseconds in which the agent must begin to answer, and then go on. */
  timeoutMs: number;
}

/** How long a cancelled task is asked to end. */
const cancelMs = 2000;

/**
 * A remote agent, reached by the Agent2Agent protocol. It keeps its own memory of the conversation, under a
 * context id that stays in the session's state, beside the id of a task that waits for the next message.
 */
export function a2aAgent(config: A2aConfig): Agent {
  let client: Promise<Client> | undefined;
  const connect = () => {
    client ??= openClient(config);
    client.catch(() => {
      client = undefined;
    });
    return client;
  };
  return {
    name: config.name,
    run: (turn, signal) => converse(config, connect, turn, signal),
  };
}

async function* converse(
  config: A2aConfig,
  connect: () => Promise<Client>,
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void> {
  const watch = timeLimit({ ms: config.timeoutMs, follow: [signal] });
  const keys = { contextId: `a2a:${config.name}:context`, taskId: `a2a:${config.name}:task` };
  const remote = remoteTurn();
  let client: Client | undefined;
  try {
    const state = await turn.state();
    const known = { contextId: textIn(state, keys.contextId), taskId: textIn(state, keys.taskId) };
    client = await aborting(connect(), watch.signal);
    const message = toMessage(turn.message, { messageId: turn.invocationId, ...known });
    const request = { tenant: '', message, configuration: undefined, metadata: undefined };
    let held: StreamResponse | undefined;
    for await (const piece of client.sendMessageStream(request, { signal: watch.signal })) {
      watch.restart();
      // A stream on a task that waited begins with the task as it stood, which we have heard already. From an
      // agent that cannot stream it is all there is.
      const repeats = piece.payload?.$case === 'task' && piece.payload.value.id === known.taskId;
      held = repeats ? piece : undefined;
      if (repeats) continue;
      const text = remote.take(piece);
      if (text !== '') yield { partial: true, content: { role: 'model', parts: [{ text }] } };
    }
    if (held !== undefined) remote.take(held);
    const parts = remote.parts();
    const fault = remote.fault();
    const stateDelta: JsonObject = {
      ...(remote.contextId === '' ? {} : { [keys.contextId]: remote.contextId }),
      ...(remote.open || known.taskId !== '' ? { [keys.taskId]: remote.open ? remote.taskId : null } : {}),
    };
    if (parts.length > 0)
      yield {
        content: { role: 'model', parts },
        actions: { stateDelta },
        ...(fault === undefined ? { turnComplete: true } : { errorCode: fault.code }),
      };
    if (fault !== undefined) throw fault;
    if (parts.length === 0)
      throw new SessionError('UNAVAILABLE', 'The remote agent answered nothing.', {
        hint: 'Send the message again, or say it in other words.',
      });
  } catch (error) {
    if (watch.signal.aborted) await cancelRemote(client, remote);
    if (signal.aborted)
      throw new SessionError('CANCELLED', 'The run was cancelled.', { hint: 'Send the message again.' });
    if (watch.signal.aborted)
      throw new SessionError('DEADLINE_EXCEEDED', 'The remote agent did not answer in time.', {
        hint: 'Send the message again.',
      });
    if (error instanceof SessionError) throw error;
    throw new SessionError('UNAVAILABLE', 'The remote agent cannot be reached, or broke off.', {
      hint: 'Send the message again; the operator’s log has the reason.',
      cause: error,
    });
  } finally {
    watch.end();
  }
}

/** The stream is closed already; this tells the other side that nobody wants the rest of the work. */
async function cancelRemote(client: Client | undefined, remote: RemoteTurn): Promise<void> {
  if (client === undefined || !remote.working) return;
  const request = { tenant: '', id: remote.taskId, metadata: undefined };
  await client.cancelTask(request, { signal: AbortSignal.timeout(cancelMs) }).catch(() => {});
}

function openClient(config: A2aConfig): Promise<Client> {
  const url = new URL(config.url);
  // The card may name any address for the agent itself; the token is for the configured one.
  const fetchImpl: typeof fetch = (input, init) => {
    const target = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (config.token !== undefined && target.origin === url.origin)
      headers.set('authorization', `Bearer ${config.token}`);
    return fetch(input, { ...init, headers, redirect: 'error' });
  };
  const options = { fetchImpl, legacyCompat: { enabled: true } };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)],
    cardResolver: new DefaultAgentCardResolver(options),
  });
  if (url.pathname.endsWith('.json')) return factory.createFromUrl(url.origin, url.pathname + url.search);
  return factory.createFromUrl(config.url.endsWith('/') ? config.url : `${config.url}/`);
}

function aborting<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function textIn(state: JsonObject, key: string): string {
  const value = state[key];
  return typeof value === 'string' ? value : '';
}
