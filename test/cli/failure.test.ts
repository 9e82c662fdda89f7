import { createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { run as runCommand } from '../../src/cli/run.ts';
import { causeText } from '../../src/log.ts';
import { run } from '../e2e/run.ts';
import { scratch } from '../scratch.ts';

it('a command tells a person the cause on one line, without JSON or a stack', async () => {
  const ended = await run(['init', '--yes', '/nowhere/at/all.json']);
  expect(ended.code).toBe(1);
  expect(ended.stderr.split('\n')).toEqual([
    'The configuration cannot be written. Check that its folder exists and can be written to, or name another file.',
    "The cause was: ENOENT: no such file or directory, open '/nowhere/at/all.json'",
    '',
  ]);
});

it.each([
  [true, /^The cause was: listen EADDRINUSE: .*$/m],
  [false, /^\{.*"message":"The cause was:".*"stack".*\}$/m],
])(
  'a server that cannot start tells it so at a terminal (%s), and as JSON in a log',
  async (isTerminal, form) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    let said = '';
    const code = await runCommand({
      argv: ['http', '--port', String(port), '--store', 'memory:'],
      program: [],
      nodeVersion: process.versions.node,
      machine: {
        env: {},
        platform: 'linux',
        homeDir: scratch(),
        userName: 'ada',
        readFile: () => '',
      },
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      print() {},
      report(text) {
        said += text;
      },
      onSignal() {},
      isTerminal,
      exit() {},
    });
    await new Promise((resolve) => taken.close(resolve));
    expect(code).toBe(2);
    expect(said).toMatch(form);
  },
);

it('the cause shows no secret, and all that went wrong', () => {
  const refused = new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]);
  expect(causeText(new TypeError('fetch failed', { cause: refused }))).toBe(
    'fetch failed: refused ::1; refused 127.0.0.1',
  );
  expect(causeText(new Error('no hunter22\u001b[2J for Bearer abc'), ['hunter22'])).toBe(
    'no [redacted]\\u001b[2J for Bearer [redacted]',
  );
  expect(causeText({ code: 7, token: 'x' })).toBe('{"code":7,"token":"[redacted]"}');
});
