import type { FilterTerm } from '../../model/filter.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Session, SessionOrder } from '../../model/session.ts';
import type { App } from '../types.ts';
import { timeOf } from './map-event.ts';
import { lastSegment } from './paths.ts';
import type { ReasoningEngine, Session as WireSession } from './wire-types.ts';

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/**
 * Maps a session of the REST API (docs/protocols/agent-engine.md, "Sessions").
 * @param app the app as the caller wrote it
 */
export function toSession(wire: WireSession, app: string, view: 'whole' | 'listed' = 'whole'): Session {
  const labels = Object.entries(isObject(wire.labels) ? wire.labels : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const displayName = text(wire.displayName);
  return {
    id: lastSegment(wire.name),
    app,
    userId: text(wire.userId) ?? '',
    ...(displayName === undefined ? {} : { displayName }),
    ...(labels.length === 0 ? {} : { labels: Object.fromEntries(labels) }),
    ...(view === 'listed' ? {} : { state: isObject(wire.sessionState) ? wire.sessionState : {} }),
    createTime: timeOf(wire.createTime),
    updateTime: timeOf(wire.updateTime ?? wire.createTime),
    ...(text(wire.expireTime) === undefined ? {} : { expireTime: timeOf(wire.expireTime) }),
  };
}

/** The state to send, without `temp:` keys, which live for one invocation only. */
export const toWireState = (state: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(state).filter(([key]) => !key.startsWith('temp:')));

const filterFields = { displayName: 'display_name', userId: 'user_id' } as const;

/** The filter of sessions.list (docs/protocols/agent-engine.md, "Sessions"). */
export function toFilter(userId: string | undefined, terms: readonly FilterTerm[] = []): string | undefined {
  const all: FilterTerm[] = [
    ...(userId === undefined ? [] : [{ field: 'userId' as const, key: '', value: userId }]),
    ...terms,
  ];
  const written = all.map(({ field, key, value }) => {
    const name = field === 'label' ? `labels.${key}` : filterFields[field];
    return `${name}=${literal(value)}`;
  });
  return written.length === 0 ? undefined : written.join(' AND ');
}

/** A string as it is written in a filter. */
export const literal = (value: string): string => `"${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;

const orders: Record<SessionOrder, string> = {
  'updateTime desc': 'update_time desc',
  'updateTime asc': 'update_time',
  'createTime desc': 'create_time desc',
  'createTime asc': 'create_time',
};

export const toOrderBy = (order: SessionOrder): string => orders[order];

/** Maps a ReasoningEngine to an app. Its name is the engine's id. */
export function toApp(wire: ReasoningEngine): App {
  return {
    name: lastSegment(wire.name),
    displayName: text(wire.displayName),
    description: text(wire.description),
    createTime: text(wire.createTime) === undefined ? undefined : timeOf(wire.createTime),
    updateTime: text(wire.updateTime) === undefined ? undefined : timeOf(wire.updateTime),
  };
}

export interface ClassMethod {
  name: string;
  /** "", async, stream, async_stream, bidi_stream or a2a_extension. */
  mode: string;
  /** The names of its arguments, if the engine lists them. */
  parameters: readonly string[] | undefined;
}

/**
 * Maps `spec.classMethods` of an engine (docs/protocols/agent-engine.md, "Running an engine"). Names that are not
 * identifiers are left out.
 */
export function toClassMethods(engine: ReasoningEngine): ClassMethod[] {
  const spec = isObject(engine.spec) ? engine.spec : {};
  const listed = Array.isArray(spec.classMethods) ? (spec.classMethods as unknown[]) : [];
  return listed.filter(isObject).flatMap((method) => {
    const { name, parameters } = method;
    if (typeof name !== 'string' || !/^[A-Za-z_]\w{0,63}$/.test(name)) return [];
    const mode = method.api_mode ?? method.apiMode;
    const properties =
      isObject(parameters) && isObject(parameters.properties) ? parameters.properties : undefined;
    return [
      {
        name,
        mode: typeof mode === 'string' ? mode : '',
        parameters: properties && Object.keys(properties),
      },
    ];
  });
}
