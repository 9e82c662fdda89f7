import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { rawStdio } from '../../bench/tools.ts';
import { scratch } from '../scratch.ts';

/** A server that answers its first request and ends at the second. */
function shortLived(): string {
  const file = path.join(scratch(), 'server.mjs');
  const source = `
    process.stdin.setEncoding('utf8').on('data', (text) => {
      for (const line of text.trim().split('\\n')) {
        const { id } = JSON.parse(line);
        if (id === 1) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { ok: true } }) + '\\n');
        else { process.stderr.write('This Node.js is too old.\\n'); process.exit(2); }
      }
    });`;
  writeFileSync(file, source);
  return file;
}

it('calls fail with what a server said when it ended, and so do later ones', async () => {
  const client = rawStdio(shortLived(), []);
  expect(await client.request('ping')).toEqual({ ok: true });
  const ended = /^The server ended with 2: This Node\.js is too old\.$/;
  await Promise.all([
    expect(client.request('ping')).rejects.toThrow(ended),
    expect(client.call('any')).rejects.toThrow(ended),
  ]);
  await expect(client.request('ping')).rejects.toThrow(ended);
});
