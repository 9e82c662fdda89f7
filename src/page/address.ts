import type { Ref } from './live/refs.ts';

/** What the page shows, as the fragment of its address has it: a fragment never leaves the browser. */
export interface Address extends Partial<Ref> {
  view?: string | undefined;
  event?: string | undefined;
  /** Opens the server of `agent-sessions-mcp open`, once. */
  key?: string | undefined;
}

const names = {
  session: 'sessionId',
  app: 'app',
  user: 'userId',
  backend: 'backend',
  view: 'view',
  event: 'event',
  key: 'key',
} as const;

export function readAddress(): Address {
  const parts = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(
    Object.entries(names).flatMap(([part, name]) => {
      const value = parts.get(part);
      return value === null || value === '' ? [] : [[name, value]];
    }),
  );
}

/** Writes what is shown into the address, so that Back leads back. Resolves to the fragment. */
export function writeAddress(address: Address): string {
  const parts = Object.entries(names).flatMap(([part, name]) => {
    const value = address[name];
    return value === undefined ? [] : [[part, value] as [string, string]];
  });
  const fragment = parts.length === 0 ? '' : `#${new URLSearchParams(parts)}`;
  if (fragment === location.hash) return fragment;
  const url = `${location.pathname}${location.search}${fragment}`;
  // The key is taken out without a trace in the history.
  if (location.hash.includes('key=')) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  return fragment;
}

const tokenKey = 'agent-sessions-token';
let memory: string | undefined;

/** The token lives as long as the tab. */
export function keepToken(token: string): void {
  memory = token;
  try {
    sessionStorage.setItem(tokenKey, token);
  } catch {
    // Where the browser refuses its storage, the token lives until the page is left.
  }
}

export function keptToken(): string | undefined {
  try {
    memory ??= sessionStorage.getItem(tokenKey) ?? undefined;
  } catch {
    // A browser may refuse its storage to a page.
  }
  return memory;
}
