import * as z from 'zod';
import type { JsonObject } from './json.ts';

// Schemas are made by functions, when they are used: all together they would delay each start.
const jsonObject = () => z.record(z.string(), z.unknown());
const maybeText = () => z.string().optional();
const maybeFlag = () => z.boolean().optional();
const maybeObject = () => jsonObject().optional();

/**
 * Content and parts as in google.cloud.aiplatform.v1beta1 content.proto and tool.proto, and as ADK writes
 * them. A part holds one kind of data; which kinds there are is listed in `partKinds`.
 */
export const partKinds = [
  'text',
  'inlineData',
  'fileData',
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
] as const;

const partSchema = () =>
  z
    .strictObject({
      text: maybeText(),
      thought: z.boolean().optional().describe('true: the text is reasoning, not an answer'),
      thoughtSignature: maybeText(),
      inlineData: z
        .strictObject({
          mimeType: z.string(),
          data: z.string().describe('base64'),
          displayName: maybeText(),
        })
        .optional(),
      fileData: z
        .strictObject({
          fileUri: z.string(),
          mimeType: maybeText(),
          displayName: maybeText(),
        })
        .optional(),
      functionCall: z
        .strictObject({
          id: maybeText(),
          name: z.string(),
          args: maybeObject(),
          partialArgs: z.array(jsonObject()).optional(),
          willContinue: maybeFlag(),
        })
        .optional(),
      functionResponse: z
        .strictObject({
          id: maybeText(),
          name: z.string(),
          response: maybeObject(),
          parts: z.array(jsonObject()).optional(),
          willContinue: maybeFlag(),
          scheduling: maybeText(),
        })
        .optional(),
      executableCode: z.strictObject({ code: z.string(), language: maybeText() }).optional(),
      codeExecutionResult: z.strictObject({ outcome: z.string(), output: maybeText() }).optional(),
      videoMetadata: maybeObject(),
      mediaResolution: maybeObject(),
      partMetadata: maybeObject(),
    })
    .meta({
      brief: true,
      description:
        'One of text, inlineData {mimeType, data: base64}, fileData {fileUri, mimeType}, functionCall {id, name, args}, functionResponse {id, name, response}, executableCode {language, code}, codeExecutionResult {outcome, output}; with text also thought: true',
    });
export type Part = z.infer<ReturnType<typeof partSchema>>;

export const contentSchema = () =>
  z.strictObject({
    role: z.enum(['user', 'model']).optional(),
    parts: z.array(partSchema()),
  });
export type Content = z.infer<ReturnType<typeof contentSchema>>;

/** What an event does besides carrying content. `transferAgent` is ADK's transferToAgent. */
export const actionsSchema = () =>
  z.strictObject({
    stateDelta: maybeObject(),
    artifactDelta: z.record(z.string(), z.int()).optional().describe('artifact name → version'),
    transferAgent: z.string().optional().describe('agent that takes over'),
    escalate: maybeFlag(),
    skipSummarization: maybeFlag(),
    requestedAuthConfigs: maybeObject(),
  });
export type EventActions = z.infer<ReturnType<typeof actionsSchema>>;

/** Fields of an event other than id, author, invocation, time and content. Agent Engine: EventMetadata and errors. */
export const metadataSchema = () =>
  z.strictObject({
    partial: maybeFlag(),
    turnComplete: maybeFlag(),
    interrupted: maybeFlag(),
    branch: z.string().optional().describe('agent path, a.b.c'),
    longRunningToolIds: z.array(z.string()).optional(),
    errorCode: maybeText(),
    errorMessage: maybeText(),
    customMetadata: maybeObject(),
    groundingMetadata: maybeObject(),
    usageMetadata: maybeObject(),
    inputTranscription: maybeObject(),
    outputTranscription: maybeObject(),
  });
export type EventMetadata = z.infer<ReturnType<typeof metadataSchema>>;

export const eventSchema = () =>
  z.object({
    id: z.string(),
    author: z.string().describe('"user" or an agent name'),
    invocationId: z.string(),
    timestamp: z.string().describe('RFC 3339'),
    content: contentSchema().optional(),
    actions: actionsSchema().optional(),
    ...metadataSchema().shape,
    hidden: maybeFlag(),
    hideReason: maybeText(),
    writtenBy: z.string().optional().describe('the principal whose call stored it'),
    feedback: z.array(jsonObject()).optional(),
  });
export type Event = z.infer<ReturnType<typeof eventSchema>>;

/** An event that a caller hands in. What is absent, the backend fills in: id, invocationId, timestamp. */
export interface NewEvent extends EventMetadata {
  id?: string | undefined;
  author: string;
  invocationId?: string | undefined;
  timestamp?: string | undefined;
  content?: Content | undefined;
  actions?: EventActions | undefined;
  /** The principal whose call stores it. No caller can give it. */
  writtenBy?: string | undefined;
}

/** The visible text of an event: its text parts joined, without thoughts. */
export function textOf(event: { content?: Content | undefined }): string {
  return (event.content?.parts ?? [])
    .map((part) => (part.thought === true ? '' : (part.text ?? '')))
    .filter((text) => text !== '')
    .join('\n');
}

/** What is wrong with a content, in words, or undefined. Each part must hold exactly one kind of data. */
export function contentFault(content: Content): string | undefined {
  for (const [index, part] of content.parts.entries()) {
    const kinds = partKinds.filter((kind) => part[kind] !== undefined);
    if (kinds.length === 0) return `content.parts[${index}] holds none of ${partKinds.join(', ')}`;
    if (kinds.length > 1) return `content.parts[${index}] holds ${kinds.join(' and ')} at once`;
  }
  return undefined;
}

/** An object without its undefined members: what JSON would store. */
export function compact<T extends JsonObject>(value: T): T {
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  // An assignment makes a faster object, and would take this one key for the prototype.
  if (Object.hasOwn(value, '__proto__')) return Object.fromEntries(members) as T;
  const stored: JsonObject = {};
  for (const [key, member] of members) stored[key] = member;
  return stored as T;
}
