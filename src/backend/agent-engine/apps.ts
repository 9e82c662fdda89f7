import { SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { queryString } from '../../net/url.ts';
import type { App } from '../types.ts';
import { isCode, objectOf, pageOf, type Service, settled } from './client.ts';
import { type ClassMethod, toApp, toClassMethods } from './map-session.ts';
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
export async function listApps(service: Service, query: PageQuery): Promise<Page<App>> {
  const params = queryString({ pageSize: query.pageSize, pageToken: query.cursor });
  const page = await service.http.json({
    method: 'GET',
    path: `${service.place.parent}/reasoningEngines${params}`,
    retry: 'read',
  });
  const { items, token } = pageOf(page, 'reasoningEngines');
  return { items: items.map(toApp), cursor: token };
}

export async function getEngine(service: Service, app: string, timeoutMs?: number): Promise<JsonObject> {
  const path = enginePath(service.place, app);
  return objectOf(
    await service.http.json({ method: 'GET', path, retry: 'read', timeoutMs }).catch(asAppNotFound),
  );
}

export async function getApp(service: Service, app: string): Promise<App> {
  return toApp(await getEngine(service, app));
}

/**
 * An engine without code: a store for sessions and memories. The service names it; the name that was asked
 * for becomes its display name.
 */
export async function createApp(
  service: Service,
  app: { name: string; displayName?: string | undefined; description?: string | undefined },
): Promise<App> {
  const operation = await service.http.json({
    method: 'POST',
    path: `${service.place.parent}/reasoningEngines`,
    body: {
      displayName: app.displayName ?? app.name,
      ...(app.description === undefined ? {} : { description: app.description }),
    },
    retry: 'quota',
  });
  const made = await settled(service, operation, createMs);
  const named = /\/reasoningEngines\/([^/]+)\/operations\//.exec(String(objectOf(operation).name))?.[1];
  const id = named ?? lastSegment(made.name);
  if (id === '')
    throw new SessionError('UNAVAILABLE', 'Agent Engine did not say which engine it made.', {
      hint: 'Look with list_apps whether there is a new one.',
    });
  return getApp(service, id);
}

export async function deleteApp(service: Service, app: string, options: { force: boolean }): Promise<void> {
  try {
    const operation = await service.http.json({
      method: 'DELETE',
      path: enginePath(service.place, app) + queryString({ force: options.force ? true : undefined }),
      retry: 'idempotent',
    });
    await settled(service, operation, createMs);
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
  service: Service,
  app: string,
  timeoutMs?: number,
): Promise<readonly ClassMethod[]> {
  const known = service.classMethods.get(app);
  if (known !== undefined && service.now() - known.at < methodsMs) return known.methods;
  const methods = toClassMethods(await getEngine(service, app, timeoutMs));
  if (service.classMethods.size > 100) service.classMethods.clear();
  service.classMethods.set(app, { at: service.now(), methods });
  return methods;
}
