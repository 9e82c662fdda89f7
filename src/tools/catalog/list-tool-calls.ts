import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { toolCallSchema } from '../../model/tool-call.ts';
import { pageSize, pageToken, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { pageResult, showPage } from '../support/results.ts';

export const listToolCalls = defineTool({
  name: 'list_tool_calls',
  title: 'List open tool calls',
  description:
    'Lists the tool calls of a session that nobody has answered yet, oldest first. Answer them with submit_tool_outputs.',
  toolset: 'tool-calls',
  needs: ['toolCalls.list'],
  reach: 'user',
  input: { sessionId, pageSize, pageToken },
  output: z.object({ toolCalls: z.array(toolCallSchema), ...pageResult }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.toolCalls?.list, ctx.backend, 'list tool calls');
    const { items, ...page } = await showPage(
      ctx,
      'list_tool_calls',
      args,
      async ({ pageSize: size, cursor }) => {
        // Calls come and go; the place in the list is kept by the id of the last one shown.
        const all = await list(refOf(ctx, args));
        const from = cursor === undefined ? 0 : all.findIndex((call) => call.id === cursor) + 1;
        const slice = all.slice(from, from + size);
        return { items: slice, cursor: from + size < all.length ? slice.at(-1)?.id : undefined };
      },
      'get_event has all',
    );
    return { toolCalls: items, ...page };
  },
});
