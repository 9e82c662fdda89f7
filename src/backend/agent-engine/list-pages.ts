import { SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { queryString } from '../../net/url.ts';
import { type AgentEngineClient, pageOf } from './client.ts';

/** Empty pages in a row after which a list counts as endless. Some are normal, since a filter may empty a page. */
const mostEmpty = 50;

export interface ListRequest {
  path: string;
  /** The field of the answer that holds the items. */
  field: string;
  params: Record<string, string | number | undefined>;
  token?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Yields the pages of a list, to its end.
 * @throws SessionError UNAVAILABLE when pages repeat or stay empty, so that a broken service or proxy neither keeps
 *   a caller waiting for ever nor makes a list look complete
 */
export async function* listPages<Item extends JsonObject>(
  client: AgentEngineClient,
  { path, field, params, token: first, signal }: ListRequest,
): AsyncGenerator<{ items: Item[]; token: string | undefined }, void> {
  const asked = new Set<string>();
  let token = first;
  for (let empty = 0; ; ) {
    if (token !== undefined) asked.add(token);
    const query = queryString({ ...params, pageToken: token });
    const body = await client.http.json({ method: 'GET', path: path + query, retry: 'read', signal });
    const page = pageOf<Item>(body, field);
    empty = page.items.length === 0 ? empty + 1 : 0;
    if (empty > mostEmpty || (page.token !== undefined && asked.has(page.token))) throw endless();
    yield page;
    if (page.token === undefined) return;
    token = page.token;
  }
}

function endless(): SessionError {
  return new SessionError(
    'UNAVAILABLE',
    'Agent Engine keeps returning empty or repeated pages of this list.',
    {
      hint: 'Try again later; if it stays so, ask the operator to check AGENT_ENGINE_BASE_URL.',
    },
  );
}
