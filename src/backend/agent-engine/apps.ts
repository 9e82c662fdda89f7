import { SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { queryString } from '../../net/url.ts';
import type { App } from '../types.ts';
import { type AgentEngineClient, isCode, objectOf, pageOf } from './client.ts';
import { type ClassMethod, toApp, toClassMethods } from './map-session.ts';
import { settled } from './operations.ts';
import { enginePath, lastSegment } from './paths.ts';

function appNotFound(cause: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such app.', {
    hint: 'Call list_apps for the engines that there are.',
    cause,
  });
}

function asAppNotFound(error: unknown): never {
  throw isCode(error, 'NOT_FOUND') ? appNotFound(error) : error;
}

/** Making an engine without code takes seconds. */
const createMs = 60_000;

/** All engines of the project: the service keeps none by user. */
export async function listApps(client: AgentEngineClient, query: PageQuery): Promise<Page<App>> {
  const params = queryString({ pageSize: query.pageSize, pageToken: query.cursor });
  const page = await client.http.json({
    method: 'GET',
    path: `${client.endpoint.parent}/reasoningEngines${params}`,
    retry: 'read',
  });
  const { items, token } = pageOf(page, 'reasoningEngines');
  return { items: items.map(toApp), cursor: token };
}

async function getEngine(client: AgentEngineClient, app: string, timeoutMs?: number): Promise<JsonObject> {
  const path = enginePath(client.endpoint, app);
  return objectOf(
    await client.http.json({ method: 'GET', path, retry: 'read', timeoutMs }).catch(asAppNotFound),
  );
}

export async function getApp(client: AgentEngineClient, app: string): Promise<App> {
  return toApp(await getEngine(client, app));
}

/**
 * An engine without code: a store for sessions and memories. The service names it; the name that was asked
 * for becomes its display name.
 */
export async function createApp(
  client: AgentEngineClient,
  app: { name: string; displayName?: string | undefined; description?: string | undefined },
): Promise<App> {
  const operation = await client.http.json({
    method: 'POST',
    path: `${client.endpoint.parent}/reasoningEngines`,
    body: {
      displayName: app.displayName ?? app.name,
      ...(app.description === undefined ? {} : { description: app.description }),
    },
    retry: 'quota',
  });
  const made = await settled(client, operation, createMs);
  const named = /\/reasoningEngines\/([^/]+)\/operations\//.exec(String(objectOf(operation).name))?.[1];
  const id = named ?? lastSegment(made.name);
  if (id === '')
    throw new SessionError('UNAVAILABLE', 'Agent Engine did not say which engine it made.', {
      hint: 'Look with list_apps whether there is a new one.',
    });
  return getApp(client, id);
}

export async function deleteApp(
  client: AgentEngineClient,
  app: string,
  options: { force: boolean },
): Promise<void> {
  try {
    const operation = await client.http.json({
      method: 'DELETE',
      path: enginePath(client.endpoint, app) + queryString({ force: options.force ? true : undefined }),
      retry: 'idempotent',
    });
    await settled(client, operation, createMs);
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

/** What an engine can be asked to do, remembered for a minute: a deployment changes it seldom. */
export async function classMethodsOf(
  client: AgentEngineClient,
  app: string,
  timeoutMs?: number,
): Promise<readonly ClassMethod[]> {
  const known = client.classMethods.get(app);
  if (known !== undefined && client.now() - known.at < methodsMs) return known.methods;
  const methods = toClassMethods(await getEngine(client, app, timeoutMs));
  if (client.classMethods.size > 100) client.classMethods.clear();
  client.classMethods.set(app, { at: client.now(), methods });
  return methods;
}
