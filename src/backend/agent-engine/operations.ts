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
  /** The name of the operation, which names what it works on; empty where there is nothing to wait for. */
  name: string;
  /** What the operation made; absent for deletions and where nothing was made. */
  response: JsonObject | undefined;
}

interface OperationRequest extends HttpRequest {
  lookWith: string;
  /** Milliseconds. Default 30,000. */
  waitMs?: number | undefined;
}

/** Left of the deadline for telling the caller how things stand. */
const tellingMs = 1000;

/**
 * Begins an operation and waits until it is done, polling it by the name it came with. Newer answers are done
 * at once, older ones are not (docs/protocols/agent-engine.md, Operations).
 * @throws SessionError what the operation failed with; when it gets out of sight, that the change may have been
 *   made and where to look
 */
export async function runOperation(client: AgentEngineClient, request: OperationRequest): Promise<Outcome> {
  const body = await client.http.json(request);
  // What was to be deleted is gone: the answer that said so was lost, or is empty.
  if (body === undefined) return { done: true, name: '', response: undefined };
  const { done, operation } = await follow(client, body, request.waitMs ?? 30_000).catch((error: unknown) => {
    throw error instanceof SessionError ? lostAnswer(error, request.lookWith) : error;
  });
  if (isObject(operation.error)) throw operationError(operation.error, client.endpoint);
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
      // Operations are forgotten soon after their end; what they made, the thing itself tells.
      if (!isCode(error, 'NOT_FOUND')) throw error;
      return { done: true, operation: { name } };
    }
  }
  return { done: true, operation };
}

/** Like `runOperation`, for changes that a caller cannot use before they are done. */
export async function finishOperation(
  client: AgentEngineClient,
  request: OperationRequest,
): Promise<Outcome> {
  const outcome = await runOperation(client, request);
  if (!outcome.done)
    throw new SessionError('DEADLINE_EXCEEDED', 'Agent Engine has not finished the change yet.', {
      hint: `The change continues on Agent Engine: check with ${request.lookWith} a little later.`,
    });
  return outcome;
}
