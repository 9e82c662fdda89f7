import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../build.ts';

type Json = Record<string, unknown>;

/** A new folder that goes when the benchmark ends. */
export function scratch(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A minified bundle of a source file, as users get it; inside node_modules so that packages are found. */
export async function bundled(source: string, options?: { plain?: boolean }): Promise<string> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const name = path.basename(source, '.ts');
  const outdir = path.join(root, 'node_modules/.cache/agent-sessions-mcp/bench', name);
  await bundle({ [name]: path.join(root, source) }, outdir, options);
  // As packages say it; else Node.js reads each file twice to find out what it is.
  writeFileSync(path.join(outdir, 'package.json'), '{"type":"module"}\n');
  return path.join(outdir, `${name}.js`);
}

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

export interface RawClient {
  call(name: string, args?: Json): Promise<Json>;
  request(method: string, params?: Json): Promise<Json>;
  /** Microseconds of CPU that the server has used so far. */
  cpu(): number;
  child: ChildProcess;
  close(): void;
}

/** A client that does next to nothing, so that what is measured is the server. Calls fail when the server ends. */
export function rawStdio(file: string, args: readonly string[]): RawClient {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const pending = new Map<number, PromiseWithResolvers<Json>>();
  let buffer = '';
  let said = '';
  let ended: Error | undefined;
  let next = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    buffer += chunk;
    let end = buffer.indexOf('\n');
    while (end >= 0) {
      const { id, result, ...rest } = JSON.parse(buffer.slice(0, end)) as Json;
      buffer = buffer.slice(end + 1);
      const call = pending.get(id as number);
      pending.delete(id as number);
      if (result === undefined) call?.reject(new Error(JSON.stringify(rest)));
      else call?.resolve(result as Json);
      end = buffer.indexOf('\n');
    }
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-2000);
  });
  // A server that has ended reads nothing more; `close` tells why.
  child.stdin.on('error', () => {});
  child.once('close', (code, signal) => {
    ended = new Error(`The server ended with ${code ?? signal}: ${said.trim()}`);
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
  });
  const request = (method: string, params: Json = {}) => {
    if (ended !== undefined) return Promise.reject(ended);
    next += 1;
    const call = Promise.withResolvers<Json>();
    pending.set(next, call);
    child.stdin.write(
      `${JSON.stringify({ jsonrpc: '2.0', id: next, method, params: { ...params, _meta: meta } })}\n`,
    );
    return call.promise;
  };
  return {
    request,
    child,
    async call(name, args = {}) {
      const result = await request('tools/call', { name, arguments: args });
      if (result.isError === true) throw new Error(JSON.stringify(result.content));
      return (result.structuredContent ?? {}) as Json;
    },
    // Linux: fields 14 and 15 of stat are user and system time in ticks of 10 ms.
    cpu() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * 10_000;
    },
    close: () => void child.kill(),
  };
}

/** Calls per second of `count` calls, `lanes` at a time. */
export async function rate(
  count: number,
  lanes: number,
  call: (i: number) => Promise<unknown>,
): Promise<number> {
  let i = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (i < count) {
        i += 1;
        await call(i);
      }
    }),
  );
  return count / ((performance.now() - start) / 1000);
}

/** Milliseconds of each call, one after another, sorted. */
export async function times(count: number, call: (i: number) => Promise<unknown>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const start = performance.now();
    await call(i);
    all.push(performance.now() - start);
  }
  return all.sort((a, b) => a - b);
}

export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;

export const median = (values: readonly number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

export interface Row {
  what: string;
  figures: string;
  target: string;
}
type Point = readonly [x: number, y: number];
export interface Curve {
  title: string;
  x: string;
  y: string;
  series: Readonly<Record<string, readonly Point[]>>;
}
export interface Section {
  title: string;
  rows: Row[];
  curves: Curve[];
}

/** All that was printed, for the page of figures. */
export const report: Section[] = [];

/** One row of the report: what, the figures, and the target it is held against. */
export function row(what: string, figures: string, target = ''): void {
  report.at(-1)?.rows.push({ what, figures, target });
  print(what, figures, target);
}

const print = (what: string, figures: string, target: string): void =>
  void process.stdout.write(`| ${what.padEnd(58)} | ${figures.padEnd(46)} | ${target.padEnd(10)} |\n`);

export function heading(title: string): void {
  report.push({ title, rows: [], curves: [] });
  process.stdout.write(`\n${title}\n\n`);
  print('what', 'figures', 'target');
  print('-'.repeat(58), '-'.repeat(46), '-'.repeat(10));
}

/** A drawing of how figures grow, for the page; `x` and `y` name what the axes show. */
export function curve(title: string, x: string, y: string, series: Curve['series']): void {
  report.at(-1)?.curves.push({ title, x, y, series });
}

export const machineName = (): string =>
  `Node.js ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}`;

export function machine(): void {
  process.stdout.write(`${machineName()}\n`);
}

export const fixed = (n: number, digits = 2): string => n.toFixed(digits);
export const whole = (n: number): string => Math.round(n).toLocaleString('en');
