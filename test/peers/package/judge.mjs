/**
 * The package as a user gets it: packed, installed into an empty folder, and started by each Node.js that a host
 * may have, with an empty home. The oldest one must fetch a newer Node.js once; the next finds that. Prints a
 * line for each thing and exits 1 when one is not as it should be. Needs Linux on x64.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const here = import.meta.dirname;
const root = path.join(here, '..', '..', '..');
const scratch = mkdtempSync(path.join(tmpdir(), 'package-'));
const home = path.join(scratch, 'home');
const app = path.join(scratch, 'app');
mkdirSync(home);
mkdirSync(app);

let failed = false;
async function judge(what, check) {
  try {
    const fault = await check();
    if (fault !== undefined) throw new Error(fault);
    process.stdout.write(`ok   ${what}\n`);
  } catch (error) {
    failed = true;
    process.stdout.write(`FAIL ${what}: ${error.stderr || error.message}\n`);
  }
}

/** A machine that has this Node.js and npm on its path, and nothing else that the launcher would take. */
function machineWith(version) {
  const bin = mkdtempSync(path.join(scratch, `bin-${version}-`));
  const node = path.join(here, 'node_modules', `node${version}`, 'bin', 'node');
  symlinkSync(node, path.join(bin, 'node'));
  const npm = path.join(bin, 'npm');
  writeFileSync(npm, `#!/bin/sh\nexec node ${path.join(here, 'node_modules/npm/bin/npm-cli.js')} "$@"\n`);
  chmodSync(npm, 0o755);
  // How the registry is reached is the machine's; everything else in the home is new.
  const reach = /^(npm_config_.*|.*_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/i;
  const registry = Object.entries(process.env).filter(([name]) => reach.test(name));
  const userconfig = execFileSync('npm', ['config', 'get', 'userconfig'], { encoding: 'utf8' }).trim();
  return {
    node: path.join(bin, 'node'),
    env: {
      ...Object.fromEntries(registry),
      npm_config_userconfig: userconfig,
      HOME: home,
      PATH: `${bin}:/usr/bin:/bin`,
    },
  };
}

async function firstCall({ node, env }) {
  const launcher = path.join(app, 'node_modules/agent-sessions-mcp/dist/launcher.cjs');
  const transport = new StdioClientTransport({ command: node, args: [launcher], env, stderr: 'pipe' });
  let said = '';
  transport.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const client = new Client({ name: 'judge', version: '1' });
  await client.connect(transport, { timeout: 180_000 });
  const { structuredContent } = await client.callTool({ name: 'create_session', arguments: {} });
  await client.close();
  return { session: structuredContent.session, said };
}

execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], {
    cwd: root,
    encoding: 'utf8',
  }),
);
writeFileSync(path.join(app, 'package.json'), '{"private":true}\n');
execFileSync(
  'npm',
  [
    'install',
    '--omit=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    path.join(scratch, packed.filename),
  ],
  { cwd: app, stdio: 'inherit' },
);

await judge('the package holds what is needed, and no sources', () => {
  const files = packed.files.map((file) => file.path);
  const needed = [
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'dist/main.js',
    'dist/launcher.cjs',
    'dist/skills/agent-sessions/SKILL.md',
    'dist/types/adapters/keyv.d.ts',
  ];
  const missing = needed.filter((file) => !files.includes(file));
  if (missing.length > 0) return `missing: ${missing.join(', ')}`;
  const odd = files.filter((file) => /^(src|test|bench|shared)\//.test(file));
  return odd.length > 0 ? `not needed: ${odd.join(', ')}` : undefined;
});

await judge('a production install takes at most 60 MB and builds nothing', () => {
  const kilobytes = Number(
    execFileSync('du', ['-sk', 'node_modules'], { cwd: app, encoding: 'utf8' }).split('\t')[0],
  );
  process.stdout.write(`     ${(kilobytes / 1024).toFixed(1)} MB\n`);
  const native = execFileSync('find', ['node_modules', '-name', '*.node'], { cwd: app, encoding: 'utf8' });
  if (native !== '') return `native: ${native}`;
  return kilobytes <= 60 * 1024 ? undefined : `${kilobytes} kB`;
});

await judge('the types of agent-sessions-mcp/keyv are found', () => {
  writeFileSync(
    path.join(app, 'use.mts'),
    "import { openKeyv } from 'agent-sessions-mcp/keyv';\nconst { keyv } = await openKeyv('memory:', 'mine');\nconst size: number | undefined = await keyv.get('a');\nexport { size };\n",
  );
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  const options = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--skipLibCheck',
    '--types',
    '',
    'use.mts',
  ];
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...options], {
    cwd: app,
    encoding: 'utf8',
  });
  return status === 0 ? undefined : stdout;
});

for (const version of [18, 20, 22, 24]) {
  const machine = machineWith(version);
  await judge(`Node.js ${version}: a host connects and makes a session`, async () => {
    const { session, said } = await firstCall(machine);
    if (typeof session?.id !== 'string') return 'no session';
    const fetches = said.includes('fetching Node.js 24 through npm');
    return fetches === (version === 18) ? undefined : `said: ${said}`;
  });
}

await judge('what was fetched is kept where caches are', () =>
  existsSync(path.join(home, '.cache/agent-sessions-mcp/node/node_modules')) ? undefined : 'nothing there',
);

await judge('SIGTERM to the launcher ends the server under it', async () => {
  const { node, env } = machineWith('20');
  const launcher = path.join(app, 'node_modules/agent-sessions-mcp/dist/launcher.cjs');
  const child = spawn(node, [launcher], { env, stdio: ['pipe', 'ignore', 'pipe'] });
  // The server says where its data is once it serves.
  await once(child.stderr, 'data');
  const below = execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' }).trim();
  child.kill('SIGTERM');
  await once(child, 'close');
  return existsSync(`/proc/${below}`) ? 'the server goes on' : undefined;
});

await judge('without any newer Node.js and without npm there is one sentence and exit code 2', () => {
  const { node } = machineWith('20');
  const empty = path.join(scratch, 'empty');
  mkdirSync(empty, { recursive: true });
  const launcher = path.join(app, 'node_modules/agent-sessions-mcp/dist/launcher.cjs');
  const { status, stdout, stderr } = spawnSync(node, [launcher], {
    env: { HOME: empty, PATH: empty },
    encoding: 'utf8',
  });
  const sentence = /Install Node\.js 24 from https:\/\/nodejs\.org/;
  return status === 2 && stdout === '' && sentence.test(stderr) ? undefined : `${status}: ${stdout}${stderr}`;
});

rmSync(scratch, { recursive: true });
process.exitCode = failed ? 1 : 0;
