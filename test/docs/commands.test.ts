import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../e2e/bundle.ts';
import { projectId } from '../fake/agent-engine/store.ts';
import { startServices } from '../fake/services.ts';
import { ownerKey } from '../fake/vectara/server.ts';
import { freePort } from '../free-port.ts';
import { scratch } from '../scratch.ts';
import { pageNames, pageText, textsOf } from './markdown.ts';

/** Commands that need what a test has not, and what shows that they work. */
const elsewhere: readonly (readonly [RegExp, string])[] = [
  [/^npm install && npm (run demo|test)$/, '.ci/run'],
  [/^npm run (build|docs|bundle)\b/, '.ci/run and test/peers/hosts'],
  [/^npm run demo -- /, 'test/page/browser/pictures.page.ts'],
  [/^agent-sessions-mcp open\b/, 'test/cli/open.test.ts'],
  [/^npm pkg set /, 'test/packaging'],
  [/^npm version /, 'nothing: it publishes'],
  [/^node dist\/launcher\.cjs init$/, 'test/docs/readme.test.ts'],
  [/^claude mcp add /, 'test/peers/hosts'],
  [/^npx tsx examples\//, 'test/run/examples.test.ts and test/peers/adk'],
  [/vitest run /, '.ci/run'],
  [/ postgres:\/\//, 'test/services/postgres-docs.test.ts'],
  [/^gcloud /, 'nothing: it asks for a login'],
  [/^adk api_server /, 'test/peers/adk'],
  [/^podman /, 'nothing: there is no container engine'],
];

/** Pages whose commands are run here, each in an empty home, one after the other. */
const scripts = pageNames.flatMap((name) => {
  const lines = textsOf(pageText(name), 'sh').join('').split('\n');
  const script = lines.filter((line) => line.trim() !== '' && !elsewhere.some(([known]) => known.test(line)));
  return script.length === 0 ? [] : [{ name, script }];
});

/** A server goes on in the background until the next one starts; what follows finds it listening. */
const preamble = `set -e
trap 'test -z "$server" || kill $server' EXIT
serve() {
  test -z "$server" || { kill $server; wait $server || true; }
  "$@" 2>server.log & server=$!
  until grep -q Listening server.log; do kill -0 $server; sleep 0.1; done
}
`;
const line = (text: string): string => (/^agent-sessions-mcp http /.test(text) ? `serve ${text}` : text);

describe('commands of the pages', () => {
  let stand: (text: string) => string;
  let services: Record<string, string>;
  let stop: () => Promise<unknown>;
  beforeAll(async () => {
    const { google, adk, vectara, close } = await startServices();
    services = { AGENT_ENGINE_BASE_URL: google.url, VECTARA_BASE_URL: vectara.url };
    // What a reader replaces, and addresses that may be taken here.
    const values: Record<string, string> = {
      'my-project': projectId,
      '1234567890': google.engine.id,
      zut_your_key: ownerKey,
      'VECTARA_AGENT=my_agent': 'VECTARA_AGENT=support',
      'ADK_APP=my_agent': 'ADK_APP=echo_agent',
      'http://127.0.0.1:8000': adk.url,
      ':8080': `:${await freePort()}`,
    };
    stand = (text) => Object.entries(values).reduce((all, [from, to]) => all.replaceAll(from, to), text);
    stop = close;
  });
  afterAll(() => stop());

  it.each(scripts)('those of $name', { timeout: 60_000 }, async ({ script }) => {
    const folder = scratch();
    const home = path.join(folder, 'home');
    const bin = path.join(folder, 'bin');
    for (const made of [home, bin]) mkdirSync(made);
    const command = path.join(bin, 'agent-sessions-mcp');
    writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${bundle}" "$@"\n`, { mode: 0o755 });
    // Pages speak of a session trip: it is the one that docs/export-import.md shows.
    const [sample = ''] = textsOf(pageText('docs/export-import.md'), 'jsonl');
    writeFileSync(path.join(folder, 'sample.jsonl'), sample);
    const text = [
      preamble,
      'agent-sessions-mcp import < sample.jsonl',
      'agent-sessions-mcp list > listed.txt',
      ...script.map((one) => line(stand(one))),
    ].join('\n');
    const child = spawn('sh', ['-c', text], {
      cwd: folder,
      env: {
        PATH: `${bin}:${process.env.PATH}`,
        HOME: home,
        AGENT_SESSIONS_USER: 'ada',
        AGENT_SESSIONS_PORT: /:(\d+)/.exec(stand(':8080'))?.[1],
        ...services,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code, said).toBe(0);
    // curl ends well on any answer.
    expect(said).not.toContain('"error"');
  });
});

it('the commands of many pages are run', () => {
  expect(scripts.map(({ name }) => name)).toEqual(expect.arrayContaining(['docs/http.md', 'docs/backup.md']));
});
