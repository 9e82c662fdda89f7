import * as z from 'zod';
import { defineTool } from '../support/define.ts';
import { asUser } from '../support/speaker.ts';
import { runAgent, runHints, runInput, runOutput } from './query.ts';

export const streamQuery = defineTool({
  name: 'stream_query',
  title: 'Ask an agent, streamed',
  description: 'Runs an agent like query, no search, and sends its words as progress while the run goes on.',
  toolset: 'query',
  needs: ['query.stream'],
  reach: 'user',
  speaksAs: asUser,
  waits: true,
  input: () => ({
    ...runInput(),
    classMethod: z.string().optional().describe('Streaming method of the agent; default: its usual one'),
    input: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Its further arguments, such as run_config, events, artifacts, authorizations'),
  }),
  output: runOutput,
  annotations: runHints,
  run: (args, ctx) => runAgent(args, ctx, (text) => ctx.progress(text)),
});
