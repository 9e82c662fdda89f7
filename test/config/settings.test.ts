import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { backendGroups } from '../../src/config/backends.ts';
import { embeddingsGroup } from '../../src/config/embeddings.ts';
import { generalGroup } from '../../src/config/general.ts';
import { httpGroup } from '../../src/config/http.ts';
import { type Machine, readConfig, usage } from '../../src/config/index.ts';
import { nearest } from '../../src/config/nearest.ts';
import type { Setting } from '../../src/config/setting.ts';
import { SessionError } from '../../src/errors.ts';

interface Given {
  env?: Record<string, string>;
  file?: unknown;
}

function read(args: readonly string[], { env = {}, file }: Given = {}) {
  const machine: Machine = {
    env,
    platform: 'linux',
    homeDir: '/home/ann',
    userName: 'ann',
    readFile: () => JSON.stringify(file),
  };
  const argv = file === undefined ? args : [...args, '--config', 'f'];
  const invocation = readConfig(argv, machine, commands);
  if (invocation.kind !== 'run') throw new Error('This was to run.');
  return invocation;
}

/** What a person reads when it is refused. */
function refusal(args: readonly string[], given: Given = {}): string {
  try {
    read(args, given);
  } catch (error) {
    if (error instanceof SessionError && error.code === 'INVALID_ARGUMENT')
      return `${error.message} ${error.hint}`;
    throw error;
  }
  throw new Error('It was taken.');
}

const groups = [generalGroup, httpGroup, embeddingsGroup, ...Object.values(backendGroups)];
const all: Setting<unknown>[] = groups.flatMap(({ settings }) => Object.values(settings));

describe('a file of --config that cannot be used', () => {
  const reading = (readFile: () => string) => {
    const machine: Machine = { env: {}, platform: 'linux', homeDir: '/home/ann', userName: 'ann', readFile };
    try {
      readConfig(['--config', 'f'], machine, commands);
    } catch (error) {
      if (error instanceof SessionError)
        return { words: `${error.message} ${error.hint}`, cause: error.cause };
    }
    throw new Error('It was taken.');
  };
  const failing = (code: string) => () => {
    throw Object.assign(new Error(`${code}: open '/home/ann/f'`), { code });
  };

  it.each([
    ['is missing', failing('ENOENT'), /^There is no file at the path of --config\./],
    ['is a folder', failing('EISDIR'), /^The file of --config cannot be read \(EISDIR\)\./],
    ['is cut', () => '{\n  "app": ', /^The file of --config is not JSON\. \S/],
    ['lacks a quote', () => '{\n  app: 1}', /line 2, column 3/],
    ['is a list', () => '[]', /wrong at "its top"/],
    ['is a list after a byte order mark', () => '\uFEFF[]', /wrong at "its top"/],
    ['has a text for a list', () => '{"backend": "local"}', /as a list in the file/],
  ])('says so in a sentence and without a stack when it %s', (_, readFile, words) => {
    expect(reading(readFile)).toEqual({ words: expect.stringMatching(words), cause: undefined });
  });
});

describe('the table of settings', () => {
  it('names every flag, variable and key once', () => {
    for (const of of ['flag', 'env', 'key'] as const) {
      const names = all.flatMap((one) => one[of] ?? []);
      expect(names).toEqual([...new Set(names)]);
    }
  });

  it('is the help, whole', () => {
    const help = usage(commands);
    for (const { flag, env, key } of all) {
      if (flag !== undefined) expect(help).toContain(`--${flag}`);
      if (env !== undefined) expect(help).toContain(env);
      if (key !== undefined) expect(help).toContain(key);
    }
    for (const { name, help: words } of commands)
      expect(help).toMatch(new RegExp(`  ${name}.*\\s+${words.slice(0, 20)}`));
    expect(help.split('\n').filter((line) => line.length > 120)).toEqual([]);
  });

  it('keeps every secret out of flags and file', () => {
    for (const one of all.filter(({ secret }) => secret === true))
      expect([one.flag, one.key]).toEqual([undefined, undefined]);
  });
});

