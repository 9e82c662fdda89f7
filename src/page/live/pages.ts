import type { Calls } from './calls.ts';

const pageSize = 100;

/** What a tool lists, page by page, until there is no more or there are `most`. */
export async function readPages<T>(
  calls: Calls,
  tool: string,
  member: string,
  args: Record<string, unknown>,
  most = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken: string | undefined;
  do {
    const page = await calls.read<Record<string, unknown>>(tool, {
      ...args,
      pageSize,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    items.push(...(page[member] as T[]));
    pageToken = page.nextPageToken as string | undefined;
  } while (pageToken !== undefined && items.length < most);
  return items.slice(0, most);
}
