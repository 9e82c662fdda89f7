import { isObject } from '../../model/json.ts';
import type { HttpClientOptions } from '../../net/http.ts';
import { httpClient } from '../../net/http.ts';
import { type Dialect, dialects, goWithPatch } from './dialects.ts';
import { notAdk } from './errors.ts';

/** What is known of the server behind an address. */
export interface Detected {
  dialect?: Dialect | undefined;
  version?: string | undefined;
  /** False when nothing answered, or something other than an ADK server. */
  reachable: boolean;
}

/** The name of an app and a user that do not exist, so that listing their sessions changes nothing. */
const nobody = 'agent-sessions-mcp-probe';

/**
 * Detects the implementation of the server with GET requests that change nothing. `/version` names the language
 * (Python, newer Go) or only a version (TypeScript). Servers without that route answer with the 404 of their web
 * framework, which tells them apart. The shape of an empty list of sessions decides the rest: an object in
 * TypeScript, null in Go. The second request waits for the first, because a TypeScript server on a database creates
 * its tables at its first request, and several at once fail.
 */
export async function detect(
  options: Pick<HttpClientOptions, 'service' | 'baseUrl' | 'headers'>,
  timeoutMs: number,
): Promise<Detected> {
  const refusals: Detected[] = [];
  const http = httpClient({
    ...options,
    timeoutMs,
    maxBytes: 1024 * 1024,
    toError(status, body, _headers, text) {
      refusals.push({
        dialect: dialectOfRefusal(status, body, text),
        reachable: status !== 404 && status < 500,
      });
      return notAdk();
    },
  });
  const get = (path: string) =>
    http
      .json({ method: 'GET', path, retry: 'none' })
      .then((value) => ({ value }))
      .catch(() => undefined);

  const version = await get('/version');
  const named = version && dialectOfVersion(version.value);
  if (named?.dialect !== undefined) return { ...named, reachable: true };
  // Nothing listens, or the server is too slow for a second request within the time.
  if (version === undefined && refusals.length === 0) return { reachable: false };
  const list = await get(`/apps/${nobody}/users/${nobody}/sessions`);
  const [first] = refusals;
  if (list === undefined) return { reachable: refusals.some((refusal) => refusal.reachable) };
  if (list.value === null) return { dialect: dialects.go, reachable: true };
  if (isObject(list.value) && Array.isArray(list.value.sessions))
    return { dialect: dialects.typescript, version: named?.version, reachable: true };
  if (Array.isArray(list.value)) return { dialect: first?.dialect, reachable: true };
  return { reachable: false };
}

function dialectOfVersion(value: unknown): Pick<Detected, 'dialect' | 'version'> | undefined {
  if (!isObject(value) || typeof value.version !== 'string') return undefined;
  const version = /^[\w.+-]{1,40}$/.test(value.version) ? value.version : undefined;
  const { language } = value;
  const named = typeof language === 'string' ? language.toLowerCase() : '';
  return { dialect: Object.hasOwn(namedDialects, named) ? namedDialects[named] : undefined, version };
}

const namedDialects: Record<string, Dialect> = { ...dialects, go: goWithPatch };

/** FastAPI, Spring and Go's mux each have a 404 body of their own for an unknown path. */
function dialectOfRefusal(status: number, body: unknown, text: string): Dialect | undefined {
  if (status !== 404) return undefined;
  if (isObject(body) && body.detail === 'Not Found') return dialects.python;
  if (isObject(body) && body.timestamp !== undefined && body.path !== undefined) return dialects.java;
  return text.startsWith('404 page not found') ? dialects.go : undefined;
}
