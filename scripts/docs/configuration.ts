import { commands } from '../../src/cli/commands.ts';
import { groupsOf } from '../../src/config/index.ts';
import { type Group, type KeyTree, type Setting, treeOf } from '../../src/config/setting.ts';
import { isObject, type JsonObject } from '../../src/model/json.ts';
import { code, sentence, table } from './markdown.ts';

/** What the example shows for keys that have no default. */
const samples: JsonObject = {
  store: 'sqlite:/var/lib/agent-sessions/sessions.db',
  user: 'ann',
  toolsets: ['sessions', 'events', 'memory', 'query'],
  'http.publicUrl': 'https://sessions.example',
  'http.authTokens': '/etc/agent-sessions/tokens.json',
  'http.oauthIssuer': 'https://login.example',
  'http.oauthAudience': ['https://sessions.example'],
  'http.oauthJwksUrl': 'https://login.example/keys',
  'http.limits.burst': 100,
  'embeddings.baseUrl': 'http://127.0.0.1:11434/v1',
  'embeddings.model': 'nomic-embed-text',
  'embeddings.keyEnv': 'EMBEDDINGS_KEY',
  'embeddings.dimensions': 768,
  'agentEngine.project': 'my-project',
  'agentEngine.location': 'us-central1',
  'agentEngine.engineId': '1234567890',
  'agentEngine.quotaProject': 'my-project',
  'agentEngine.rateLimit': true,
  'agentEngine.memory.via': 'memory-bank',
  'agentEngine.memory.write': 'generate',
  'agentEngine.memory.scope': 'app-and-user',
  'agentEngine.memory.appName': 'my-app',
  'agentEngine.timeoutMs': 60_000,
  'agentEngine.maxBytes': 33_554_432,
  'adk.app': 'my_agent',
  'adk.dialect': 'python',
  'adk.allowHttp': false,
  'adk.timeoutMs': 30_000,
  'adk.runIdleMs': 300_000,
  'adk.maxAnswerBytes': 67_108_864,
  'vectara.agent': 'my-agent',
  'vectara.baseUrl': 'https://api.vectara.io',
  'vectara.unmaskToolCalls': false,
  'vectara.protectedMetadata': ['customer_id'],
  'vectara.idleMinutes': 1440,
  'vectara.maxArtifactBytes': 20_971_520,
  'vectara.timeoutMs': 30_000,
  'vectara.runTimeoutMs': 300_000,
};

const agents: JsonObject = {
  default: { kind: 'echo' },
  helper: {
    kind: 'chat',
    baseUrl: 'http://127.0.0.1:11434/v1',
    model: 'llama3.2',
    instruction: 'Be brief.',
    memories: 5,
  },
  '*': { kind: 'a2a', url: 'https://agent.example' },
};

