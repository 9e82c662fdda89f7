import type { Access, Backend } from '../backend/types.ts';
import type { Config } from '../config/index.ts';
import type { Log } from '../log.ts';
import { reach } from '../net/reach.ts';
import { type Checked, failed, note, ok, type Subject } from './doctor-finding.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Milliseconds for a service to answer at all. */
const reachMs = 8000;

/** The way to a backend's service: its address, then the credentials. */
export async function checkAccess({ name, access }: Backend, env: Env, log: Log): Promise<Checked[]> {
  if (access === undefined) return [];
  const [network, credentials] = await Promise.all([
    checkAddress(`backend ${name}`, access.origin, env, log),
    checkCredentials(name, access, env, log),
  ]);
  return [network, credentials];
}

/** Whether anything answers at an address. */
export async function checkAddress(what: string, url: string, env: Env, log: Log): Promise<Checked> {
  try {
    await reach(url, reachMs);
    return { subject: 'network', finding: ok(`${what}: ${url} answers${proxyOf(env)}`) };
  } catch (error) {
    return { subject: 'network', finding: failed(error, log) };
  }
}

/** The proxy in use, without what may be a password. */
function proxyOf(env: Env): string {
  const value = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY']
    .map((name) => env[name])
    .find(Boolean);
  const host = URL.parse(value ?? '')?.host;
  return host === undefined
    ? ''
    : `; the proxy is ${host}, except for ${env.no_proxy ?? env.NO_PROXY ?? 'this machine'}`;
}

async function checkCredentials(name: string, access: Access, env: Env, log: Log): Promise<Checked> {
  const subject: Subject = 'credentials';
  try {
    const file = name === 'agent-engine' ? env.GOOGLE_APPLICATION_CREDENTIALS : undefined;
    const from = file === undefined ? '' : `, from ${file} (GOOGLE_APPLICATION_CREDENTIALS)`;
    return { subject, finding: ok(`backend ${name}: credentials: ${await access.credentials()}${from}`) };
  } catch (error) {
    return { subject, finding: failed(error, log) };
  }
}

/** What the caller may read, verb by verb. Writing is not tried: it would leave something behind. */
export async function checkPermissions(backend: Backend, config: Config, log: Log): Promise<Checked[]> {
  const { name, apps, sessions, memory } = backend;
  const app = backend.defaultApp ?? config.app;
  const owner = { app, userId: config.user };
  const reads: Record<string, (() => Promise<unknown>) | undefined> = {
    'list apps': apps?.list && (() => apps.list?.({ pageSize: 1 }) ?? Promise.resolve()),
    'list sessions':
      sessions?.list && (() => sessions.list?.({ ...owner, pageSize: 1 }) ?? Promise.resolve()),
    'list memories': memory?.list && (() => memory.list?.(owner, { pageSize: 1 }) ?? Promise.resolve()),
  };
  const checked: Checked[] = [];
  const allowed: string[] = [];
  for (const [what, read] of Object.entries(reads)) {
    if (read === undefined) continue;
    try {
      await read();
      allowed.push(what);
    } catch (error) {
      checked.push({ subject: 'permissions', finding: failed(error, log) });
      checked.push({
        subject: 'permissions',
        finding: note(`backend ${name}: could not ${what} of app ${app}.`, 'The failure above it says why.'),
      });
    }
  }
  if (allowed.length > 0)
    checked.push({
      subject: 'permissions',
      finding: ok(`backend ${name}: may ${allowed.join(', ')} in app ${app}`),
    });
  return checked;
}
