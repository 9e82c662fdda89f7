import { type Content, compact, type Event, type EventActions, type Part } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import {
  filledOrAbsent as filled,
  objectOrAbsent as plain,
  objectsOrAbsent as plains,
  standardBase64,
  textOrAbsent as text,
  textsOrAbsent as texts,
  versionsOrAbsent,
} from '../shared/wire.ts';
import { timeOf } from './map-time.ts';
import { withoutMark } from './run-mark.ts';

/**
 * Maps an event of an ADK API server (docs/protocols/adk.md, "Events"). A field that is missing, null or of another
 * type counts as absent; fields that the common model does not have are dropped.
 */
export function toEvent(wire: JsonObject, fallback: { id: string; timestamp: string }): Event {
  return compact({
    id: text(wire.id) ?? fallback.id,
    author: text(wire.author) ?? '',
    invocationId: text(wire.invocationId) ?? '',
    // Go servers write no time.
    timestamp: timeOf(wire.timestamp) ?? fallback.timestamp,
    content: toContent(wire.content),
    actions: toActions(wire.actions),
    partial: flag(wire.partial),
    turnComplete: flag(wire.turnComplete),
    interrupted: flag(wire.interrupted),
    branch: text(wire.branch),
    longRunningToolIds: texts(wire.longRunningToolIds),
    errorCode: text(wire.errorCode),
    errorMessage: text(wire.errorMessage),
    customMetadata: filled(wire.customMetadata),
    groundingMetadata: filled(wire.groundingMetadata),
    usageMetadata: filled(wire.usageMetadata),
    inputTranscription: filled(wire.inputTranscription),
    outputTranscription: filled(wire.outputTranscription),
  });
}

function toContent(wire: unknown): Content | undefined {
  if (!isObject(wire)) return undefined;
  const parts = Array.isArray(wire.parts) ? wire.parts.map(toPart).filter((part) => part !== undefined) : [];
  const role = wire.role === 'user' || wire.role === 'model' ? wire.role : undefined;
  return parts.length === 0 ? undefined : { ...(role === undefined ? {} : { role }), parts };
}

/** Maps a part. Undefined for a kind that the common model does not have, such as a thought signature alone. */
export function toPart(wire: unknown): Part | undefined {
  if (!isObject(wire)) return undefined;
  const kind = compact({
    text: typeof wire.text === 'string' ? wire.text : undefined,
    inlineData: object(wire.inlineData, (blob) => ({
      mimeType: text(blob.mimeType) ?? 'application/octet-stream',
      data: standardBase64(text(blob.data) ?? ''),
      displayName: text(blob.displayName),
    })),
    fileData: object(wire.fileData, (file) => ({
      fileUri: text(file.fileUri) ?? '',
      mimeType: text(file.mimeType),
      displayName: text(file.displayName),
    })),
    functionCall: object(wire.functionCall, (call) => ({
      id: text(call.id),
      name: text(call.name) ?? '',
      args: plain(call.args),
      partialArgs: plains(call.partialArgs),
      willContinue: flag(call.willContinue),
    })),
    functionResponse: object(wire.functionResponse, (answer) => ({
      id: text(answer.id),
      name: text(answer.name) ?? '',
      response: plain(answer.response),
      parts: plains(answer.parts),
      willContinue: flag(answer.willContinue),
      scheduling: text(answer.scheduling),
    })),
    executableCode: object(wire.executableCode, (code) => ({
      code: text(code.code) ?? '',
      language: text(code.language),
    })),
    codeExecutionResult: object(wire.codeExecutionResult, (result) => ({
      outcome: text(result.outcome) ?? '',
      output: text(result.output),
    })),
  });
  if (Object.keys(kind).length === 0) return undefined;
  return {
    ...kind,
    ...compact({
      thought: flag(wire.thought),
      thoughtSignature: text(wire.thoughtSignature),
      videoMetadata: plain(wire.videoMetadata),
      mediaResolution: plain(wire.mediaResolution),
      partMetadata: plain(wire.partMetadata),
    }),
  };
}

function toActions(wire: unknown): EventActions | undefined {
  if (!isObject(wire)) return undefined;
  const actions = compact({
    stateDelta: isObject(wire.stateDelta) ? filled(withoutMark(wire.stateDelta)) : undefined,
    artifactDelta: versionsOrAbsent(wire.artifactDelta),
    transferAgent: text(wire.transferToAgent),
    escalate: flag(wire.escalate),
    skipSummarization: flag(wire.skipSummarization),
    requestedAuthConfigs: filled(wire.requestedAuthConfigs),
  });
  return Object.keys(actions).length === 0 ? undefined : actions;
}

const flag = (value: unknown): true | undefined => (value === true ? true : undefined);

function object<T extends JsonObject>(value: unknown, read: (wire: JsonObject) => T): T | undefined {
  return isObject(value) ? compact(read(value)) : undefined;
}