/** The page of the settings, made from the table that the command line and the file are read by. */
export function configurationPage(): string {
  const groups = groupsOf(commands).filter(({ settings }) => Object.keys(settings).length > 0);
  return `${[
    '<!-- Made by `npm run docs` from src/config and src/cli: edit those and run it again, not this page. -->',
    '# Configuration',
    '',
    'Every setting is a flag, an environment variable, a key in the file of `--config`, or several of them. A flag comes before its',
    'variable, and the variable before the key. An unknown flag or key and a wrong value end the start with a message that names it.',
    'Lists are written with commas in flags and variables, and as arrays in the file.',
    '',
    '## Commands',
    '',
    ...table(
      ['command', 'what it does'],
      commands.map(({ name, operands = [], help }) => [code([name, ...operands].join(' ')), sentence(help)]),
    ),
    ...groups.flatMap(sectionOf),
    '',
    '## The file of `--config`',
    '',
    'The file is JSON. This example has every key, with its default or, where there is none, a sample; a real file has only the keys',
    'that differ from the defaults. The comments explain the keys here: leave them out of the file, because JSON has none. Secrets',
    'are never in the file: `apiKeyEnv` and `tokenEnv` of an agent name the environment variable that holds one.',
    '',
    '```jsonc',
    ...exampleLines(groups),
    '```',
  ].join('\n')}\n`;
}

function sectionOf({ title, commands: takers, settings }: Group): string[] {
  const only =
    takers === undefined || takers.length < 2
      ? []
      : ['', `For ${new Intl.ListFormat('en-GB').format(takers.map(code))}.`];
  const [heading, note] = title.split('; ');
  return [
    '',
    `## ${heading}`,
    ...(note === undefined ? [] : ['', sentence(note)]),
    ...only,
    '',
    ...table(
      ['flag', 'variable', 'file key', 'default', 'meaning'],
      Object.values(settings).map((one) => [
        one.flag === undefined
          ? ''
          : code(`--${one.flag}${one.value === undefined ? '' : ` ${one.value}`}`) +
            (one.short === undefined ? '' : `, ${code(`-${one.short}`)}`),
        one.env === undefined ? '' : code(one.env),
        one.key === undefined ? '' : code(one.key),
        defaultOf(one),
        `${sentence(one.help)}${valuesOf(one)}${one.secret === true ? ' Secret: never logged.' : ''}`,
      ]),
    ),
  ];
}

function defaultOf({ otherwise, kind }: Setting<unknown>): string {
  if (kind.bare === true) return 'off';
  if (otherwise === undefined || (Array.isArray(otherwise) && otherwise.length === 0)) return '';
  if (typeof otherwise === 'boolean') return otherwise ? 'on' : 'off';
  return code(Array.isArray(otherwise) ? otherwise.join(',') : String(otherwise));
}

/** What a value may be, where the sentence about the setting does not say it. */
function valuesOf({ help, kind, otherwise }: Setting<unknown>): string {
  if (kind.bare === true) return '';
  const [, values] = /^Use (.*?)( \(as a list in the file\))?\.$/.exec(kind.expects) ?? [];
  if (values === undefined || /^(a|a list of) texts?$/.test(values)) return '';
  const [, listed] = /^one(?: or more)? of: (.*)$/.exec(values) ?? [];
  if (listed?.split(', ').every((value) => help.includes(value) || value === otherwise)) return '';
  return ` ${sentence(values.replace(/ from (\d+) to 1000000000$/, ' of at least $1'))}`;
}

type Tree = KeyTree<Setting<unknown>>;

const isSetting = (node: Setting<unknown> | Tree): node is Setting<unknown> => typeof node.help === 'string';

function exampleLines(groups: readonly Group[]): string[] {
  const settings = groups.flatMap((group) => Object.values(group.settings));
  const tree = treeOf<Setting<unknown>>(settings, (one) => one);
  const lines = linesOf(tree, '  ');
  const bound = JSON.stringify(agents, undefined, 2).split('\n').join('\n  ').split('\n');
  return [
    '{',
    ...lines.map((line, i) => (i === lines.length - 1 ? `${line},` : line)),
    '  // The agents that query runs on the local backend, by app; "*" is for every other app.',
    `  "agents": ${bound[0]}`,
    ...bound.slice(1),
    '}',
  ];
}

function linesOf(tree: Tree, indent: string): string[] {
  const entries = Object.entries(tree);
  return entries.flatMap(([name, node], i) => {
    const comma = i === entries.length - 1 ? '' : ',';
    if (isSetting(node))
      return [
        `${indent}// ${sentence(node.help)}`,
        `${indent}"${name}": ${JSON.stringify(sampleOf(node))}${comma}`,
      ];
    return [`${indent}"${name}": {`, ...linesOf(node, `${indent}  `), `${indent}}${comma}`];
  });
}

function sampleOf({ key = '', otherwise }: Setting<unknown>): unknown {
  const value = otherwise ?? (isObject(samples) ? samples[key] : undefined);
  if (value === undefined) throw new Error(`scripts/docs/configuration.ts has no sample for ${key}.`);
  return value;
}
