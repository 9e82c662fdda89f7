#!/usr/bin/env node
// Nothing may be imported here that an old Node cannot load: it gets a sentence, not a stack.
import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `agent-sessions-mcp needs Node.js 22.19 or newer, and this is ${process.version}. Install Node.js 24, or start it with: npx -y node@24 ${process.argv[1] ?? 'main.js'}\n`,
  );
  process.exit(2);
}

const { run } = await import('./cli.ts');
process.exitCode = await run({
  argv: process.argv.slice(2),
  nodeVersion: process.versions.node,
  machine: {
    env: process.env,
    platform: process.platform,
    homeDir: homedir(),
    userName: userName(),
    readFile: (path) => readFileSync(path, 'utf8'),
  },
  stdin: process.stdin,
  print: (text) => process.stdout.write(text),
  report: (text) => process.stderr.write(text),
  onSignal: (stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  },
  exit: (code) => process.exit(code),
});

// A container may run under a number that has no name.
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER || 'user';
  }
}
