import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

async function output(file: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code, text).toBe(0);
  return text;
}

it('planner and worker hand a session over, and the watcher sees all of it', {
  timeout: 60_000,
}, async () => {
  const text = await output('examples/hand-over/index.ts');
  expect(text).toContain('watcher  sees planner → worker:');
  expect(text).toContain('watcher  sees worker → planner: rice pudding: on the list');
  expect(text).toContain('watcher  saw 5 events');
  expect(text).toContain('host     finds 5 events: planner, worker, planner, worker, planner');
});

it('a team answers every part once, although one of it is killed', { timeout: 90_000 }, async () => {
  const text = await output('examples/team/index.ts');
  expect(text).toContain('host     researcher-1 was ended by SIGKILL');
  expect(text).toMatch(/researcher-2 takes \w+, try 2/);
  expect(text).toContain('writer   takes the session');
  expect(text.match(/^host {5}\w+: 1 answer$/gm)).toHaveLength(4);
  expect(text).toContain('host     the session: planner, writer');
});

it('a remote agent remembers its talk across servers', { timeout: 60_000 }, async () => {
  const text = await output('examples/a2a/index.ts');
  expect(text).toContain('counter  This is message 2 of our talk. You said: Do you remember me?');
});
