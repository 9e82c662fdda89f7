import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { invalidArgument } from '../../errors.ts';
import { actionsSchema, type Content, contentSchema, metadataSchema } from '../../model/event.ts';
import { maxNoteLength, withNote } from '../../model/turn.ts';
import { expectedRevision, idText, sessionId, state } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { appendedResult, showAppended } from '../support/results.ts';
import { asNamed } from '../support/speaker.ts';

export const appendEvent = defineTool({
  name: 'append_event',
  title: 'Append an event',
  description:
    'Stores one event (a message, a tool call or its result, a state change) at the end of a session; no agent is run. Returns its ids and time, and the new revision. With your own eventId a repeated call stores nothing twice.',
  toolset: 'events',
  needs: ['events.append'],
  instead: 'To give the agent there a message, use query.',
  reach: 'user',
  speaksAs: asNamed('author'),
  input: () => ({
    sessionId: sessionId(),
    author: idText().default('user').describe('"user" or the name of the agent that speaks'),
    text: z.string().optional().describe('The message; short for content with one text part'),
    content: contentSchema().optional().describe('Content with parts, each with one kind of data'),
    stateDelta: state().optional().describe('State keys to set; prefixes user:, app:, temp: as in ADK'),
    invocationId: idText().optional().describe('Turn that the event belongs to; default: the running one'),
    eventId: idText().optional().describe('Your own id; makes the call safe to repeat'),
    expectedRevision: expectedRevision(),
    handOver: z
      .strictObject({ agent: idText(), note: z.string().max(maxNoteLength).optional() })
      .optional()
      .describe('Agent whose turn is next, and its task'),
    claim: z
      .string()
      .optional()
      .describe('From take_turn; a text then ends the turn unless fields.turnComplete is false'),
    fields: metadataSchema()
      .extend({
        timestamp: z.string().optional().describe('RFC 3339; default: now'),
        actions: actionsSchema().omit({ stateDelta: true }).optional(),
      })
      .meta({
        brief: true,
        description:
          'Further event fields: timestamp (RFC 3339; default: now), actions {transferAgent, escalate, skipSummarization, artifactDelta, requestedAuthConfigs}, partial, turnComplete, interrupted, branch, longRunningToolIds, errorCode, errorMessage, customMetadata, groundingMetadata, usageMetadata',
      })
      .optional(),
  }),
  output: appendedResult,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const append = required(ctx.backend.events?.append, ctx.backend, 'append an event');
    if (args.text !== undefined && args.content !== undefined)
      throw invalidArgument(
        'Both text and content are given.',
        'Give text for a plain message, content for parts.',
      );
    const { actions: given, ...metadata } = args.fields ?? {};
    const { handOver } = args;
    if (handOver !== undefined && given?.transferAgent !== undefined)
      throw invalidArgument('Both handOver and fields.actions.transferAgent are given.', 'Give handOver.');
    const actions = handOver === undefined ? given : { ...given, transferAgent: handOver.agent };
    const content = args.text === undefined ? args.content : textContent(args.author, args.text);
    const hasActions = actions !== undefined || args.stateDelta !== undefined;
    // An event that only opens or marks an invocation says so by its id.
    if (content === undefined && !hasActions && Object.keys(metadata).length === 0 && !args.invocationId)
      throw invalidArgument(
        'The event is empty.',
        'Give text, content, stateDelta or fields, or an invocationId that it marks.',
      );
    const appended = await append(
      refOf(ctx, args),
      {
        ...metadata,
        ...(handOver?.note === undefined ? {} : withNote(handOver.note, metadata.customMetadata)),
        id: args.eventId,
        writtenBy: ctx.principal.name,
        author: args.author,
        invocationId: args.invocationId,
        content,
        ...(hasActions ? { actions: { ...actions, stateDelta: args.stateDelta } } : {}),
      },
      { expectedRevision: args.expectedRevision, claim: args.claim },
    );
    return showAppended(appended, content);
  },
});

const textContent = (author: string, text: string): Content => ({
  role: author === 'user' ? 'user' : 'model',
  parts: [{ text }],
});