describe('a wrong name', () => {
  it.each<[string, string[], Given, RegExp]>([
    ['of a flag', ['--toolset', 'events'], {}, /"--toolset".*Did you mean --toolsets\?/],
    ['of a flag, swapped', ['--raed-only'], {}, /Did you mean --read-only\?/],
    ['of a flag, in another spelling', ['--readOnly'], {}, /Did you mean --read-only\?/],
    ['of a command', ['docter'], {}, /"docter".*Did you mean doctor\?.*stdio, http/],
    ['in the file', [], { file: { tool_sets: [] } }, /"tool_sets".*Did you mean "toolsets"\?/],
    [
      'deep in the file',
      [],
      { file: { http: { limits: { call: 1 } } } },
      /"http.limits.call".*"http.limits.calls"/,
    ],
    ['in the wrong object of the file', [], { file: { port: 1 } }, /"port".*Did you mean "http.port"\?/],
  ])('%s gets the nearest right one', (_what, args, given, words) => {
    expect(refusal(args, given)).toMatch(words);
  });

  it('that is near to none gets no guess', () => {
    expect(refusal(['--zzzzzz'])).not.toContain('Did you mean');
    expect(nearest('backup', ['stdio', 'http', 'export'])).toBeUndefined();
  });
});

describe('a wrong value', () => {
  it.each<[string, string[], Given, RegExp]>([
    [
      'flag',
      ['http', '--port', '80x'],
      {},
      /^--port cannot be "80x"\. Use a whole number from 0 to 65535\.$/,
    ],
    ['variable', ['http'], { env: { AGENT_SESSIONS_PORT: '80x' } }, /^AGENT_SESSIONS_PORT cannot be "80x"/],
    [
      'key',
      ['http'],
      { file: { http: { port: '80' } } },
      /^http\.port in the file of --config cannot be "80"/,
    ],
    [
      'variable',
      [],
      { env: { AGENT_SESSIONS_BACKEND: 'cloud' } },
      /^AGENT_SESSIONS_BACKEND cannot be "cloud"/,
    ],
    [
      'key',
      [],
      { file: { durability: 'half' } },
      /^durability in the file of --config cannot be "half".*full, normal/,
    ],
    ['variable', [], { env: { AGENT_SESSIONS_USER: 'a\tb' } }, /^AGENT_SESSIONS_USER contains control/],
    ['key', ['http'], { file: { http: { publicUrl: 'http://x.example' } } }, /^http\.publicUrl in the file/],
    [
      'variable',
      ['http'],
      { env: { AGENT_SESSIONS_RATE_LIMIT: 'fast' } },
      /^AGENT_SESSIONS_RATE_LIMIT cannot/,
    ],
    ['key', [], { file: { agents: { a: { kind: 'chat' } } } }, /agents\.a\.baseUrl/],
  ])('is refused in the name of the %s that was used', (_which, args, given, words) => {
    expect(refusal(args, given)).toMatch(words);
  });

  it('of a variable for a backend is refused when that backend is read', () => {
    const { config } = read([], { env: { ADK_DIALECT: 'rust' } });
    expect(() => config.remote.adk()).toThrow(/^ADK_DIALECT cannot be "rust"/);
  });
});

