import { isObject, type JsonObject } from '../../../src/model/json.ts';
import { type CheckOptions, checkMessage, snake } from './check.ts';
import { badField } from './google-error.ts';
import { type Method, schema } from './schema.ts';

export interface Call {
  /** Name of the RPC: CreateSession, … */
  rpc: string;
  /** The resource name in the path as it was requested. */
  name: string;
  /** The message of the body as it would be stored, or the whole request for body "*". */
  body: JsonObject;
  /** Query parameters, in camelCase. */
  params: Record<string, string>;
}

interface Route {
  rpc: string;
  method: Method;
  verb: string;
  pattern: RegExp;
  variable: string;
  body: string | undefined;
}

const routes: Route[] = Object.entries(schema.methods).flatMap(([rpc, method]) =>
  method.http.map((binding) => ({
    rpc,
    method,
    verb: binding.verb,
    pattern: patternOf(binding.path),
    variable: /\{([^=]+)=/.exec(binding.path)?.[1] ?? '',
    // The descriptors write the name in snake_case.
    body: binding.body?.replace(/_([a-z])/g, (_all, c: string) => c.toUpperCase()),
  })),
);

/** `/v1beta1/{parent=projects/*}/sessions`, in which a star is one segment. */
function patternOf(template: string): RegExp {
  const source = template
    .replace(/\{[^=]+=([^}]+)\}/, '($1)')
    .replace(/\*/g, '[^/:?#]+')
    .replace(/^\/v1beta1/, '/(?:v1beta1|v1)');
  return new RegExp(`^${source}$`);
}

/** Parameters that every Google API takes. */
const systemParams = new Set(['alt', '$alt', 'key', 'fields', 'prettyPrint', '$.xgafv', 'quotaUser']);

/** The RPC of a request, after its checks; undefined where Google has no route. @throws GoogleError */
export function matchCall(
  verb: string,
  url: URL,
  json: () => unknown,
  options: CheckOptions,
): { call: Call; method: Method } | undefined {
  for (const route of routes) {
    const match = route.verb === verb ? route.pattern.exec(url.pathname) : null;
    if (match?.[1] === undefined) continue;
    const name = match[1].split('/').map(decodeURIComponent).join('/');
    const request = schema.messages[route.method.request]?.fields ?? {};
    const inBody = route.body === '*' ? Object.keys(request) : [route.body];
    const params: Record<string, string> = {};
    for (const [written, value] of url.searchParams) {
      if (systemParams.has(written)) continue;
      const param = written.replace(/_([a-z])/g, (_all, c: string) => c.toUpperCase());
      const field = request[param];
      const extra = route.rpc === 'ListMemories' && param === 'orderBy';
      if (extra) options.note('ListMemoriesRequest.orderBy is not in the descriptors');
      if ((field === undefined && !extra) || inBody.includes(param) || param === route.variable) {
        const text = `Invalid JSON payload received. Unknown name "${written}": Cannot bind query parameter. Field '${written}' could not be found in request message.`;
        throw badField('', text);
      }
      if (field?.type === 'int32' && !/^-?\d+$/.test(value))
        throw badField(snake(param), `Invalid value at '${snake(param)}' (TYPE_INT32), "${value}"`);
      if (field?.type === 'bool' && !/^(true|false)$/.test(value))
        throw badField(snake(param), `Invalid value at '${snake(param)}' (TYPE_BOOL), "${value}"`);
      params[param] = value;
    }
    return {
      call: { rpc: route.rpc, name, params, body: bodyOf(route, json(), name, options) },
      method: route.method,
    };
  }
  return undefined;
}

function bodyOf(route: Route, json: unknown, name: string, options: CheckOptions): JsonObject {
  if (route.body === undefined) {
    if (isObject(json)) options.note(`${route.rpc} has a body`);
    return {};
  }
  const partial = route.verb === 'PATCH';
  if (route.body !== '*') {
    const type = schema.messages[route.method.request]?.fields[route.body]?.type ?? '';
    return checkMessage(type, json ?? {}, snake(route.body), { ...options, partial });
  }
  // Fields that the path contains count as set.
  const whole = isObject(json) ? { ...json, [route.variable]: name } : json;
  return checkMessage(route.method.request, whole ?? { [route.variable]: name }, '', { ...options, partial });
}
