import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Backend } from '../../../src/backend/types.ts';
import { readHttp } from '../../../src/config/http.ts';
import { noSources } from '../../../src/config/setting.ts';
import { createLog } from '../../../src/log.ts';
import type { RunManager } from '../../../src/run/manager.ts';
import type { OneTimeKey } from '../../../src/server/auth/one-time-key.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { type HttpSettings, startHttp } from '../../../src/server/http/index.ts';
import { createLimits, defaultLimits } from '../../../src/server/http/limits.ts';
import { type HttpServer, startTransport, type TransportOptions } from '../../../src/server/http/listener.ts';
import type { LoadPage } from '../../../src/server/mcp/page.ts';
import type { ServedApp } from '../../../src/server/mcp/served-app.ts';
import { type Toolset, toolsets } from '../../../src/tools/support/define.ts';
import { bundle } from '../../e2e/bundle.ts';
import { scratch } from '../../scratch.ts';
import { memoryBackend, runManager } from '../../tools/harness.ts';
import { bearer, type Json, send } from './requests.ts';

export interface Product extends HttpServer {
  backend: Backend;
  port: number;
  /** Entries of the log, parsed. */
  entries: Json[];
  end(): Promise<void>;
}

export interface ProductOptions {
  settings?: Partial<HttpSettings>;
  user?: string;
  toolsets?: readonly Toolset[];
  backend?: Backend;
  runs?: RunManager;
  secret?: Buffer;
  app?: string;
  appStateWriters?: 'admins' | 'everyone';
  callMs?: number;
  agents?: readonly { app: string; agent: string }[];
  page?: LoadPage;
  oneTimeKey?: OneTimeKey;
}

/** The settings of a server without flags, on a free port. */
function defaults(): HttpSettings {
  return { ...readHttp(noSources), port: 0 };
}

/** The real server on a local store in memory. */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const backend = options.backend ?? (await memoryBackend());
  const entries: Json[] = [];
  const runs = options.runs ?? runManager();
  const server = await startHttp(
    {
      version: '0.0.0',
      backends: [backend],
      agents: options.agents,
      runs,
      defaultApp: options.app ?? 'default',
      toolsets: options.toolsets ?? toolsets,
      readOnly: false,
      appStateWriters: options.appStateWriters,
      callMs: options.callMs,
      secret: options.secret ?? Buffer.alloc(32, 7),
      page: options.page,
      log: createLog((line) => entries.push(JSON.parse(line) as Json)),
    },
    { ...defaults(), ...options.settings },
    options.user ?? 'local',
    options.oneTimeKey,
  );
  return {
    ...server,
    backend,
    entries,
    port: Number(new URL(server.url).port),
    async end() {
      await server.close(0);
      await runs.endAll(backend);
      await backend.close();
    },
  };
}

/** The product's transport with another application behind it, without authentication. */
export function startTransportOf(
  served: ServedApp,
  options: Partial<TransportOptions> = {},
): Promise<HttpServer> {
  return startTransport({
    settings: defaults(),
    served,
    log: createLog(() => {}),
    limits: createLimits(defaultLimits),
    anonymous: principalOf('ann', ['sessions:write']),
    ready: async () => {},
    ...options,
  });
}

export interface ServerProcess {
  child: ChildProcess;
  /** The endpoint's URL, once the server listens. */
  url: Promise<string>;
  port: Promise<number>;
  exit: Promise<number | null>;
  /** What it has written so far. */
  said(): { stdout: string; stderr: string };
}

/** Runs the shipped server as a process, on a free port and by default with a store in memory. */
export function startServerProcess(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): ServerProcess {
  const store = args.includes('--store') ? [] : ['--store', 'memory:'];
  const child = spawn(process.execPath, [bundle, 'http', '--port', '0', ...store, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: scratch(), ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const url = new Promise<string>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      stderr += `${line}\n`;
      const found = /"url":"([^"]+)"/.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
  return {
    child,
    url,
    port: url.then((text) => Number(new URL(text).port)),
    exit,
    said: () => ({ stdout, stderr }),
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until a condition holds, for a limited time. */
export async function eventually(holds: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('It did not come to hold in time.');
    await pause(10);
  }
}

/** The present value of a gauge in /metrics. */
export async function gauge(product: Product, name: string, user?: string): Promise<number> {
  const { body } = await send(product.port, { method: 'GET', path: '/metrics', headers: bearer(user) });
  return Number(new RegExp(`^agent_sessions_${name} (\\d+)$`, 'm').exec(body)?.[1]);
}
