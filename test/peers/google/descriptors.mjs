// The part of Google's descriptors that the wire types are made from and the fake checks requests against,
// from the installed package.
// `node descriptors.mjs` writes it to src/backend/agent-engine/descriptors/v1beta1.json; then `npm run wire-types`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const services = [
  'SessionService',
  'MemoryBankService',
  'ReasoningEngineService',
  'ReasoningEngineExecutionService',
];
const home = 'google.cloud.aiplatform.v1beta1';
/** Types whose JSON has a form of its own: nothing is looked up below them. */
const leaf = /^google\.(protobuf|longrunning|api|rpc|type)\./;
const verbs = ['get', 'post', 'patch', 'put', 'delete'];

export const file = fileURLToPath(
  new URL('../../../src/backend/agent-engine/descriptors/v1beta1.json', import.meta.url),
);

export function build() {
  const dir = path.dirname(require.resolve('@google-cloud/aiplatform/package.json'));
  const { version } = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'));
  const root = JSON.parse(readFileSync(path.join(dir, 'build/protos/protos.json'), 'utf8'));
  const at = (name) => name.split('.').reduce((node, part) => node?.nested?.[part], root);
  const resolve = (name, scope) => {
    for (let from = scope; ; from = from.slice(0, from.lastIndexOf('.'))) {
      if (at(`${from}.${name}`) !== undefined) return `${from}.${name}`;
      if (!from.includes('.')) return name;
    }
  };
  const short = (name) => (name.startsWith(`${home}.`) ? name.slice(home.length + 1) : name);
  const messages = {};
  const enums = {};

  function visit(name) {
    if (leaf.test(name) || short(name) in messages || short(name) in enums) return;
    const node = at(name);
    if (node.values !== undefined) {
      enums[short(name)] = Object.keys(node.values);
      return;
    }
    messages[short(name)] = { fields: {} };
    for (const [field, of] of Object.entries(node.fields ?? {})) {
      const scalar = /^(double|float|u?int(32|64)|s(int|fixed)(32|64)|fixed(32|64)|bool|string|bytes)$/.test(
        of.type,
      );
      const type = scalar ? of.type : resolve(of.type, name);
      messages[short(name)].fields[field] = {
        type: short(type),
        ...(of.keyType === undefined ? {} : { map: of.keyType }),
        ...(of.rule === 'repeated' ? { repeated: true } : {}),
        ...(of.options?.proto3_optional === true ? { presence: true } : {}),
        ...(of.options?.['(google.api.field_behavior)'] === undefined
          ? {}
          : { behavior: of.options['(google.api.field_behavior)'] }),
      };
      if (!scalar) visit(type);
    }
    const oneofs = Object.entries(node.oneofs ?? {}).filter(([oneof]) => !oneof.startsWith('_'));
    if (oneofs.length > 0)
      messages[short(name)].oneofs = Object.fromEntries(oneofs.map(([oneof, of]) => [oneof, of.oneof]));
  }

  const methods = {};
  for (const service of services)
    for (const [name, method] of Object.entries(at(`${home}.${service}`).methods)) {
      const option = (key) => method.parsedOptions.find((o) => key in o)?.[key];
      const rule = option('(google.api.http)');
      if (rule === undefined) continue;
      const more = rule.additional_bindings;
      const bindings = [rule, ...(Array.isArray(more) ? more : more === undefined ? [] : [more])];
      const operation = option('(google.longrunning.operation_info)');
      const request = resolve(method.requestType, home);
      const response = resolve(method.responseType, home);
      visit(request);
      visit(response);
      if (operation !== undefined) visit(resolve(operation.response_type, home));
      methods[name] = {
        service,
        request: short(request),
        response: short(response),
        ...(method.responseStream === true ? { stream: true } : {}),
        ...(operation === undefined
          ? {}
          : { operation: { response: operation.response_type, metadata: operation.metadata_type } }),
        http: bindings.map((binding) => {
          const verb = verbs.find((v) => v in binding);
          return {
            verb: verb.toUpperCase(),
            path: binding[verb],
            ...(binding.body === undefined ? {} : { body: binding.body }),
          };
        }),
      };
    }
  const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    source: `npm @google-cloud/aiplatform ${version}, build/protos/protos.json, ${home}`,
    license:
      'Copyright Google LLC. Apache-2.0, see NOTICE.md in this folder. Pruned and reshaped by test/peers/google/descriptors.mjs.',
    methods,
    messages: sorted(messages),
    enums: sorted(enums),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(file, `${JSON.stringify(build(), null, 2)}\n`);
