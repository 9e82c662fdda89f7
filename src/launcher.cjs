#!/usr/bin/env node
'use strict';
// The published command. A host starts it with whatever Node.js it has, so this file is written for old ones
// (14.18 and newer) and loads nothing else before it knows that this Node.js can run the server. stdout belongs
// to the protocol: what is said here goes to stderr.

const childProcess = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const url = require('node:url');

/** The server, beside this file. */
const main = path.join(__dirname, 'main.js');
/** The version that is fetched where none is found. */
const fetchedMajor = '24';
const windows = process.platform === 'win32';

function isNewEnough(version) {
  const numbers = String(version).replace(/^v/, '').split('.').map(Number);
  return numbers[0] > 22 || (numbers[0] === 22 && numbers[1] >= 19);
}

function say(text) {
  process.stderr.write(`agent-sessions-mcp: ${text}\n`);
}

function childrenOf(folder) {
  try {
    return fs.readdirSync(folder).map((name) => path.join(folder, name));
  } catch {
    return [];
  }
}

function versionIn(text) {
  return (/v?(\d+)\.(\d+)\.(\d+)/.exec(text) || []).slice(1).map(Number);
}

function newestFirst(a, b) {
  const left = versionIn(a);
  const right = versionIn(b);
  for (let i = 0; i < 3; i += 1) if (left[i] !== right[i]) return (right[i] || 0) - (left[i] || 0);
  return 0;
}

function cacheFolder() {
  const home = os.homedir();
  if (windows)
    return path.join(
      process.env.LOCALAPPDATA || path.join(home, 'AppData', 'Local'),
      'agent-sessions-mcp',
      'node',
    );
  if (process.platform === 'darwin')
    return path.join(home, 'Library', 'Caches', 'agent-sessions-mcp', 'node');
  return path.join(process.env.XDG_CACHE_HOME || path.join(home, '.cache'), 'agent-sessions-mcp', 'node');
}

/** The npm package that holds the program of Node.js for this machine. */
function nodePackage() {
  const platform = windows ? 'win' : process.platform;
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  return [prefix, platform, process.arch].join('-');
}

function fetchedNode() {
  return path.join(cacheFolder(), 'node_modules', nodePackage(), 'bin', windows ? 'node.exe' : 'node');
}

/** Where other versions of Node.js usually are: the operator's choice, package folders, the path, version managers. */
function candidates() {
  const home = os.homedir();
  const name = windows ? 'node.exe' : 'node';
  const env = process.env;
  const found = [];
  if (env.AGENT_SESSIONS_NODE) found.push(env.AGENT_SESSIONS_NODE);
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    found.push(path.join(folder, 'node_modules', 'node', 'bin', name));
    if (path.dirname(folder) === folder) break;
  }
  found.push(fetchedNode());
  (env.PATH || env.Path || '').split(path.delimiter).forEach((folder) => {
    if (folder) found.push(path.join(folder, name));
  });
  let managed = []
    .concat(childrenOf(path.join(env.NVM_DIR || path.join(home, '.nvm'), 'versions', 'node')))
    .concat(childrenOf(path.join(home, '.asdf', 'installs', 'nodejs')))
    .concat(childrenOf(path.join(home, '.local', 'share', 'mise', 'installs', 'node')))
    .concat(childrenOf(path.join(env.VOLTA_HOME || path.join(home, '.volta'), 'tools', 'image', 'node')))
    .concat(
      childrenOf(
        env.N_PREFIX ? path.join(env.N_PREFIX, 'n', 'versions', 'node') : '/usr/local/n/versions/node',
      ),
    );
  [
    path.join(env.FNM_DIR || path.join(home, '.local', 'share', 'fnm'), 'node-versions'),
    path.join(home, 'Library', 'Application Support', 'fnm', 'node-versions'),
  ].forEach((fnm) => {
    childrenOf(fnm).forEach((version) => {
      managed.push(path.join(version, 'installation'));
    });
  });
  if (env.NVM_HOME) managed = managed.concat(childrenOf(env.NVM_HOME));
  managed.sort(newestFirst).forEach((version) => {
    if (isNewEnough((/v?\d+\.\d+\.\d+/.exec(version) || ['99.0.0'])[0]))
      found.push(windows ? path.join(version, name) : path.join(version, 'bin', name));
  });
  if (windows) found.push(path.join(env.ProgramFiles || 'C:\\Program Files', 'nodejs', name));
  else found.push('/opt/homebrew/bin/node', '/usr/local/bin/node', '/usr/bin/node', '/snap/bin/node');
  return found;
}

/** The version that a program says it has; undefined when it is no Node.js that starts. */
function versionOf(program) {
  try {
    if (!fs.statSync(program).isFile()) return undefined;
    const asked = childProcess.spawnSync(program, ['--version'], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return asked.status === 0 && /^v\d+\.\d+\.\d+/.test(asked.stdout) ? asked.stdout.trim() : undefined;
  } catch {
    return undefined;
  }
}

function findNode() {
  const distinct = new Set(candidates());
  distinct.delete(process.execPath);
  for (const program of distinct) {
    const version = versionOf(program);
    if (version !== undefined && isNewEnough(version)) return program;
  }
  return undefined;
}

/** Fetches Node.js through npm, once: later starts find it. */
function fetchNode() {
  const folder = cacheFolder();
  say(
    'this is Node.js ' +
      process.version +
      ' and 22.19 or newer is needed; fetching Node.js ' +
      fetchedMajor +
      ' through npm into ' +
      folder +
      ', once.',
  );
  fs.mkdirSync(folder, { recursive: true });
  // Without a package file of its own npm would look for one in the folders above.
  const manifest = path.join(folder, 'package.json');
  if (!fs.existsSync(manifest)) fs.writeFileSync(manifest, '{"private":true}\n');
  const args = [
    'install',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
    '--prefix',
    folder,
    `${nodePackage()}@${fetchedMajor}`,
  ];
  // npm writes to stdout, which is the protocol's.
  const done = childProcess.spawnSync(windows ? 'npm.cmd' : 'npm', args, {
    stdio: ['ignore', 2, 2],
    cwd: folder,
    shell: windows,
  });
  const program = fetchedNode();
  return done.status === 0 && versionOf(program) !== undefined ? program : undefined;
}

function runWith(program) {
  const child = childProcess.spawn(program, [main].concat(process.argv.slice(2)), { stdio: 'inherit' });
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((signal) => {
    // The child ends in its own time, and this process with it.
    process.on(signal, () => {
      child.kill(signal);
    });
  });
  if (process.env.npm_lifecycle_event !== undefined) {
    // As in main.ts: npx passes a signal to its shell, which may end without passing it on.
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) child.kill('SIGTERM');
    }, 500).unref();
  }
  child.on('error', () => {
    say(
      'the Node.js that was found could not be started. Install Node.js 24 from https://nodejs.org and start again.',
    );
    process.exit(2);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (isNewEnough(process.versions.node)) {
  // For the server, as if it had been started itself.
  process.argv[1] = main;
  import(url.pathToFileURL(main).href).catch((error) => {
    say('the server could not be loaded. Install the package again.');
    process.stderr.write(`${String(error?.stack)}\n`);
    process.exit(2);
  });
} else {
  const program = findNode() || fetchNode();
  if (program === undefined) {
    say(
      'this is Node.js ' +
        process.version +
        '; 22.19 or newer is needed, none was found, and npm could not fetch it. ' +
        'Install Node.js 24 from https://nodejs.org, or set AGENT_SESSIONS_NODE to its program.',
    );
    process.exit(2);
  }
  runWith(program);
}
