import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { currentDeadline } from '../../net/deadline.ts';
import type { HttpRequest } from '../../net/http.ts';
import { lostAnswer } from '../../net/retry.ts';
import { type AgentEngineClient, isCode, objectOf } from './client.ts';
import { operationError } from './errors.ts';
import { operationPath } from './paths.ts';

export interface Outcome {
  done: boolean;
  /** The operation's name, which contains the name of the object; empty when there was no operation. */
  name: string;
  /** The created object; undefined for deletions, and when nothing was created. */
  response: JsonObject | undefined;
}

interface OperationRequest extends HttpRequest {
  lookWith: string;
  /** Milliseconds to wait for the end. Default 30,000. */
  waitMs?: number | undefined;
}

/** Milliseconds of the deadline that are kept for the answer to the caller. */
const tellingMs = 1000;

/**
 * Begins an operation and polls it until it is done (docs/protocols/agent-engine.md, "Operations"). Operations of the
 * present service are done at once, older ones were not.
 * @throws SessionError the operation's own error; or, when polling failed, that the change may have been made, and
 *   which tool shows it
 */
export async function runOperation(client: AgentEngineClient, request: OperationRequest): Promise<Outcome> {
  const body = await client.http.json(request);
  // An attempt whose answer was lost has deleted the object.
  if (body === undefined && request.method === 'DELETE') return { done: true, name: '', response: undefined };
  const { done, operation } = await follow(client, body, request.waitMs ?? 30_000).catch((error: unknown) => {
    throw error instanceof SessionError ? lostAnswer(error, request.lookWith) : error;
  });
  const { error = null } = operation;
  if (error !== null) throw operationError(isObject(error) ? error : {}, client.endpoint);
  return {
    done,
    name: String(operation.name),
    response: isObject(operation.response) ? operation.response : undefined,
  };
}

async function follow(
  client: AgentEngineClient,
  body: unknown,
  waitMs: number,
): Promise<{ done: boolean; operation: JsonObject }> {
  let operation = objectOf(body);
  const left = (currentDeadline()?.left() ?? Number.POSITIVE_INFINITY) - tellingMs;
  const until = client.now() + Math.min(waitMs, left);
  for (let pause = 200; operation.done !== true; pause = Math.min(2000, pause * 1.5)) {
    const path = operationPath(client.endpoint, operation.name);
    if (path === undefined)
      throw new SessionError(
        'UNAVAILABLE',
        'Agent Engine returned a long-running operation whose name is not valid.',
      );
    if (client.now() + pause > until) return { done: false, operation };
    await client.wait(pause);
    const { name } = operation;
    try {
      operation = objectOf(await client.http.json({ method: 'GET', path, retry: 'read' }));
    } catch (error) {
      // The service drops operations soon after their end; the caller reads the object itself.
      if (!isCode(error, 'NOT_FOUND')) throw error;
      return { done: true, operation: { name } };
    }
  }
  return { done: true, operation };
}

/** As `runOperation`, for changes of which the caller needs the end. @throws SessionError DEADLINE_EXCEEDED */
export async function finishOperation(
  client: AgentEngineClient,
  request: OperationRequest,
): Promise<Outcome> {
  const outcome = await runOperation(client, request);
  if (!outcome.done) throw notFinished(request.lookWith);
  return outcome;
}

export function notFinished(lookWith: string): SessionError {
  return new SessionError('DEADLINE_EXCEEDED', 'Agent Engine has not finished the change yet.', {
    hint: `The change continues on Agent Engine: check with ${lookWith} a little later.`,
    details: { outcome: 'unknown' },
  });
}
