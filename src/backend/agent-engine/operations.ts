import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { type AgentEngineClient, objectOf } from './client.ts';
import { operationError } from './errors.ts';
import { operationPath } from './paths.ts';

export interface Settled {
  done: boolean;
  /** What the operation made; absent for deletions and where nothing was made. */
  response: JsonObject | undefined;
}

/**
 * Waits until an operation is done, polling it by the name it came with. Newer answers are done at once,
 * older ones are not (docs/protocols/agent-engine.md, Operations).
 * @throws SessionError what the operation failed with
 */
export async function settle(client: AgentEngineClient, body: unknown, waitMs = 30_000): Promise<Settled> {
  // A delete that was sent twice and found nothing the second time.
  if (body === undefined) return { done: true, response: undefined };
  let operation = objectOf(body);
  const until = client.now() + waitMs;
  for (let pause = 200; ; pause = Math.min(2000, pause * 1.5)) {
    if (operation.done === true) {
      if (isObject(operation.error)) throw operationError(operation.error, client.endpoint);
      return { done: true, response: isObject(operation.response) ? operation.response : undefined };
    }
    const path = operationPath(client.endpoint, operation.name);
    if (path === undefined)
      throw new SessionError(
        'UNAVAILABLE',
        'Agent Engine answered with an operation that has no usable name.',
        {
          hint: 'Look with a list call whether the change was made.',
        },
      );
    if (client.now() + pause > until) return { done: false, response: undefined };
    await client.wait(pause);
    operation = objectOf(await client.http.json({ method: 'GET', path, retry: 'read' }));
  }
}

/** Like `settle`, for changes that a caller cannot use before they are done. */
export async function settled(
  client: AgentEngineClient,
  body: unknown,
  waitMs?: number,
): Promise<JsonObject> {
  const { done, response } = await settle(client, body, waitMs);
  if (!done)
    throw new SessionError('DEADLINE_EXCEEDED', 'Agent Engine has not finished the change yet.', {
      hint: 'It goes on there: look with a list call a little later.',
    });
  return response ?? {};
}
