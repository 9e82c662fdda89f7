import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { invalidArgument } from '../../errors.ts';
import { claim, idText, sessionId } from '../support/args.ts';
import { claimOn } from '../support/claim.ts';
import { defineTool, refOf } from '../support/define.ts';
import { appendedResult, showAppended } from '../support/results.ts';
import { asUser } from '../support/speaker.ts';

export const submitToolOutputs = defineTool({
  name: 'submit_tool_outputs',
  title: 'Answer tool calls',
  description: 'Answers open tool calls of a session, several in one event.',
  toolset: 'tool-calls',
  needs: ['toolCalls.submit'],
  reach: 'user',
  speaksAs: asUser,
  input: () => ({
    sessionId: sessionId(),
    outputs: z
      .array(
        z.strictObject({
          toolCallId: idText().describe('Id from list_tool_calls'),
          output: z.record(z.string(), z.unknown()).optional().describe('What the tool answered'),
          error: z.string().optional().describe('Why the tool failed'),
        }),
      )
      .min(1)
      .max(100)
      .describe('One entry per call, with output or error'),
    claim: claim(),
  }),
  output: appendedResult,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const submit = required(ctx.backend.toolCalls?.submit, ctx.backend, 'answer tool calls');
    if (args.outputs.some(({ output, error }) => (output === undefined) === (error === undefined)))
      throw invalidArgument(
        'Each entry of outputs must have exactly one of output and error.',
        'Give output for a result, error for a failure.',
      );
    const appended = await submit(refOf(ctx, args), args.outputs, {
      writtenBy: ctx.principal.name,
      claim: claimOn(ctx.backend, args.claim),
    });
    // The ids are those that the caller gave.
    return showAppended(appended, appended.event.content);
  },
});
