type Json = Record<string, unknown>;

/** What a real endpoint would refuse a request for, or undefined. */
export function faultOf(body: Json & { messages?: Json[] }): string | undefined {
  if (typeof body.model !== 'string') return 'model is missing';
  if (body.stream !== true) return 'only streaming is answered here';
  const { messages } = body;
  if (!Array.isArray(messages) || messages.length === 0) return 'messages are missing';
  let open = new Set<unknown>();
  let previous: unknown;
  for (const [i, message] of messages.entries()) {
    const {
      role,
      content,
      tool_calls: calls,
      tool_call_id: callId,
    } = message as Json & { tool_calls?: Json[] };
    if (role === 'system' && i > 0) return 'a system message after the first';
    if (role !== 'tool' && open.size > 0) return 'a tool call has no answer right after it';
    if (role === 'tool' && !open.delete(callId)) return 'an answer without a call before it';
    if (role === previous && role !== 'tool') return `two messages of ${String(role)} in a row`;
    if (role === 'assistant') open = new Set((calls ?? []).map((call) => call.id));
    if (role === 'user' && content === '') return 'an empty message';
    previous = role;
  }
  if (open.size > 0) return 'a tool call has no answer';
  if (messages.at(-1)?.role === 'assistant') return 'nothing to answer';
  return undefined;
}
