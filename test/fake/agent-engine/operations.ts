import type { JsonObject } from '../../../src/model/json.ts';
import { GoogleError } from './google-error.ts';
import { nowTime } from './store.ts';

export interface OperationOptions {
  /** Polls after which an operation is done; 0 is the form of June 2026 and later, done at once. */
  polls: number;
  /** The google.rpc.Status with which the next operation fails. */
  failure?: { code: number; message: string } | undefined;
}

export interface Operations {
  begin(name: string, kind: string, type: string | undefined, response: JsonObject | undefined): JsonObject;
  poll(name: string): JsonObject;
}

/** Long-running operations in the two recorded forms (docs/protocols/agent-engine.md, "Operations"). */
export function operations(options: OperationOptions): Operations {
  const pending = new Map<string, { left: number; done: JsonObject; waiting: JsonObject }>();
  return {
    begin(name, kind, type, response) {
      const home = 'type.googleapis.com/google.cloud.aiplatform.v1beta1';
      const time = nowTime();
      const waiting = {
        name,
        metadata: {
          '@type': `${home}.${kind}OperationMetadata`,
          genericMetadata: { createTime: time, updateTime: time },
        },
      };
      const { failure } = options;
      options.failure = undefined;
      const empty = { '@type': 'type.googleapis.com/google.protobuf.Empty' };
      const made =
        type === undefined
          ? { response: empty }
          : response === undefined
            ? {}
            : { response: { '@type': `${home}.${type}`, ...response } };
      const done = { ...waiting, done: true, ...(failure === undefined ? made : { error: failure }) };
      if (options.polls === 0) return done;
      pending.set(name, { left: options.polls, done, waiting });
      return waiting;
    },
    poll(name) {
      const operation = pending.get(name);
      if (operation === undefined) throw new GoogleError('NOT_FOUND', `Operation ${name} not found.`);
      operation.left -= 1;
      return operation.left > 0 ? operation.waiting : operation.done;
    },
  };
}
