/**
 * npm run test:peers: installs the judges that are too heavy for everybody's install, one folder each, and
 * runs them: Keyv's own suite for adapters, Google's clients against our fake of Agent Engine, a real ADK API
 * server, the MCP Inspector, the package under several versions of Node.js, hosts, the MCP clients of agent frameworks,
 * the MCP conformance suite. Ends with the first that fails.
 *
 *   npm run test:peers -- adk google      only these
 *   npm run test:peers -- newcomer        what is run only when it is named: a newcomer's first minutes, timed
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const here = import.meta.dirname;
const root = path.join(here, '..', '..');
const bin = (name) => path.join(root, 'node_modules', '.bin', name);
const vitest = (folder) => [
  bin('vitest'),
  ['run', '--config', path.join(here, folder, 'vitest.config.ts')],
  root,
];

/** What to run in which folder, once its packages are there. */
const judges = {
  keyv: ['npm', ['test'], path.join(here, 'keyv')],
  google: vitest('google'),
  adk: vitest('adk'),
  inspector: [bin('node'), ['test/peers/inspector/judge.mjs'], root],
  package: [bin('node'), ['test/peers/package/judge.mjs'], root],
  hosts: [bin('node'), ['test/peers/hosts/judge.mjs'], root],
  clients: [bin('node'), ['test/peers/clients/judge.mjs'], root],
  conformance: [bin('tsx'), ['test/conformance/run.ts'], root],
};

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** What says how long something takes, and repeats what others have judged. */
const onRequest = { newcomer: ['node', ['test/peers/newcomer/judge.mjs'], root] };
/** Whose packages a judge uses, where it has none of its own. */
const packagesOf = { newcomer: 'hosts' };

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(judges)) {
  const judge = judges[name] ?? onRequest[name];
  if (judge === undefined)
    throw new Error(`There is no judge ${name}; there are ${Object.keys(judges).join(', ')}.`);
  process.stdout.write(`\n== ${name} ==\n`);
  run(
    'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    path.join(here, packagesOf[name] ?? name),
  );
  run(...judge);
}
