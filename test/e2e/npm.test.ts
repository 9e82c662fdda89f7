import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { scratch } from '../scratch.ts';

/** Resolves when nothing listens there any more. */
async function gone(url: string): Promise<void> {
  for (;;) {
    const answers = await fetch(url).then(
      () => true,
      () => false,
    );
    if (!answers) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

it('SIGTERM to npm ends the server that it started, and not only its shell', async () => {
  const child = spawn('npm', ['run', '--silent', 'start:http', '--', '--store', 'memory:', '--port', '0'], {
    env: { PATH: process.env.PATH, HOME: scratch() },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let health = '';
  for await (const line of createInterface(child.stderr)) {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url === undefined) continue;
    health = new URL('/healthz', url).href;
    break;
  }
  expect((await fetch(health)).status).toBe(200);
  child.stderr.destroy();
  child.kill('SIGTERM');
  await once(child, 'exit');
  await gone(health);
});
