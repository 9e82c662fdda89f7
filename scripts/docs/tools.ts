import * as z from 'zod';
import { openAdk } from '../../src/backend/adk/index.ts';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import { type Backend, supports } from '../../src/backend/types.ts';
import { openVectara } from '../../src/backend/vectara/index.ts';
import { isObject, type JsonObject } from '../../src/model/json.ts';
import { openStore } from '../../src/store/open.ts';
import { catalogue, type ListedTool } from '../../src/tools/index.ts';
import { type Tool, toolsets } from '../../src/tools/support/define.ts';
import { closed, code, table } from './markdown.ts';

const adkDialects = ['python', 'typescript', 'go', 'java'] as const;

/** The variants of a backend: what a tool needs, some ADK servers have and others have not. */
type Variants = readonly (readonly [label: string, backend: Backend])[];

/** Backends as they are when they are configured. None of them is asked anything. */
async function openAll(): Promise<Map<string, Variants>> {
  const store = await openStore({ url: 'memory:', durability: 'full', dataDir: '.' });
  const adk = adkDialects.map(
    async (dialect) => [dialect, await openAdk({ baseUrl: 'http://127.0.0.1:8000', dialect })] as const,
  );
  const engine = { project: 'example', location: 'us-central1', loadAuth: () => Promise.reject(new Error()) };
  return new Map<string, Variants>([
    ['local', [['', await openLocal({ store })]]],
    ['agent-engine', [['', await openAgentEngine(engine)]]],
    ['adk', await Promise.all(adk)],
    ['vectara', [['', await openVectara({ credentials: { apiKey: 'example' } })]]],
  ]);
}

/** The page of the tools, made from the catalogue. */
export async function toolsPage(): Promise<string> {
  const opened = await openAll();
  const variants = [...opened.values()].flat().map(([, backend]) => backend);
  try {
    const listed = catalogue({ backends: variants, toolsets, readOnly: false, admin: true });
    const names = [...opened.keys()];
    return `${[
      '<!-- Made by `npm run docs` from src/tools: edit the tools and run it again, not this page. -->',
      '# Tools',
      '',
      'Every tool: what it does, its arguments, what it answers, and which backends support it. A client sees the tools that at least',
      'one configured backend supports, without those that `--toolsets` or `--read-only` leave out.',
      '',
      ...table(
        ['tool', 'toolset', 'changes data', ...names.map(code)],
        listed.map(({ tool }) => [
          `[${code(tool.name)}](#${tool.name})`,
          tool.toolset,
          tool.annotations.readOnlyHint
            ? 'no'
            : tool.annotations.destructiveHint
              ? 'yes, can replace or delete'
              : 'yes',
          ...[...opened.values()].map((of) => supportOf(tool, of)),
        ]),
      ),
      '',
      `A cell of the column ${code('adk')} names the ADK servers that support the tool, where not all of them do.`,
      '',
      '## Arguments that many tools take',
      '',
      ...table(
        ['argument', 'type', 'meaning'],
        [
          [
            '`app`',
            'string',
            'App (agent) that the call is about. Default: the app of the server or backend.',
          ],
          ['`userId`', 'string', 'User that the call is about. Only admins have it. Default: you.'],
          [
            '`backend`',
            'string',
            'Backend of the call. Only servers with several backends have it. Default: the first one.',
          ],
        ],
      ),
      '',
      'Answers leave out what has no value. `truncated` says that long values were cut; each cut names the tool or argument that',
      'shows the whole. `nextPageToken` is there when more follows: pass it as `pageToken` with the same other arguments. A failed',
      'call answers with an error code of google.rpc, such as `NOT_FOUND`, a message and a hint what to do next.',
      ...toolsets.flatMap((toolset) => {
        const own = listed.filter(({ tool }) => tool.toolset === toolset);
        return ['', `## Toolset ${code(toolset)}`, ...own.flatMap((one) => sectionOf(one, opened))];
      }),
    ].join('\n')}\n`;
  } finally {
    await Promise.all(variants.map((backend) => backend.close()));
  }
}

function supportOf(tool: Tool, variants: Variants): string {
  const able = variants.filter(([, backend]) =>
    tool.offered === undefined
      ? tool.needs.every((need) => supports(backend, need))
      : tool.offered([backend]) || tool.needs.every((need) => supports(backend, need)),
  );
  if (able.length === 0) return 'no';
  return able.length === variants.length ? 'yes' : able.map(([label]) => label).join(', ');
}

const routing = ['app', 'userId', 'backend'];

function sectionOf({ tool, input }: ListedTool, opened: Map<string, Variants>): string[] {
  const schema = z.toJSONSchema(input(), { io: 'input' }) as JsonObject;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const all = membersOf(schema);
  const own = all.filter(([name]) => !routing.includes(name));
  const shared = all.map(([name]) => name).filter((name) => routing.includes(name));
  const also =
    shared.length === 0 ? '' : `${own.length === 0 ? 'Arguments' : 'Also'}: ${shared.map(code).join(', ')}.`;
  const support = [...opened].flatMap(([name, variants]) => {
    const answer = supportOf(tool, variants);
    return answer === 'no' ? [] : [answer === 'yes' ? name : `${name} (${answer})`];
  });
  return [
    '',
    `### ${tool.name}`,
    '',
    `**${tool.title}.** ${tool.description}`,
    '',
    ...(own.length === 0
      ? []
      : table(
          ['argument', 'type', 'default', 'meaning'],
          own.map(([name, node]) => [
            code(name) + (required.includes(name) ? ' (required)' : ''),
            typeOf(node),
            node.default === undefined ? '' : code(JSON.stringify(node.default)),
            closed(typeof node.description === 'string' ? node.description : ''),
          ]),
        )),
    ...(own.length > 0 && also !== '' ? [''] : []),
    ...(also === '' ? [] : [also]),
    ...(own.length === 0 && also === '' ? ['The tool takes no arguments.'] : []),
    '',
    `- **Answers** ${answerOf(tool)}`,
    `- **Hints:** ${hintsOf(tool)}.`,
    `- **Backends:** ${tool.reach === 'server' ? 'all' : support.join(', ')}.`,
  ];
}

