/**
 * The MCP Inspector on mcp.json as it stands in the checkout: its lint of every tool's schema, and calls in
 * both protocol eras. Prints a line for each and exits 1 when one is not as it should be.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const here = import.meta.dirname;
const root = path.join(here, '..', '..', '..');
const inspector = path.join(
  here,
  'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);
const home = mkdtempSync(path.join(tmpdir(), 'inspector-'));
const env = {
  PATH: process.env.PATH,
  HOME: home,
  MCP_INSPECTOR_SECRET_STORE: 'memory',
  MCP_AUTO_OPEN_ENABLED: 'false',
};

async function inspect(era, ...args) {
  const base = [
    '--cli',
    '--config',
    'mcp.json',
    '--server',
    'agent-sessions',
    '--protocol-era',
    era,
    '--format',
    'json',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [inspector, ...base, ...args], {
    cwd: root,
    env,
    maxBuffer: 16 * 1024 * 1024,
  });
  const [, text = '{}'] = /^[^{]*(\{.*\})\s*$/s.exec(stdout) ?? [];
  const answer = JSON.parse(text);
  return answer.result ?? answer;
}

const call = async (era, tool, args) =>
  (
    await inspect(
      era,
      '--method',
      'tools/call',
      '--tool-name',
      tool,
      '--tool-args-json',
      JSON.stringify(args),
    )
  ).structuredContent;

let failed = false;
async function judge(what, check) {
  try {
    if (!(await check())) throw new Error('not as it should be');
    process.stdout.write(`ok   ${what}\n`);
  } catch (error) {
    failed = true;
    process.stdout.write(`FAIL ${what}: ${error.stderr || error.message}\n`);
  }
}

for (const era of ['modern', 'legacy']) {
  const sessionId = `inspected-${era}`;
  await judge(`${era}: every schema passes the lint`, async () => {
    const { tools } = await inspect(era, '--method', 'tools/list', '--strict');
    return tools.length > 25;
  });
  await judge(`${era}: a session is made and read`, async () => {
    await call(era, 'create_session', { sessionId, state: { a: 1 } });
    return (await call(era, 'get_session', { sessionId })).session.state.a === 1;
  });
  await judge(`${era}: an event is appended and listed`, async () => {
    await call(era, 'append_event', { sessionId, text: 'hello' });
    return (await call(era, 'list_events', { sessionId })).events.length === 1;
  });
  await judge(`${era}: the session is a resource`, async () => {
    const { contents } = await inspect(
      era,
      '--method',
      'resources/read',
      '--uri',
      `session://default/${sessionId}`,
    );
    return JSON.parse(contents[0].text).session.id === sessionId;
  });
  await judge(
    `${era}: it is deleted when confirmed`,
    async () => (await call(era, 'delete_session', { sessionId, confirm: true })).deleted,
  );
}
rmSync(home, { recursive: true });
process.exitCode = failed ? 1 : 0;
