import { expect, it } from 'vitest';
import { hostEntry } from '../../src/cli/host-entries.ts';

const http = (url: string) => ({ transport: 'http', url, token: 't' }) as const;
const bridge = (url: string) => hostEntry('claude-desktop', http(url), 'linux').text;

it('Claude Desktop’s bridge is allowed plain http to other machines only where that is meant', () => {
  expect(bridge('http://192.168.1.4:8080/mcp')).toContain('--allow-http');
  expect(bridge('http://127.0.0.1:8080/mcp')).not.toContain('--allow-http');
  expect(bridge('https://sessions.example/mcp')).not.toContain('--allow-http');
});

it.each([
  ['linux', `claude mcp add agent-sessions -- node '/a b/it'\\''s.js' --config /c.json`],
  ['win32', `claude mcp add agent-sessions -- node "/a b/it's.js" --config /c.json`],
])('words with spaces and quotes are quoted as the shell of %s reads them', (platform, line) => {
  const args = ["/a b/it's.js", '--config', '/c.json'];
  expect(hostEntry('claude-code', { transport: 'stdio', command: 'node', args }, platform).text).toBe(line);
});
