/**
 * npm run bundle: packs packaging/mcpb/agent-sessions-mcp.mcpb, which Claude Desktop and other hosts install by a double
 * click. It holds the built server and the libraries that the build leaves in node_modules. Needs the registry.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { external } from '../build.ts';
import manifest from '../package.json' with { type: 'json' };

const packer = '@anthropic-ai/mcpb@2.1.2';
const output = path.resolve('packaging/mcpb', `${manifest.name}.mcpb`);
const folder = mkdtempSync(path.join(tmpdir(), 'mcpb-'));
const npm = (command: string, args: readonly string[]) =>
  execFileSync(command, args, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });

execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit', shell: process.platform === 'win32' });
mkdirSync(path.join(folder, 'dist'));
cpSync('dist', path.join(folder, 'dist'), {
  recursive: true,
  filter: (file) => !/[\\/]types([\\/]|$)/.test(file),
});
for (const file of ['LICENSE', 'README.md']) cpSync(file, path.join(folder, file));
cpSync('packaging/mcpb/manifest.json', path.join(folder, 'manifest.json'));
const { name, version, license, type, dependencies } = manifest;
const needed = Object.entries(dependencies).filter(([library]) => external.includes(library));
const content = { name, version, license, type, dependencies: Object.fromEntries(needed) };
writeFileSync(path.join(folder, 'package.json'), JSON.stringify(content));
npm('npm', [
  'install',
  '--omit=dev',
  '--omit=peer',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
]);
rmSync(path.join(folder, 'package-lock.json'));
npm('npx', ['--yes', packer, 'pack', '.', output]);
rmSync(folder, { recursive: true });
