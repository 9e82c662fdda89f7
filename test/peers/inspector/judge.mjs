/**
 * The MCP Inspector: its command line on mcp.json as it stands in the checkout and on a server over HTTP with a token,
 * in both protocol eras; and its web page in Chromium.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { answerOf, emptyHome, expect, judge, openStand, root, visit } from '../stand.mjs';
import { inspector, visitWebPage } from './web-page.mjs';

const stand = await openStand();
const { env: home } = emptyHome(stand.scratch, 'inspector');
const env = { ...home, MCP_INSPECTOR_SECRET_STORE: 'memory', MCP_AUTO_OPEN_ENABLED: 'false' };

const servers = {
  stdio: ['--config', 'mcp.json', '--server', 'agent-sessions'],
  http: [stand.http.url, '--header', `Authorization: Bearer ${stand.http.token}`],
};

/** Runs the command line and resolves to what it prints. */
async function inspect(transport, era, ...args) {
  const base = ['--cli', ...servers[transport], '--protocol-era', era, '--format', 'json'];
  const options = { cwd: root, env, maxBuffer: 16 * 1024 * 1024 };
  return (await promisify(execFile)(process.execPath, [inspector, ...base, ...args], options)).stdout;
}

async function result(transport, era, ...args) {
  const [, text = '{}'] = /^[^{]*(\{.*\})\s*$/s.exec(await inspect(transport, era, ...args)) ?? [];
  const answer = JSON.parse(text);
  return answer.result ?? answer;
}

const namesOf = async (transport, era, ...more) =>
  (await result(transport, era, '--method', 'tools/list', ...more)).tools.map(({ name }) => name);

const caller = (transport, era) => async (tool, args) =>
  answerOf(
    await result(
      ...[transport, era, '--method', 'tools/call', '--tool-name', tool],
      ...['--tool-args-json', JSON.stringify(args)],
    ),
  );

for (const era of ['modern', 'legacy']) {
  const call = caller('stdio', era);
  await judge(`${era} over stdio: lists and calls, and every schema passes the lint`, () =>
    visit(() => namesOf('stdio', era, '--strict'), call),
  );
  await judge(`${era} over http: lists and calls`, () =>
    visit(() => namesOf('http', era), caller('http', era)),
  );
  await judge(`${era}: a session is a resource, and is deleted when confirmed`, async () => {
    const sessionId = `inspected-${era}`;
    await call('create_session', { sessionId, state: { a: 1 } });
    const read = ['--method', 'resources/read', '--uri', `session://default/${sessionId}`];
    const { contents } = await result('stdio', era, ...read);
    expect(JSON.parse(contents[0].text).session.state.a === 1, 'the session is read');
    expect((await call('delete_session', { sessionId, confirm: true })).deleted, 'the session is deleted');
  });
  await judge(`${era}: tools that list and show have the session page as their app`, async () => {
    for (const tool of ['list_sessions', 'get_session', 'list_events', 'search_events']) {
      const asked = ['--method', 'tools/call', '--tool-name', tool, '--app-info'];
      const { appInfo } = await result('stdio', era, ...asked);
      expect(appInfo.hasApp && appInfo.resourceMimeType === 'text/html;profile=mcp-app', tool);
    }
  });
  await judge(`${era}: the skill is served and is what it says`, async () => {
    const said = await inspect('stdio', era, '--method', 'skills/list', '--verify');
    expect(said.includes('"outcome":"verified"') && said.includes('agent-sessions/SKILL.md'), said);
  });
}

await judge('its web page in Chromium: connects over http with a token, lists, calls, shows the skill', () =>
  visitWebPage({ env, ...stand.http }),
);
await stand.close();
process.exit();
