import { SessionError } from '../../errors.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { appNotFound } from '../shared/errors.ts';
import type { App } from '../types.ts';
import type { Adk } from './client.ts';
import { notAdk } from './errors.ts';

async function appNames(adk: Adk): Promise<string[]> {
  const answer = await adk.http.json({ method: 'GET', path: '/list-apps', retry: 'read' }).catch((error) => {
    // The path contains no id, so a 404 means that the server has no such route.
    throw error instanceof SessionError && error.code === 'NOT_FOUND' ? notAdk(error) : error;
  });
  // Go writes null for an empty list.
  if (answer !== null && !Array.isArray(answer)) throw notAdk();
  return [...new Set((answer ?? []).map(String))].sort();
}

/** Lists the agents of a server. Agents that the server could not load are not in its list. */
export async function listApps(adk: Adk, query: PageQuery): Promise<Page<App>> {
  const { cursor } = query;
  const names = (await appNames(adk)).filter((name) => cursor === undefined || name > cursor);
  const page = names.slice(0, query.pageSize);
  return {
    items: page.map((name) => ({ name })),
    cursor: names.length > page.length ? page.at(-1) : undefined,
  };
}

export async function getApp(adk: Adk, name: string): Promise<App> {
  if (!(await appNames(adk)).includes(name)) throw appNotFound();
  return { name };
}

/** Milliseconds for which an app that was in the server's list counts as present. */
const knownMs = 30_000;

/**
 * Refuses an app that the server does not list. The TypeScript server creates sessions for any app, also for one
 * without an agent (docs/protocols/adk.md, "Sessions").
 * @throws SessionError NOT_FOUND
 */
export async function checkApp(adk: Adk, name: string): Promise<void> {
  if (Date.now() - (adk.knownApps.get(name) ?? 0) < knownMs) return;
  const answer = await adk.http.json({ method: 'GET', path: '/list-apps', retry: 'read' });
  // An empty list proves nothing: some servers list only apps that they have loaded already.
  if (!Array.isArray(answer) || answer.length === 0) return;
  if (!answer.includes(name)) throw appNotFound();
  for (const app of answer) adk.knownApps.set(String(app), Date.now());
}
