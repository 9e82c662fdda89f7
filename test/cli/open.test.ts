import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { bundle } from '../e2e/bundle.ts';
import { scratch } from '../scratch.ts';
import { eventually } from '../server/http/harness.ts';

function open(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [bundle, 'open', '--store', 'memory:', ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: scratch(), ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { said: () => stdout, reported: () => stderr, exit, end: () => child.kill('SIGINT') };
}

const addressIn = (text: string): URL | undefined => {
  const [found] = /http:\/\/127\.0\.0\.1:\d+\/ui#\S+/.exec(text) ?? [];
  return found === undefined ? undefined : new URL(found);
};

it('prints an address that works once where no browser can be started, and ends with Ctrl-C', async () => {
  const command = open(['the session', '--no-browser']);
  await eventually(() => addressIn(command.said()) !== undefined, 20_000);
  const address = addressIn(command.said());
  const parts = new URLSearchParams(address?.hash.slice(1));
  expect(parts.get('session')).toBe('the session');
  const page = await fetch(new URL('/ui', address));
  expect(await page.text()).toContain('<title>Sessions</title>');
  const exchange = () =>
    fetch(new URL('/ui/token', address), { method: 'POST', body: parts.get('key') ?? '' });
  expect((await exchange()).status).toBe(200);
  expect((await exchange()).status).toBe(403);
  command.end();
  expect(await command.exit).toBe(0);
  expect(command.reported()).toBe('');
});

it('hands the address to the browser of the person, and does not print it then', async () => {
  const folder = scratch();
  const seen = path.join(folder, 'seen');
  writeFileSync(path.join(folder, 'xdg-open'), `#!/bin/sh\nprintf %s "$1" > '${seen}'\n`);
  chmodSync(path.join(folder, 'xdg-open'), 0o755);
  const command = open([], { PATH: `${folder}:${process.env.PATH}`, DISPLAY: ':0' });
  await eventually(() => command.said().includes('opens in your browser'), 20_000);
  expect(addressIn(command.said())).toBeUndefined();
  expect(existsSync(seen) && addressIn(readFileSync(seen, 'utf8'))?.hash).toMatch(/^#key=/);
  command.end();
  expect(await command.exit).toBe(0);
});

it('prints the address when the browser cannot be started', async () => {
  const folder = scratch();
  writeFileSync(path.join(folder, 'xdg-open'), '#!/bin/sh\nexit 3\n');
  chmodSync(path.join(folder, 'xdg-open'), 0o755);
  const command = open([], { PATH: `${folder}:${process.env.PATH}`, DISPLAY: ':0' });
  await eventually(() => addressIn(command.said()) !== undefined, 20_000);
  command.end();
  expect(await command.exit).toBe(0);
});
