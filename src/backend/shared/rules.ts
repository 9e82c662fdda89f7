import { invalidArgument, SessionError } from '../../errors.ts';
import { type Content, contentFault, type Event, type NewEvent, type Part } from '../../model/event.ts';
import { checkId, maxIdLength } from '../../model/ids.ts';
import { canonicalJson, isObject, type JsonObject } from '../../model/json.ts';
import type { MemoryScope } from '../../model/memory.ts';
import { maxTtlSeconds } from '../../model/session.ts';
import { parseTime } from '../../model/time.ts';
import type { ToolOutput } from '../../model/tool-call.ts';
import type { Guard } from '../types.ts';
import { eventExists } from './errors.ts';
import { standardBase64 } from './wire.ts';

const mostLabels = 64;
/** Keys are names in filters, which are written in ASCII. */
const isLabelKey = (text: string): boolean => /^[a-z0-9_-]{1,64}$/.test(text);
const isLabelValue = (text: string): boolean => /^[\p{Ll}\p{Lo}\p{N}_-]{0,64}$/u.test(text);

/**
 * The rule that Google documents for `Session.labels`: 64 characters for a key and for a value, lowercase
 * letters, digits, "_" and "-"; and at most 64 labels, as on every Google Cloud resource. All backends hold to
 * it, so that a session that is kept on one of them can be copied to any other.
 * https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/projects.locations.reasoningEngines.sessions
 * https://cloud.google.com/resource-manager/docs/labels-overview
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkLabels(labels: Record<string, string> | undefined): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length > mostLabels)
    throw invalidArgument(
      `A session has more than ${mostLabels} labels.`,
      'Keep in labels only what filters use, and the rest in the state.',
    );
  if (entries.some(([key, value]) => !isLabelKey(key) || !isLabelValue(value)))
    throw invalidArgument(
      'A label has a key or value that is not allowed.',
      'Use up to 64 lowercase letters, digits, "_" and "-".',
    );
}

/**
 * Milliseconds since the epoch of the time at which a session is to be deleted.
 * @throws SessionError INVALID_ARGUMENT for a time that is past or more than ten years ahead
 */
export function checkExpireTime(expireTime: string | undefined, now: number): number | undefined {
  if (expireTime === undefined) return undefined;
  const ms = parseTime('expireTime', expireTime);
  if (ms <= now) throw invalidArgument('expireTime is not in the future.', 'Give a later time.');
  if (ms > now + maxTtlSeconds * 1000)
    throw invalidArgument(
      'expireTime is more than ten years ahead.',
      'Give an earlier time, or leave it out to keep the session.',
    );
  return ms;
}

/**
 * What every backend that stores events asks of one. An id of a tool call names one call of an event, since
 * an answer could not say which of two it is for.
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkNewEvent(input: NewEvent): void {
  checkId('author', input.author);
  if (input.id !== undefined) checkId('eventId', input.id);
  if (input.invocationId !== undefined) checkId('invocationId', input.invocationId);
  // Agents are found by their names, and an empty one is ADK's way to hand over to nobody.
  const transferAgent = input.actions?.transferAgent;
  if (transferAgent !== undefined && transferAgent !== '') checkId('transferAgent', transferAgent);
  const fault = input.content === undefined ? undefined : contentFault(input.content);
  if (fault !== undefined) throw invalidArgument(`${fault}.`, 'Give every part exactly one kind of data.');
  const parts = input.content?.parts ?? [];
  const calls = idsIn(parts.map((part) => part.functionCall?.id));
  const answers = idsIn(parts.map((part) => part.functionResponse?.id));
  for (const id of [...calls, ...answers, ...(input.longRunningToolIds ?? [])]) checkId('tool call id', id);
  for (const ids of [calls, answers])
    if (new Set(ids).size < ids.length)
      throw invalidArgument(
        'Two parts of the event have the same tool call id.',
        'Give every functionCall an id of its own, and one functionResponse for each.',
      );
}

const idsIn = (ids: readonly (string | undefined)[]): string[] => ids.filter((id) => id !== undefined);

/** @throws SessionError INVALID_ARGUMENT when two outputs are for one call */
export function checkOutputs(outputs: readonly ToolOutput[]): void {
  if (new Set(outputs.map((output) => output.toolCallId)).size < outputs.length)
    throw invalidArgument('Two outputs answer the same tool call.', 'Give one output for each toolCallId.');
}