describe('the command line', () => {
  it('takes a part of a request a second from each source alike', () => {
    for (const given of [
      { file: { http: { limits: { requestsPerSecond: 0.5 } } } },
      { env: { AGENT_SESSIONS_RATE_LIMIT: '0.5' } },
    ])
      expect(read(['http'], given).config.http.limits.requestsPerSecond).toBe(0.5);
    expect(read(['http', '--rate-limit', '0.5']).config.http.limits.requestsPerSecond).toBe(0.5);
  });

  it('refuses a flag that the command does not take, and says whose it is', () => {
    expect(refusal(['--port', '8080'])).toMatch(
      /--port is an option of http, doctor and init, not of stdio.*agent-sessions-mcp http --port/,
    );
    expect(read(['doctor', '--port', '8080']).config.http.port).toBe(8080);
  });

  it('asks for a missing value, also where the next flag stands in its place', () => {
    expect(refusal(['--store'])).toMatch(/"--store" needs a value.*--store URL/);
    expect(refusal(['--store', '--read-only'])).toMatch(/"--store" needs a value.*--store=URL/);
    expect(read(['--app=-x']).config.app).toBe('-x');
  });

  it('switches a bare flag off by its value', () => {
    expect(read(['--read-only']).config.readOnly).toBe(true);
    expect(read(['--read-only=off'], { env: { AGENT_SESSIONS_READ_ONLY: 'on' } }).config.readOnly).toBe(
      false,
    );
    expect(refusal(['--read-only=maybe'])).toMatch(/^--read-only cannot be "maybe"/);
  });

  it('takes the time limit of a call from the file', () => {
    expect(read([]).config.callMs).toBe(45_000);
    expect(read([], { file: { callTimeoutMs: 20_000 } }).config.callMs).toBe(20_000);
  });

  it('takes an empty variable for none', () => {
    expect(read([], { env: { AGENT_SESSIONS_USER: '', AGENT_SESSIONS_READ_ONLY: '' } }).config).toMatchObject(
      {
        user: 'ann',
        readOnly: false,
      },
    );
  });

  it('uses the API key of Google only where no project is given: it may be meant for other tools', () => {
    const env = { GOOGLE_API_KEY: 'key-1' };
    expect(read([], { env }).config.remote.agentEngine()).toMatchObject({ apiKey: 'key-1' });
    const given = read([], {
      env: { ...env, GOOGLE_CLOUD_PROJECT: 'my-project' },
    }).config.remote.agentEngine();
    expect(given.project).toBe('my-project');
    expect(given.apiKey).toBeUndefined();
  });

  it('knows every credential in it, for the log to redact', () => {
    const { config } = read([], {
      env: {
        GOOGLE_API_KEY: 'key-1',
        ADK_API_TOKEN: 'token-2',
        VECTARA_CLIENT_SECRET: 'secret-3',
        MODEL_KEY: 'model-4',
        AGENT_SESSIONS_STORE: 'postgres://u:p%40ss-5@db.example/x',
      },
      file: {
        agents: { a: { kind: 'chat', baseUrl: 'https://m.example', model: 'm', apiKeyEnv: 'MODEL_KEY' } },
      },
    });
    for (const secret of ['key-1', 'token-2', 'secret-3', 'model-4', 'p%40ss-5', 'p@ss-5'])
      expect(config.secrets).toContain(secret);
  });

  it.each([
    ['key', { kind: 'chat', baseUrl: 'http://m.example/v1', model: 'm', apiKeyEnv: 'SECRET' }],
    ['token', { kind: 'a2a', url: 'http://m.example', tokenEnv: 'SECRET' }],
    ['token', { kind: 'adk', url: 'http://m.example', app: 'x', tokenEnv: 'SECRET' }],
    [
      'token of a server',
      {
        ...{ kind: 'chat', baseUrl: 'https://m.example', model: 'm' },
        mcpServers: { files: { url: 'http://m.example/mcp', tokenEnv: 'SECRET' } },
      },
    ],
  ])('sends no %s of an agent unencrypted to another machine', (_what, agent) => {
    const source = (more: object) => ({
      env: { SECRET: 's' },
      file: { agents: { a: { ...agent, ...more } } },
    });
    expect(() => read([], source({}))).toThrow(/agent of "a" .*https/);
    const {
      apiKeyEnv: _key,
      tokenEnv: _token,
      mcpServers: _servers,
      ...open
    } = { ...{ apiKeyEnv: 0, tokenEnv: 0, mcpServers: 0 }, ...agent };
    expect(read([], { env: {}, file: { agents: { a: open } } }).config.agents.a).toHaveLength(1);
  });

  it('never shows a secret', () => {
    const { config } = read([], { env: { VECTARA_CLIENT_ID: 'id' } });
    expect(() => config.remote.vectara()).toThrow(/has no credentials/);
  });
});
