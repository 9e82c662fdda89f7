#!/usr/bin/env node
// Nothing may be imported here that an old Node cannot load: it gets a sentence, not a stack.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `agent-sessions-mcp needs Node.js 22.19 or newer, and this is ${process.version}. Install Node.js 24, or start it with: npx -y node@24 ${process.argv[1] ?? 'main.js'}\n`,
  );
  process.exit(2);
}

// An import of these modules would load all that they can load.
const { readFileSync, readlinkSync } = process.getBuiltinModule('node:fs');
const { homedir, hostname, userInfo } = process.getBuiltinModule('node:os');

// Compiled code is kept for the next start, which it makes a third faster.
process.getBuiltinModule('node:module').enableCompileCache();

// A host that reads no reports any more, or closed the pipe, still gets its answers.
process.stderr.on('error', () => {});

/** Known when it is needed: its hash loads the cryptography of Node.js. */
let machine: string | undefined;

const { run } = await import('./cli/run.ts');
process.exitCode = await run({
  argv: process.argv.slice(2),
  program: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
  nodeVersion: process.versions.node,
  machine: {
    env: process.env,
    platform: process.platform,
    homeDir: homedir(),
    userName: userName(),
    readFile: (path) => readFileSync(path, 'utf8'),
    process: {
      get machine() {
        machine ??= machineName();
        return machine;
      },
      pid: process.pid,
      isAlive,
    },
  },
  stdin: process.stdin,
  stdout: process.stdout,
  print: (text) => process.stdout.write(text),
  report: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  onSignal: (stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
    if (process.env.npm_lifecycle_event !== undefined) stopWithParent(stop);
  },
  exit: (code) => process.exit(code),
});

// A command that a signal stopped may still be waiting for its input.
process.stdin.destroy();

// npm passes a signal on to the shell that it starts a script with, and many a shell ends without passing it on:
// what is left of it is that the process has another parent.
function stopWithParent(stop: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 500);
  timer.unref();
}

// A container may run under a number that has no name.
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER || 'user';
  }
}

// Process ids mean the same only on one machine, between two of its starts, and within one container.
function machineName(): string {
  const read = (what: () => string) => {
    try {
      return what().trim();
    } catch {
      return '';
    }
  };
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const space = read(() => readlinkSync('/proc/self/ns/pid'));
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update([hostname(), boot, space].join(' ')).digest('hex').slice(0, 16);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