function hintsOf({ annotations, confirm }: Tool): string {
  const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations;
  return [
    readOnlyHint
      ? 'only reads'
      : destructiveHint
        ? 'changes or deletes what is stored'
        : 'adds to what is stored',
    ...(readOnlyHint ? [] : [idempotentHint ? 'safe to repeat' : 'a repeated call can act twice']),
    ...(openWorldHint ? ['runs an agent, which can act on the outside world'] : []),
    ...(confirm === undefined ? [] : ['asks the user first']),
  ].join('; ');
}

const membersOf = ({ properties }: JsonObject): [string, JsonObject][] =>
  Object.entries(isObject(properties) ? properties : {}).filter((entry): entry is [string, JsonObject] =>
    isObject(entry[1]),
  );

/** What the tools that run agents answer beside their published schema, which is kept short for its tokens. */
const ofRuns =
  ', and when they are known `sessionId`, `invocationId`, `text` (what the agent answered), `events` (the last ones of the run, without what `text` holds), `note` and `truncated`';

function answerOf({ name: tool, output }: Tool): string {
  const schema = z.toJSONSchema(output(), { io: 'input' }) as JsonObject;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const fields = membersOf(schema).map(([name, node]) => {
    const described = isObject(node.items) ? (node.description ?? node.items.description) : node.description;
    const meaning = typeof described === 'string' ? `: ${described}` : '';
    return `${code(name)} (${typeOf(node)}${required.includes(name) ? '' : ', optional'}${meaning})`;
  });
  return `${fields.join(', ')}${/^(stream_)?query$/.test(tool) ? ofRuns : ''}.`;
}

/** A type in words. An object that has a description is described by it; any other shows its members. */
function typeOf(node: JsonObject): string {
  if (Array.isArray(node.enum)) return node.enum.map((value) => code(JSON.stringify(value))).join(' or ');
  if (node.type === 'array') return `list of ${isObject(node.items) ? typeOf(node.items) : 'any values'}`;
  if (node.type === 'object') {
    const members = membersOf(node);
    if (members.length === 0)
      return isObject(node.additionalProperties) && node.additionalProperties.type === 'string'
        ? 'object of strings'
        : 'object';
    if (node.brief === true) return 'object';
    const required = Array.isArray(node.required) ? node.required : [];
    return `object ${code(`{${members.map(([name]) => name + (required.includes(name) ? '' : '?')).join(', ')}}`)}`;
  }
  return `${typeof node.type === 'string' ? node.type : 'any value'}${boundsOf(node)}`;
}

function boundsOf({ type, minimum, maximum, maxLength }: JsonObject): string {
  if (type === 'string') return typeof maxLength === 'number' ? `, up to ${maxLength} characters` : '';
  if (typeof minimum !== 'number' || minimum === Number.MIN_SAFE_INTEGER) return '';
  return typeof maximum !== 'number' || maximum === Number.MAX_SAFE_INTEGER
    ? `, at least ${minimum}`
    : `, ${minimum} to ${maximum}`;
}
