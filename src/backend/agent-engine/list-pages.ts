import { SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import { queryString } from '../../net/url.ts';
import { type AgentEngineClient, pageOf } from './client.ts';

/** Pages in a row without an item, after which a list counts as endless. A filter may leave some empty. */
const mostEmpty = 50;

export interface ListRequest {
  path: string;
  /** Of the items in the answer. */
  field: string;
  params: Record<string, string | number | undefined>;
  token?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The pages of a list, to its end.
 * @throws SessionError UNAVAILABLE when the list goes round in circles: a broken service or proxy must not hold
 *   a caller for ever, nor make a list look complete that is not
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
      hint: 'Try again later; check that the configured address is that of the service itself.',
    },
  );
}
