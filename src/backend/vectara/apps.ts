import { SessionError } from '../../errors.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import type { App } from '../types.ts';
import { objectOf, type Vectara } from './client.ts';
import { notFound } from './errors.ts';
import { readPage } from './list-pages.ts';
import { toApp } from './map-session.ts';
import { treeOf } from './paths.ts';

/** Lists the agents first, then the aliases. The cursor holds which of the two, and Vectara's own page key. */
export async function listApps(vectara: Vectara, query: PageQuery): Promise<Page<App>> {
  const [, part = 'agent', key = ''] = /^(agent|alias):(.*)$/s.exec(query.cursor ?? '') ?? [];
  const params = { limit: query.pageSize, page_key: key === '' ? undefined : key };
  if (part === 'agent') {
    const page = await readPage(vectara, { name: 'listAgents', path: '/v2/agents', field: 'agents', params });
    const items = page.items.map((wire) => toApp(wire, 'agent')).filter((app) => app !== undefined);
    // The last page of agents may be short. An empty one is skipped: the answer begins with the aliases.
    if (page.next !== undefined || items.length > 0)
      return { items, cursor: page.next === undefined ? 'alias:' : `agent:${page.next}` };
    return listApps(vectara, { ...query, cursor: 'alias:' });
  }
  const page = await readPage(vectara, {
    name: 'listAgents',
    path: '/v2/agent_aliases',
    field: 'aliases',
    params,
  }).catch((error: unknown) => {
    // Aliases need a role of their own, and older installations do not have them: the agents stay listed.
    const none = error instanceof SessionError && ['NOT_FOUND', 'PERMISSION_DENIED'].includes(error.code);
    if (none) return { items: [], next: undefined };
    throw error;
  });
  return {
    items: page.items.map((wire) => toApp(wire, 'alias')).filter((app) => app !== undefined),
    cursor: page.next === undefined ? undefined : `alias:${page.next}`,
  };
}

export async function getApp(vectara: Vectara, name: string): Promise<App> {
  const tree = treeOf(name);
  const wire = objectOf(await vectara.json('getAgent', { method: 'GET', path: tree.base, retry: 'read' }));
  const app = toApp(wire, tree.kind);
  if (app?.name !== name) throw notFound('agent');
  return app;
}
