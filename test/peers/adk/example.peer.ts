import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startReal } from './start.ts';

const root = path.join(import.meta.dirname, '../../..');

it('the example watches a real ADK agent, forks its session and carries on offline', {
  timeout: 60_000,
}, async () => {
  const real = await startReal();
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', path.join(root, 'examples/watch-adk.ts'), 'echo_agent', 'hello there'],
      { cwd: root, env: { ...process.env, ADK_API_SERVER_URL: real.url } },
    );
    expect(stdout).toContain('watcher  sees echo_agent: echo: hello there');
    expect(stdout).toContain('with 4 events');
    expect(stdout).toContain('carries on: I take it from here.');
  } finally {
    await real.stop();
  }
});
