import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Writes the TypeScript types of Agent Engine's JSON from the vendored descriptors, by the rules of proto3's
 * JSON mapping (https://protobuf.dev/programming-guides/json/). Run it with `npm run wire-types`.
 */
const home = new URL('../src/backend/agent-engine/', import.meta.url);
const descriptors = fileURLToPath(new URL('descriptors/v1beta1.json', home));
export const target = fileURLToPath(new URL('wire-types.ts', home));

/** Messages that the backend names; what they hold comes along. */
const roots = [
  'Session',
  'SessionEvent',
  'EventActions',
  'EventMetadata',
  'Part',
  'Memory',
  'GenerateMemoriesRequest',
  'GenerateMemoriesResponse',
  'RetrieveMemoriesRequest',
  'RetrieveMemoriesResponse',
  'ReasoningEngine',
  'QueryReasoningEngineRequest',
];

interface Field {
  type: string;
  map?: string;
  repeated?: boolean;
  behavior?: string;
}

interface Descriptors {
  source: string;
  messages: Record<string, { fields: Record<string, Field> }>;
  enums: Record<string, string[]>;
}

/** JSON forms of the scalars and of the well-known types. */
const leaves: Record<string, string> = {
  string: 'string',
  bytes: 'string',
  bool: 'boolean',
  int32: 'number',
  uint32: 'number',
  float: 'number',
  double: 'number',
  int64: 'string',
  uint64: 'string',
  'google.protobuf.Struct': 'JsonObject',
  'google.protobuf.Any': 'JsonObject',
  'google.protobuf.Empty': 'JsonObject',
  'google.protobuf.Value': 'unknown',
  'google.protobuf.NullValue': 'null',
  'google.protobuf.Timestamp': 'string',
  'google.protobuf.Duration': 'string',
  'google.protobuf.FieldMask': 'string',
};

const header = (
  source: string,
) => `// Made by \`npm run wire-types\` from descriptors/v1beta1.json: edit that script, not this file.
// ${source}
import type { JsonObject } from '../../model/json.ts';

/*
 * Messages of Agent Engine's v1beta1 API as JSON. Every field may be missing: proto3 leaves out what is empty,
 * and the service sends no more than it has. They are what Google promises, so readers still check what they
 * rely on. A service that is newer than the descriptors has more members in its enums. Type aliases, not
 * interfaces, because those count as JSON objects.
 */
`;

export function wireTypes(): string {
  const { source, messages, enums } = JSON.parse(readFileSync(descriptors, 'utf8')) as Descriptors;
  const wanted = new Set<string>();
  const collect = (name: string): void => {
    const message = messages[name];
    if (message === undefined) {
      if (enums[name] !== undefined) wanted.add(name);
      else if (leaves[name] === undefined) throw new Error(`The descriptors have no ${name}.`);
      return;
    }
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const field of Object.values(message.fields)) collect(field.type);
  };
  for (const root of roots) collect(root);
  const declared = [...wanted].sort().map((name) => {
    const keyword = roots.includes(name) ? 'export type' : 'type';
    const members = enums[name];
    if (members !== undefined)
      return `${keyword} ${nameOf(name)} = ${members.map((member) => `'${member}'`).join(' | ')} | (string & {});`;
    const fields = Object.entries(messages[name]?.fields ?? {}).map(
      ([field, of]) => `${comment(of)}  ${field}?: ${typeOf(of)} | undefined;`,
    );
    return fields.length === 0
      ? `${keyword} ${nameOf(name)} = JsonObject;`
      : `${keyword} ${nameOf(name)} = {\n${fields.join('\n')}\n};`;
  });
  return `${header(source)}\n${declared.join('\n\n')}\n`;
}

/** Nested messages have dots in their names. */
const nameOf = (name: string): string => name.replaceAll('.', '_');

function typeOf(field: Field): string {
  const single = leaves[field.type] ?? nameOf(field.type);
  if (field.map !== undefined) return `Record<string, ${single}>`;
  return field.repeated === true ? `${single}[]` : single;
}

const comment = ({ behavior }: Field): string =>
  behavior === 'OUTPUT_ONLY' || behavior === 'INPUT_ONLY' || behavior === 'REQUIRED'
    ? `  /** ${behavior.toLowerCase().replace('_', ' ')} */\n`
    : '';

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, wireTypes());
