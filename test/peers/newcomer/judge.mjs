/**
 * A newcomer's run, timed: an empty folder and an empty home, and then only what README says, from the clone to the
 * first answer in a host. The host is the mcporter of test/peers/hosts; it is there before the clock starts.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from '../stand.mjs';

const root = path.join(import.meta.dirname, '..', '..', '..');
const host = path.join(root, 'test/peers/hosts/node_modules/.bin');
const scratch = mkdtempSync(path.join(tmpdir(), 'newcomer-'));
const home = path.join(scratch, 'home');
mkdirSync(home);
// Without what this repository's own scripts put on the path.
const usual = process.env.PATH.split(path.delimiter).filter((folder) => !folder.includes('node_modules'));
const env = {
  PATH: [...usual, host].join(path.delimiter),
  HOME: home,
  npm_config_cache: path.join(home, 'cache'),
};
const reach = /^(npm_config_(registry|userconfig)|.*_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE)$/i;
for (const [name, value] of Object.entries(process.env)) if (reach.test(name)) env[name] = value;

let total = 0;
async function step(what, line, cwd) {
  const began = performance.now();
  const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd, env, maxBuffer: 64 * 1024 * 1024 });
  const seconds = (performance.now() - began) / 1000;
  total += seconds;
  process.stdout.write(`ok   ${what} (${seconds.toFixed(1)} s)\n`);
  return stdout;
}

const app = path.join(scratch, 'agent-sessions-mcp');
await step('git clone', `git clone --quiet '${root}' '${app}'`, scratch);
await step('npm install', 'npm install', app);
const shown = await step('npm run demo', 'npm run demo', app);
expect(shown.includes('nothing was lost. The end.'), 'the demo ends well');
await step('npm run build', 'npm run build', app);
const printed = await step('init', 'node dist/launcher.cjs init --yes --client cursor', app);
writeFileSync(path.join(app, 'host.json'), /^\{.*^\}$/ms.exec(printed)[0]);
const call =
  'mcporter --config host.json call agent-sessions.query --args \'{"message":"hello"}\' --output json';
const answer = JSON.parse(await step('the first answer in a host', call, app));
expect(answer.text.includes('hello'), 'the agent answers');
process.stdout.write(`     ${total.toFixed(0)} s in all\n`);
rmSync(scratch, { recursive: true });
