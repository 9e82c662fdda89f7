import type { JsonObject } from '../../../src/model/json.ts';
import { GoogleError } from './google-error.ts';
import type { Operations } from './operations.ts';
import type { Call } from './routes.ts';
import { engineName, location, newEngine, newId, pageOf, projectNumber, type StoredEngine } from './store.ts';

export type Engines = Map<string, StoredEngine>;

function showEngine(engine: StoredEngine): JsonObject {
  return {
    name: engineName(engine),
    displayName: engine.displayName,
    ...(engine.description === undefined ? {} : { description: engine.description }),
    createTime: engine.createTime,
    updateTime: engine.createTime,
    ...(engine.classMethods === undefined ? {} : { spec: { classMethods: engine.classMethods } }),
  };
}

/** The engine in a resource name. @throws GoogleError */
export function engineIn(engines: Engines, name: string): StoredEngine {
  const id = /(?:^|\/)reasoningEngines\/([^/]+)/.exec(name)?.[1] ?? '';
  const engine = engines.get(id);
  if (engine === undefined) throw new GoogleError('NOT_FOUND', `ReasoningEngine ${name} not found.`);
  return engine;
}

export const getEngine = (engines: Engines, call: Call): JsonObject =>
  showEngine(engineIn(engines, call.name));

export function listEngines(engines: Engines, call: Call): JsonObject {
  const all = [...engines.values()].toReversed();
  const { page, ...next } = pageOf(all, (engine) => engine.id, call.params);
  return { ...(page.length === 0 ? {} : { reasoningEngines: page.map(showEngine) }), ...next };
}

export function createEngine(engines: Engines, call: Call, operations: Operations): JsonObject {
  const engine = newEngine(newId(), {
    displayName: String(call.body.displayName),
    description: call.body.description as string | undefined,
  });
  engines.set(engine.id, engine);
  const name = `${engineName(engine)}/operations/${newId()}`;
  return operations.begin(name, 'CreateReasoningEngine', 'ReasoningEngine', {
    name: engineName(engine),
    createTime: engine.createTime,
    updateTime: engine.createTime,
  });
}

export function deleteEngine(engines: Engines, call: Call, operations: Operations): JsonObject {
  const engine = engineIn(engines, call.name);
  if (call.params.force !== 'true' && engine.sessions.size + engine.memories.size > 0)
    throw new GoogleError(
      'FAILED_PRECONDITION',
      `The ReasoningEngine "${call.name}" contains child resources: sessions. Please delete the child resources before deleting the ReasoningEngine.`,
    );
  engines.delete(engine.id);
  const name = `projects/${projectNumber}/locations/${location}/operations/${newId()}`;
  return operations.begin(name, 'Delete', undefined, undefined);
}