/**
 * The stored event of a repeated append. Author, content and actions are compared in their normal form, since
 * services write an event otherwise than it was sent: what is false or empty may be left out, base64 comes in
 * either alphabet, keys come in any order. The id of a call that `wanted` leaves open may have been filled in.
 * @throws SessionError ALREADY_EXISTS when another event has this id
 */
export function sameEvent(stored: Event, wanted: Pick<NewEvent, 'author' | 'content' | 'actions'>): Event {
  const same =
    stored.author === wanted.author &&
    canonicalJson(normalActions(stored.actions)) === canonicalJson(normalActions(wanted.actions)) &&
    canonicalJson(normalContent(stored.content, wanted.content)) ===
      canonicalJson(normalContent(wanted.content, wanted.content));
  if (!same) throw eventExists();
  return stored;
}

const normalActions = (actions: NewEvent['actions']): JsonObject => withoutEmpty({ ...actions });

function normalContent(content: Content | undefined, wanted: Content | undefined): JsonObject {
  const parts = (content?.parts ?? []).map((part, i) => normalPart(part, wanted?.parts[i]));
  return withoutEmpty({ role: content?.role, parts });
}

function normalPart(part: Part, wanted: Part | undefined): JsonObject {
  const { text, inlineData, functionCall, functionResponse, thoughtSignature, ...rest } = part;
  return {
    // An empty text is a text: it says which kind of part this is.
    ...(text === undefined ? {} : { text }),
    ...withoutEmpty({
      ...rest,
      thoughtSignature: thoughtSignature && standardBase64(thoughtSignature),
      inlineData: inlineData && withoutEmpty({ ...inlineData, data: standardBase64(inlineData.data) }),
      functionCall: functionCall && normalCall(functionCall, wanted?.functionCall?.id),
      functionResponse: functionResponse && normalCall(functionResponse, wanted?.functionResponse?.id),
    }),
  };
}

const normalCall = (
  call: JsonObject & { id?: string | undefined },
  wantedId: string | undefined,
): JsonObject => withoutEmpty({ ...call, id: wantedId === undefined ? undefined : call.id });

/** Members that say nothing: absent, false, an empty text, list or object. What lies deeper is the caller's data. */
function withoutEmpty(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([, member]) =>
        member !== undefined &&
        member !== false &&
        member !== '' &&
        !(Array.isArray(member) && member.length === 0) &&
        !(isObject(member) && Object.keys(member).length === 0),
    ),
  );
}

/**
 * Refuses a guard where the service has no revisions or turns, rather than overlooking it: the caller counts on it.
 * @throws SessionError UNIMPLEMENTED
 */
export function refuseGuard(backend: string, guard: Guard | undefined): void {
  if (guard?.claim !== undefined)
    throw new SessionError('UNIMPLEMENTED', `The ${backend} backend has no turns to claim.`, {
      hint: 'Leave claim out.',
    });
  if (guard?.expectedRevision === undefined) return;
  throw new SessionError('UNIMPLEMENTED', `Sessions of the ${backend} backend have no revisions.`, {
    hint: 'Leave expectedRevision out, and read the session again before changing it.',
  });
}

const mostScopeEntries = 5;

/**
 * The rule of Google's Memory Bank, kept by every backend that has scopes: at most five entries, and no "*" in
 * a value. https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/projects.locations.reasoningEngines.memories
 * Entries hold names of users and apps, and are stored with every fact: so their length is limited like that of an id.
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkScope(scope: MemoryScope | undefined): void {
  const values = Object.values(scope ?? {});
  if (values.length > mostScopeEntries)
    throw invalidArgument(`The scope has more than ${mostScopeEntries} entries.`, 'Use fewer entries.');
  if ([...Object.keys(scope ?? {}), ...values].some((text) => text.length > maxIdLength))
    throw invalidArgument(
      `A key or value of the scope is longer than ${maxIdLength} characters.`,
      'Use short names there, and put the text into the fact.',
    );
  if (values.some((value) => value.includes('*')))
    throw invalidArgument(
      'A value of the scope contains "*".',
      'Scopes are matched exactly; there are no wildcards.',
    );
}

/** @throws SessionError INVALID_ARGUMENT for a fact without words */
export function checkFact(fact: string): void {
  if (fact.trim() === '')
    throw invalidArgument('The fact is empty.', 'Say in one sentence what to remember.');
}
