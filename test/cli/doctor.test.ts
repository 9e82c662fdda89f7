import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostEntry } from '../../src/cli/host-entries.ts';
import { bundle } from '../e2e/bundle.ts';
import { type RunOptions, run } from '../e2e/run.ts';
import { fakeEmbeddings } from '../fake/embeddings/server.ts';
import { startServices } from '../fake/services.ts';
import { ownerKey, startVectara } from '../fake/vectara/server.ts';
import { scratch } from '../scratch.ts';

interface Report {
  ok: boolean;
  failures: number;
  checks: { status: string; subject: string; message: string; hint?: string; cause?: string }[];
}

const doctor = (args: readonly string[] = [], options?: RunOptions) =>
  run(['doctor', '--store', 'memory:', ...args], options);

async function report(args: readonly string[] = [], options?: RunOptions): Promise<Report> {
  const { stdout } = await doctor([...args, '--json'], options);
  return JSON.parse(stdout) as Report;
}

const about = ({ checks }: Report, subject: string) => checks.filter((check) => check.subject === subject);

describe('doctor', () => {
  it('names every fault of the configuration at once, the values with them', async () => {
    const file = path.join(scratch(), 'c.json');
    writeFileSync(
      file,
      JSON.stringify({
        stroe: 'x',
        http: { port: 'many', limits: { calls: 0 } },
        agents: { a: { kind: 'chta' } },
      }),
    );
    const args = [
      'doctor',
      '--config',
      file,
      '--durability',
      'half',
      '--tolsets',
      'x',
      '--rate-limit',
      'fast',
    ];
    const env = { AGENT_SESSIONS_BACKEND: 'vectara,clowd', AGENT_SESSIONS_LEGACY: 'yes' };
    const { code, stdout, stderr } = await run(args, { env });
    expect(code).toBe(1);
    for (const fault of [
      'Unknown option "--tolsets"',
      'unknown key "stroe"',
      '--durability cannot be "half"',
      '--rate-limit cannot be "fast"',
      'AGENT_SESSIONS_BACKEND cannot be "clowd"',
      'AGENT_SESSIONS_LEGACY cannot be "yes"',
      'http.port in the file of --config cannot be "many"',
      'http.limits.calls in the file of --config cannot be "0"',
      'is wrong at "agents.a',
    ])
      expect(stdout).toContain(fault);
    expect(stdout).toContain('Did you mean --toolsets?');
    expect(stdout.match(/^FAIL/gm)?.length).toBe(9);
    expect(stderr).toBe('');
  });

  it('counts credentials that are missing among them', async () => {
    const { stdout } = await run(['doctor', '--backend', 'vectara', '--port', '99999']);
    expect(stdout).toContain('The vectara backend has no credentials.');
    expect(stdout).toContain('--port cannot be "99999"');
  });

  it('leaves other commands with their one sentence and exit code 2', async () => {
    const { code, stderr } = await run(['list', '--durability', 'half', '--tolsets', 'x']);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('puts what must be repaired first, and ends with what it means', async () => {
    const { code, stdout, stderr } = await doctor(['--auth-tokens', '/nowhere/tokens.json']);
    const lines = stdout.split('\n').filter((line) => !line.startsWith(' '));
    expect(lines[0]).toBe('FAIL  The file of --auth-tokens cannot be read.');
    expect(lines.map((line) => line.slice(0, 4).trim()).join()).toMatch(/^FAIL,(note,)+(ok,)+1 to,$/);
    expect(code).toBe(1);
    expect(stderr).toBe('');
  });

  it('prints the same as JSON for programs', async () => {
    const well = await report();
    expect(well).toMatchObject({ ok: true, failures: 0 });
    expect(about(well, 'program')[0]?.message).toMatch(/^agent-sessions-mcp \d.*, Node\.js \d/);
    const ill = await run(['doctor', '--json', '--port', 'x']);
    expect(JSON.parse(ill.stdout)).toMatchObject({ ok: false, failures: 1 });
    expect(ill.code).toBe(1);
  });
});

describe('doctor on services', () => {
  it('says where it asked, with which credentials, and what they may read', async () => {
    const { google, adk, vectara, env, close } = await startServices();
    const seen = await report(['--backend', 'agent-engine,adk,vectara'], { env });
    await close();
    expect(seen.checks.filter(({ status }) => status === 'fail')).toEqual([]);
    const texts = (subject: string) => about(seen, subject).map(({ message }) => message);
    expect(texts('network')).toEqual([
      `backend agent-engine: ${google.url} answers`,
      `backend adk: ${new URL(adk.url).origin} answers`,
      `backend vectara: ${vectara.url} answers`,
    ]);
    expect(texts('credentials')).toContain('backend vectara: credentials: API key (VECTARA_API_KEY)');
    expect(texts('permissions').join()).toContain(
      `backend agent-engine: may list apps, list sessions, list memories in app ${google.engine.id}`,
    );
    expect(JSON.stringify(seen)).not.toContain(ownerKey);
  });

  it('names the address that nothing answers at, and why', async () => {
    const env = { ADK_API_SERVER_URL: 'http://127.0.0.1:9' };
    const seen = await report(['--backend', 'adk'], { env });
    expect(about(seen, 'network')).toMatchObject([
      {
        status: 'fail',
        message: 'Nothing answers at http://127.0.0.1:9.',
        cause: expect.stringMatching(/ECONNREFUSED|bad port/),
      },
    ]);
  });

  it('names a permission that is missing, verb by verb', async () => {
    const vectara = await startVectara({});
    const env = { VECTARA_BASE_URL: vectara.url, VECTARA_API_KEY: 'zut_wrong', VECTARA_AGENT: 'support' };
    const seen = await report(['--backend', 'vectara'], { env });
    await vectara.close();
    const faults = about(seen, 'permissions').filter(({ status }) => status === 'fail');
    expect(faults.length).toBeGreaterThan(0);
    expect(seen.ok).toBe(false);
  });

  it('names the account, project and quota project of a service account key', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const file = path.join(scratch(), 'key.json');
    const account = 'robot@demo.iam.gserviceaccount.com';
    const key = {
      ...{ type: 'service_account', project_id: 'demo', client_email: account, private_key_id: 'k' },
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
    writeFileSync(file, JSON.stringify(key));
    const { openAgentEngine } = await import('../../src/backend/agent-engine/index.ts');
    const { GoogleAuth } = await import('google-auth-library');
    const auth = new GoogleAuth({ keyFile: file, projectId: 'demo', scopes: ['s'] });
    const backend = await openAgentEngine({
      project: 'demo',
      quotaProject: 'payer',
      loadAuth: async () => ({
        getRequestHeaders: async () => {
          await auth.getClient();
          return new Headers({ authorization: 'Bearer t' });
        },
        getProjectId: () => auth.getProjectId(),
        getCredentials: () => auth.getCredentials(),
        get jsonContent() {
          return auth.jsonContent;
        },
      }),
    });
    expect(await backend.access?.credentials()).toBe(
      `service account key ${account}, project demo, quota project payer`,
    );
    expect(backend.access?.origin).toBe('https://us-central1-aiplatform.googleapis.com');
  });
});

describe('doctor on the entries of hosts', () => {
  async function seenIn(files: Record<string, string>) {
    const home = scratch();
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(home, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return about(await report([], { env: { HOME: home } }), 'hosts');
  }
  const stdio = { transport: 'stdio', command: 'node', args: [bundle] } as const;
  const http = { transport: 'http', url: 'http://127.0.0.1:8080/mcp', token: 'a'.repeat(43) } as const;
  const files = {
    cursor: '.cursor/mcp.json',
    vscode: '.config/Code/User/mcp.json',
    'gemini-cli': '.gemini/settings.json',
    codex: '.codex/config.toml',
    'claude-desktop': '.config/Claude/claude_desktop_config.json',
  } as const;

  it.each(Object.entries(files))(
    'finds those that init prints for %s as they should be',
    async (host, file) => {
      for (const to of [stdio, http]) {
        const seen = await seenIn({ [file]: hostEntry(host as keyof typeof files, to, 'linux').text });
        expect(seen).toMatchObject([{ status: 'ok', message: expect.stringContaining(file) }]);
      }
    },
  );

  it.each<[string, string, object | string]>([
    [
      'a launcher that is not there',
      'which is not there',
      { mcpServers: { 'agent-sessions': { command: 'node', args: ['/gone/dist/launcher.cjs'] } } },
    ],
    [
      'the wrong key',
      'does not read "servers"',
      { servers: { 'agent-sessions': { command: 'node', args: [bundle] } } },
    ],
    [
      'npm without --silent',
      'writes to stdout',
      { mcpServers: { 'agent-sessions': { command: 'npm', args: ['start'] } } },
    ],
    [
      'the token of the documentation',
      'that is no token',
      {
        mcpServers: {
          'agent-sessions': { url: 'http://127.0.0.1:8080/mcp', headers: { Authorization: 'Bearer TOKEN' } },
        },
      },
    ],
    [
      'an address without a path',
      'without a path',
      { mcpServers: { 'agent-sessions': { url: 'http://127.0.0.1:8080' } } },
    ],
    ['no JSON', 'it is not JSON', '{"mcpServers": {'],
  ])('finds %s', async (_, says, content) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    expect(await seenIn({ '.cursor/mcp.json': text })).toMatchObject([
      { status: 'fail', message: expect.stringContaining(says), hint: expect.stringMatching(/\w/) },
    ]);
  });

  it('reads files with comments, and passes over other servers', async () => {
    const text = `{ // mine\n "mcpServers": { "other": {"command": "x"}, "agent-sessions": {"command": "node", "args": [${JSON.stringify(bundle)}],}, } }`;
    expect(await seenIn({ '.cursor/mcp.json': text })).toMatchObject([{ status: 'ok' }]);
    expect(await seenIn({ '.cursor/mcp.json': '{"mcpServers":{"other":{"command":"x"}}}' })).toMatchObject([
      { status: 'note', hint: expect.stringContaining('init') },
    ]);
  });
});

describe('embeddings', () => {
  const configOf = (embeddings: object) => {
    const file = path.join(scratch(), 'c.json');
    writeFileSync(file, JSON.stringify({ embeddings }));
    return ['--config', file];
  };

  it('are made once, and told of with their length', async () => {
    const fake = await fakeEmbeddings({ key: 'the-right-key' });
    const config = configOf({ baseUrl: fake.url, model: 'm', keyEnv: 'KEY' });
    const well = await report(config, { env: { KEY: 'the-right-key' } });
    expect(about(well, 'embeddings')).toMatchObject([
      { status: 'ok', message: expect.stringMatching(/^embeddings by the model m: 8 numbers, in \d+ ms$/) },
    ]);
    const refused = await report(config, { env: { KEY: 'the-wrong-key' } });
    expect(about(refused, 'embeddings')).toMatchObject([
      {
        status: 'fail',
        message: 'The embeddings endpoint refuses the key.',
        hint: expect.stringContaining('keyEnv'),
      },
    ]);
    expect(JSON.stringify(refused)).not.toContain('wrong-key');
    await fake.close();
    expect(about(await report(config, { env: { KEY: 'the-right-key' } }), 'embeddings')).toMatchObject([
      { status: 'fail', message: expect.stringContaining('cannot be reached') },
    ]);
  });
});
