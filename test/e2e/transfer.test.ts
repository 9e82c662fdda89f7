import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { scratch } from '../scratch.ts';
import { bundle } from './bundle.ts';
import { run } from './run.ts';

const store = () => ['--store', `sqlite:${path.join(scratch(), 'data.db')}`];

const start = (args: readonly string[]) =>
  spawn(process.execPath, [bundle, ...args], { env: { PATH: process.env.PATH ?? '', HOME: scratch() } });

const ended = (child: ReturnType<typeof start>): Promise<number | null> =>
  new Promise((resolve) => child.on('close', resolve));

function collected(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}

/** The lines of an export with artifacts of so many bytes each. */
function* exportOf(events: number, artifacts: number, bytes: number): Generator<string, void> {
  const hash = createHash('sha256');
  const line = (value: object) => {
    const text = `${JSON.stringify(value)}\n`;
    hash.update(text);
    return text;
  };
  const time = '2026-01-01T00:00:00.000Z';
  yield line({
    kind: 'session',
    format: 2,
    contents: { events, artifacts: Math.min(1, artifacts) },
    session: {
      id: 'big',
      app: 'default',
      userId: 'ada',
      state: { k: 1 },
      createTime: time,
      updateTime: time,
    },
  });
  for (let i = 0; i < events; i += 1)
    yield line({
      kind: 'event',
      event: {
        id: `e${i}`,
        author: 'user',
        invocationId: 'i',
        timestamp: time,
        content: { parts: [{ text: `${i} ${'words '.repeat(300)}` }] },
      },
    });
  for (let i = 0; i < artifacts; i += 1) {
    const data = Buffer.alloc(bytes, i);
    const sha256 = createHash('sha256').update(data).digest('hex');
    const artifact = {
      name: 'f.bin',
      version: i,
      mimeType: 'application/octet-stream',
      sizeBytes: bytes,
      sha256,
    };
    yield line({ kind: 'artifact', artifact, data: data.toString('base64') });
  }
  yield `${JSON.stringify({ kind: 'end', counts: { session: 1, event: events, artifact: artifacts }, sha256: hash.digest('hex') })}\n`;
}

async function feed(stdin: NodeJS.WritableStream, lines: Iterable<string>): Promise<void> {
  for (const line of lines)
    if (!stdin.write(line)) await new Promise<void>((resolve) => stdin.once('drain', () => resolve()));
}

/** Most memory that a process has had so far, in MB; undefined where the system does not tell. */
function peakOf(pid: number | undefined): number | undefined {
  const file = `/proc/${pid}/status`;
  const kb = existsSync(file) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  return kb === undefined ? undefined : Number(kb) / 1024;
}

describe('export and import as processes', () => {
  it('hold a page at a time of a session of 410 MB, and end quietly when the reader has enough', {
    timeout: 120_000,
  }, async () => {
    const to = store();
    const idle = start(['import', '--user', 'ada', ...to]);
    await sleep(700);
    const base = peakOf(idle.pid) ?? 0;
    let peak = 0;
    const stdout = collected(idle.stdout);
    const stderr = collected(idle.stderr);
    const done = ended(idle);
    for (const line of exportOf(5000, 200, 1_500_000)) {
      await feed(idle.stdin, [line]);
      if (line.length > 10_000) peak = Math.max(peak, peakOf(idle.pid) ?? 0);
    }
    idle.stdin.end();
    expect([await done, stdout()], stderr()).toEqual([0, 'big\n']);
    expect(peak - base).toBeLessThan(300);

    const writing = start(['export', 'big', '--user', 'ada', ...to]);
    const finished = ended(writing);
    let bytes = 0;
    let pauseAt = 0;
    peak = 0;
    for await (const chunk of writing.stdout) {
      bytes += (chunk as Buffer).length;
      // Slower than it could be written.
      if (bytes > pauseAt) {
        pauseAt += 5_000_000;
        await sleep(2);
      }
      peak = Math.max(peak, peakOf(writing.pid) ?? 0);
    }
    expect(await finished).toBe(0);
    expect(bytes).toBeGreaterThan(400_000_000);
    expect(peak - base).toBeLessThan(300);

    const cut = start(['export', 'big', '--user', 'ada', ...to]);
    const complaint = collected(cut.stderr);
    const over = ended(cut);
    cut.stdout.once('data', () => cut.stdout.destroy());
    expect(await over).toBe(0);
    expect(complaint()).not.toMatch(/EPIPE|\n\s+at |Error/);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    'leave nothing of an import that %s stops',
    async (signal) => {
      const to = store();
      const child = start(['import', '--user', 'ada', ...to]);
      const stderr = collected(child.stderr);
      const code = ended(child);
      const lines = [...exportOf(3000, 2, 1_500_000)];
      await feed(child.stdin, lines.slice(0, -1));
      await sleep(300);
      child.kill(signal);
      expect(await code).toBe(signal === 'SIGKILL' ? null : 1);
      if (signal !== 'SIGKILL') expect(stderr()).toMatch(/stopped.*Nothing was kept/);
      expect((await run(['export', 'big', '--user', 'ada', ...to])).stderr).toContain(
        'There is no such session.',
      );
      // The id is free, and the whole file makes the session.
      const again = await run(['import', '--user', 'ada', ...to], { stdin: lines.join('') });
      expect([again.code, again.stdout]).toEqual([0, 'big\n']);
    },
  );

  it('say that the output cannot be written', async () => {
    if (!existsSync('/dev/full')) return;
    const to = store();
    await run(['import', '--user', 'ada', ...to], { stdin: [...exportOf(10, 0, 0)].join('') });
    const child = spawn(
      '/bin/sh',
      ['-c', '"$@" > /dev/full', 'sh', process.execPath, bundle, 'export', 'big', '--user', 'ada', ...to],
      {
        env: { PATH: process.env.PATH ?? '', HOME: scratch() },
      },
    );
    const stderr = collected(child.stderr);
    expect(await ended(child)).toBe(1);
    expect(stderr()).toContain('The output cannot be written.');
  });

  it('name the line that is wrong', async () => {
    const lines = [...exportOf(3, 0, 0)];
    const cut = await run(['import', ...store()], { stdin: lines.slice(0, 3).join('') });
    expect([cut.code, cut.stdout]).toEqual([1, '']);
    expect(cut.stderr.trim().split('\n').at(-1)).toMatch(/^Line 4 is missing: the export was cut off\./);
  });

  it('are in --help, with what they carry only when asked', async () => {
    const { stdout } = await run(['--help']);
    expect(stdout).toMatch(/export SESSION +write a session to stdout as JSON Lines/);
    expect(stdout).toMatch(/--with-shared-state/);
  });
});
