import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { queryString } from '../../net/url.ts';
import type { Vectara } from './client.ts';
import type { OperationName } from './errors.ts';

/** Pages are read in the largest size that Vectara gives (docs/protocols/vectara.md, "Pages"). */
export const servicePageSize = 100;

export interface List {
  name: OperationName;
  path: string;
  /** The member of the answer that holds the items. */
  field: string;
  params: Record<string, string | number | boolean | undefined>;
}

export interface WirePage {
  items: JsonObject[];
  /** The key of the next page. */
  next?: string | undefined;
}

/** One page of a list. The last one has no key, or an empty one (docs/protocols/vectara.md, "Pages"). */
export async function readPage(vectara: Vectara, { name, path, field, params }: List): Promise<WirePage> {
  const answer = await vectara.json(name, { method: 'GET', path: path + queryString(params), retry: 'read' });
  const items = isObject(answer) ? answer[field] : undefined;
  if (!isObject(answer) || !Array.isArray(items))
    throw new SessionError('UNAVAILABLE', 'The answer of Vectara is not a list.', {
      hint: 'Try again later; if it stays so, check the address of the service.',
    });
  const next = isObject(answer.metadata) ? answer.metadata.page_key : undefined;
  return {
    items: items.filter(isObject),
    next: typeof next === 'string' && next !== '' ? next : undefined,
  };
}

/** Yields all objects of a list. @throws `tooMany` when the list has more than `maxPages` pages */
export async function* readAll(
  vectara: Vectara,
  list: List,
  limit: { maxPages: number; tooMany(): SessionError },
): AsyncGenerator<JsonObject, void> {
  let key: string | undefined;
  for (let page = 1; ; page += 1) {
    const params = { ...list.params, limit: servicePageSize, page_key: key };
    const read = await readPage(vectara, { ...list, params });
    yield* read.items;
    if (read.next === undefined) return;
    if (page === limit.maxPages) throw limit.tooMany();
    if (read.next === key)
      throw new SessionError('UNAVAILABLE', 'Vectara sent the same page of a list twice.', {
        hint: 'Try again later.',
      });
    key = read.next;
  }
}
