import { invalidArgument, SessionError } from '../../errors.ts';
import { type JsonObject, jsonBytes } from '../../model/json.ts';

/** Milliseconds for which a page that is not the last is used again: its events stay. Only the last page grows. */
const fullPageMs = 30_000;
/** Most lists that are kept, and most bytes of their pages together. */
const mostLists = 16;
const mostBytes = 32 * 1024 * 1024;
/** Empty pages in a row after which the list counts as broken. */
const mostEmptyPages = 20;

export interface EventPage {
  /** Vectara's key of this page; undefined for the first page of the list. */
  key: string | undefined;
  /** The key of the next page; undefined for the last one. */
  next: string | undefined;
  items: JsonObject[];
}

/** The pages of one list of events. A page is read again only when it may have changed. */
export interface EventPages {
  /** A page by its number; undefined after the last one. */
  page(number: number): Promise<EventPage | undefined>;
  /** The number of the page with a key; undefined when it is not known. */
  numberOf(key: string | undefined): number | undefined;
  /** The pages in memory, the last one first. Sends no request. */
  held(): readonly { number: number; page: EventPage }[];
}

type ReadPage = (key: string | undefined) => Promise<{ items: JsonObject[]; next?: string | undefined }>;

export interface EventPageStore {
  /** Begins a new look: one tool call's view of the lists. What earlier looks read may have changed since. */
  nextLook(): number;
  /** The list at a path. */
  open(at: string, read: ReadPage, options: OpenOptions): EventPages;
  /** Drops the lists of the session with this path. Call it with every write to the session. */
  forget(sessionPath: string): void;
}

export interface OpenOptions {
  /** From `nextLook`. The last page of a list grows, so it is read again in every look. */
  look: number;
  /** Whether the other pages are read again in this look, too. */
  fresh: boolean;
  /** The key of the page to begin with. */
  from?: string | undefined;
}

interface Held {
  key: string | undefined;
  next: string | undefined;
  items: JsonObject[] | undefined;
  bytes: number;
  readAt: number;
  look: number;
}

interface HeldList {
  pages: Held[];
  /** The look in which the list was opened. */
  look: number;
}

/**
 * Keeps the pages of lists in memory. Vectara gives the key of a page only in the page before it: without the kept
 * keys, each page of an answer would read the whole list again.
 */
export function openEventPages(now: () => number): EventPageStore {
  const lists = new Map<string, HeldList>();
  let looks = 0;

  /** Drops what was used longest ago. Page keys stay: they are small, and later pages are found only by them. */
  function shrink(): void {
    for (const oldest of lists.keys()) {
      if (lists.size <= mostLists) break;
      lists.delete(oldest);
    }
    const held = [...lists.values()].flatMap((list) => list.pages).filter((page) => page.items !== undefined);
    let bytes = held.reduce((sum, page) => sum + page.bytes, 0);
    for (const page of held.slice(0, -1)) {
      if (bytes <= mostBytes) break;
      page.items = undefined;
      bytes -= page.bytes;
    }
  }

  return {
    nextLook() {
      looks += 1;
      return looks;
    },
    open(at, read, { look, fresh, from }) {
      const name = JSON.stringify([at, from ?? '']);
      const known = lists.get(name);
      const stale = fresh && known !== undefined && known.look < look;
      const list = known === undefined || stale ? { pages: [], look } : known;
      lists.delete(name);
      lists.set(name, list);
      return pagesOf(list, { read, look, from, now, shrink });
    },
    forget(sessionPath) {
      for (const name of lists.keys())
        if ((JSON.parse(name) as string[])[0]?.startsWith(`${sessionPath}/`)) lists.delete(name);
    },
  };
}

interface PagesContext {
  read: ReadPage;
  look: number;
  from: string | undefined;
  now(): number;
  shrink(): void;
}

function pagesOf({ pages }: HeldList, { read, look, from, now, shrink }: PagesContext): EventPages {
  const isGood = (page: Held): boolean =>
    page.look >= look || (page.next !== undefined && now() - page.readAt <= fullPageMs);

  async function load(number: number): Promise<Held> {
    const key = number === 0 ? from : pages[number - 1]?.next;
    const { items, next } = await read(key).catch((error: unknown) => {
      const lost = key !== undefined && error instanceof SessionError && error.code === 'INVALID_ARGUMENT';
      throw lost ? lostPlace(error) : error;
    });
    if (next !== undefined && (next === key || pages.slice(0, number).some((page) => page.next === next)))
      throw broken('sent the same page of a list twice');
    const page: Held = { key, next, items, bytes: jsonBytes(items), readAt: now(), look };
    if (pages[number]?.next !== next) pages.length = Math.min(pages.length, number);
    pages[number] = page;
    const last = pages.slice(-mostEmptyPages);
    if (last.length === mostEmptyPages && last.every(({ bytes }) => bytes <= 2))
      throw broken(`sent ${mostEmptyPages} empty pages of a list in a row`);
    shrink();
    return page;
  }

  return {
    async page(number) {
      for (let i = 0; ; i += 1) {
        let page = pages[i];
        // Of the pages before the wanted one only the key of the next is needed, and keys do not change.
        const passed = i < number && page?.next !== undefined;
        const useful = page !== undefined && isGood(page) && (i < number || page.items !== undefined);
        if (page === undefined || !(passed || useful)) page = await load(i);
        if (i === number) return { key: page.key, next: page.next, items: page.items ?? [] };
        if (page.next === undefined) return undefined;
      }
    },
    numberOf(key) {
      const number = pages.findIndex((page) => page.key === key);
      if (number >= 0) return number;
      const after = key === undefined ? -1 : pages.findIndex((page) => page.next === key);
      return after >= 0 ? after + 1 : key === from ? 0 : undefined;
    },
    held: () =>
      pages
        .flatMap(({ key, next, items }, number) =>
          items === undefined ? [] : [{ number, page: { key, next, items } }],
        )
        .reverse(),
  };
}

function broken(what: string): SessionError {
  return new SessionError('UNAVAILABLE', `Vectara ${what}.`, { hint: 'Try again later.' });
}

function lostPlace(cause: SessionError): SessionError {
  const { message, hint } = invalidArgument(
    'Vectara no longer accepts the position where the previous page ended.',
    'Start again without pageToken.',
  );
  return new SessionError('INVALID_ARGUMENT', message, { hint, cause });
}
