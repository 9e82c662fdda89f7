import { SessionError } from '../../errors.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { readAfterWrite } from '../../net/deadline.ts';
import { queryString } from '../../net/url.ts';
import { appNotFound } from '../shared/errors.ts';
import type { App } from '../types.ts';
import { type AgentEngineClient, isCode, objectOf } from './client.ts';
import { listPages } from './list-pages.ts';
import { type ClassMethod, toApp, toClassMethods } from './map-session.ts';
import { finishOperation } from './operations.ts';
import { enginePath, idIn, lastSegment } from './paths.ts';
import type { ReasoningEngine } from './wire-types.ts';

function asAppNotFound(error: unknown): never {
  throw isCode(error, 'NOT_FOUND') ? appNotFound(error) : error;
}

/** Milliseconds to wait for a new engine. Without code it takes some seconds. */
const createMs = 60_000;

/** Lists all engines of the project: engines belong to no user. */
export async function listApps(client: AgentEngineClient, query: PageQuery): Promise<Page<App>> {
  const pages = listPages<ReasoningEngine>(client, {
    path: `${client.endpoint.parent}/reasoningEngines`,
    field: 'reasoningEngines',
    params: { pageSize: query.pageSize },
    token: query.cursor,
  });
  for await (const { items, token } of pages)
    if (items.length > 0 || token === undefined) return { items: items.map(toApp), cursor: token };
  return { items: [], cursor: undefined };
}

async function getEngine(client: AgentEngineClient, app: string): Promise<ReasoningEngine> {
  const path = enginePath(client.endpoint, app);
  return objectOf(await client.http.json({ method: 'GET', path, retry: 'read' }).catch(asAppNotFound));
}

export async function getApp(client: AgentEngineClient, app: string): Promise<App> {
  return toApp(await getEngine(client, app));
}

/**
 * Creates an engine without code, which stores sessions and memories. The service chooses its id; the wanted name
 * becomes its display name.
 */
export async function createApp(
  client: AgentEngineClient,
  app: { name: string; displayName?: string | undefined; description?: string | undefined },
): Promise<App> {
  const body: ReasoningEngine = {
    displayName: app.displayName ?? app.name,
    ...(app.description === undefined ? {} : { description: app.description }),
  };
  const { name, response } = await finishOperation(client, {
    method: 'POST',
    path: `${client.endpoint.parent}/reasoningEngines`,
    body,
    retry: 'quota',
    lookWith: 'list_apps',
    waitMs: createMs,
  });
  const id = idIn(name, 'reasoningEngines') || lastSegment(response?.name);
  if (id === '')
    throw new SessionError('UNAVAILABLE', 'Agent Engine did not say which engine it created.', {
      hint: 'Call list_apps to see whether the app was created.',
    });
  // The engine exists, also when it cannot be read yet.
  return (await readAfterWrite(() => getApp(client, id))) ?? toApp({ ...body, name: id });
}

export async function deleteApp(
  client: AgentEngineClient,
  app: string,
  options: { force: boolean },
): Promise<void> {
  try {
    await finishOperation(client, {
      method: 'DELETE',
      path: enginePath(client.endpoint, app) + queryString({ force: options.force ? true : undefined }),
      retry: 'idempotent',
      lookWith: 'list_apps',
      waitMs: createMs,
    });
  } catch (error) {
    if (isCode(error, 'FAILED_PRECONDITION') && !options.force)
      throw new SessionError('FAILED_PRECONDITION', 'The app has sessions or memories.', {
        hint: 'Delete them first, or call delete_app with force: true to delete all of them.',
        cause: error,
      });
    asAppNotFound(error);
  }
}

const methodsMs = 60_000;

/** The class methods of an engine, cached for a minute: only a new deployment changes them. */
export async function classMethodsOf(
  client: AgentEngineClient,
  app: string,
): Promise<readonly ClassMethod[]> {
  const known = client.classMethods.get(app);
  if (known !== undefined && client.now() - known.at < methodsMs) return known.methods;
  const methods = toClassMethods(await getEngine(client, app));
  if (client.classMethods.size > 100) client.classMethods.clear();
  client.classMethods.set(app, { at: client.now(), methods });
  return methods;
}
