import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProduct, startTransportOf } from '../server/http/harness.ts';
import { conformanceFixture } from './fixture.ts';

/**
 * The protocol's own judge against our transport: every scenario that a revision requires, on the fixture;
 * and those that any good server passes, on the product. No list of expected failures.
 * Run by `npm run test:peers` after `npm ci --prefix test/peers/conformance`.
 */
const judge = fileURLToPath(
  new URL(
    '../peers/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js',
    import.meta.url,
  ),
);

/** How many scenarios each revision requires of a server. */
const required: Record<string, number> = { '2026-07-28': 37, '2025-11-25': 30 };

/** Scenarios that need no fixture, by revision. */
const generic: Record<string, readonly string[]> = {
  '2026-07-28': [
    'tools-list',
    'resources-list',
    'prompts-list',
    'server-sse-multiple-streams',
    'sep-2164-resource-not-found',
    'dns-rebinding-protection',
    'caching',
    'input-required-result-unsupported-methods',
    'http-header-validation',
  ],
  '2025-11-25': [
    'server-initialize',
    'server-session-lifecycle',
    'ping',
    'tools-list',
    'resources-list',
    'resources-subscribe',
    'resources-unsubscribe',
    'prompts-list',
    'server-sse-multiple-streams',
    'dns-rebinding-protection',
  ],
};

/** Runs the judge and resolves to its exit code and to what it said, without colours. */
function judged(args: readonly string[]): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [judge, 'server', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      const colour = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
      resolve({ code: code ?? 1, text: Buffer.concat(said).toString().replace(colour, '') });
    });
  });
}

/** Scenarios that passed and count: those of the summary, without those that are named as not scored. */
function countScored(text: string): number {
  const [summary = '', unscored = ''] = (text.split('=== SUMMARY ===')[1] ?? '').split('\nNot scored');
  const aside = new Set([...unscored.matchAll(/^ +[✓✗] ([\w-]+)/gm)].map(([, name]) => name));
  return [...summary.matchAll(/^✓ ([\w-]+):/gm)].filter(([, name]) => !aside.has(name)).length;
}

const out = await mkdtemp(path.join(tmpdir(), 'conformance-'));
const fixture = await startTransportOf(conformanceFixture());
const product = await startProduct();
await product.backend.sessions?.create?.({ app: 'default', userId: 'local' }, { sessionId: 'alpha' });
let failures = 0;

function report(what: string, passed: boolean, text: string): void {
  if (!passed) failures += 1;
  process.stdout.write(`${passed ? 'ok  ' : 'FAIL'} ${what}\n${passed ? '' : text}`);
}

try {
  for (const [revision, count] of Object.entries(required)) {
    const { code, text } = await judged(['--url', fixture.url, '--requirements', revision, '-o', out]);
    const scored = countScored(text);
    report(`${revision}: ${scored} of ${count} required scenarios`, code === 0 && scored === count, text);
  }
  for (const [revision, scenarios] of Object.entries(generic))
    for (const scenario of scenarios) {
      const args = ['--url', product.url, '--scenario', scenario, '--spec-version', revision, '-o', out];
      const { code, text } = await judged(args);
      const passed = /Passed: (\d+)\/\1, 0 failed/.test(text);
      report(`${revision}: ${scenario}, on the product`, code === 0 && passed, text);
    }
} finally {
  await Promise.all([fixture.close(0), product.end(), rm(out, { recursive: true })]);
}
process.exitCode = failures === 0 ? 0 : 1;
