import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { Backend } from '../../src/backend/types.ts';
import { catalogue } from '../../src/tools/index.ts';
import { toolsets } from '../../src/tools/support/define.ts';

/** A request, and when it began and ended, by `performance.now()`. */
export interface Seen {
  /** `METHOD /path`, without the query. */
  line: string;
  begun: number;
  ended: number;
}

/** A proxy in front of a fake service, which delays every answer as a network does and records the requests. */
export async function slowProxy(target: string): Promise<{ url: string; seen: Seen[] }> {
  const { origin, pathname } = new URL(target);
  const seen: Seen[] = [];
  const server = createServer(async (req, res) => {
    const begun = performance.now();
    const [path] = (req.url ?? '').split('?');
    const own: Seen = { line: `${req.method} ${path}`, begun, ended: Number.POSITIVE_INFINITY };
    seen.push(own);
    await sleep(40);
    const onward = forward(`${origin}${req.url}`, { method: req.method, headers: req.headers }, (answer) => {
      own.ended = performance.now();
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${pathname === '/' ? '' : pathname}`, seen };
}

/** The number of round trips; requests that were under way at the same time count as one. */
export function tripsOf(requests: readonly Pick<Seen, 'begun' | 'ended'>[]): number {
  let trips = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const { begun, ended } of requests) {
    if (begun >= end) {
      trips += 1;
      end = ended;
    } else end = Math.min(end, ended);
  }
  return trips;
}

/** The table of "What each tool costs" in a page of docs/protocols: name, requests, round trips. */
export function costsIn(page: string): string[][] {
  const [, section = ''] = page.split('## What each tool costs');
  return [...section.matchAll(/^\| ([^|]+) \| ([^|]+) \| (\d+) \|$/gm)].map(([, ...cells]) => cells);
}

/** The tools that a backend has and no row of its table names. describe_server is about the server itself. */
export function toolsWithoutCosts(backend: Backend, rows: readonly string[]): string[] {
  const named = new Set(['describe_server', ...rows.flatMap((row) => row.split(/[ ,]+/))]);
  return catalogue({ backends: [backend], toolsets, readOnly: false, admin: true })
    .map(({ tool }) => tool.name)
    .filter((name) => !named.has(name));
}
