import { createHash } from 'node:crypto';
import * as z from 'zod';
import { required } from '../../backend/types.ts';
import type { ToolCall } from '../../model/tool-call.ts';
import { pageSize, pageToken, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { pageResult, showPage, toolCallItem } from '../support/results.ts';

/** A short digest by which a page token names a call. */
const digestOf = (call: ToolCall): string =>
  createHash('sha256')
    .update(JSON.stringify([call.eventId, call.id]))
    .digest('base64url')
    .slice(0, 8);

export const listToolCalls = defineTool({
  name: 'list_tool_calls',
  title: 'List open tool calls',
  description:
    'Lists the tool calls of a session that nobody has answered yet, oldest first. Answer them with submit_tool_outputs.',
  toolset: 'tool-calls',
  needs: ['toolCalls.list'],
  reach: 'user',
  input: () => ({ sessionId: sessionId(), pageSize: pageSize(), pageToken: pageToken() }),
  output: () => z.object({ toolCalls: z.array(toolCallItem()), ...pageResult() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.toolCalls?.list, ctx.backend, 'list tool calls');
    const { items, ...page } = await showPage(
      ctx,
      'list_tool_calls',
      args,
      async ({ pageSize: size, cursor }) => {
        // Any call shown so far may be answered by the next page, so the cursor names each of them.
        const shown = new Set(cursor?.match(/.{8}/g));
        const left = (await list(refOf(ctx, args))).filter((call) => !shown.has(digestOf(call)));
        const items = left.slice(0, size);
        const next = [...shown, ...items.map(digestOf)].join('');
        return { items, cursor: left.length > size ? next : undefined };
      },
      'get_event has all',
    );
    return { toolCalls: items, ...page };
  },
});
