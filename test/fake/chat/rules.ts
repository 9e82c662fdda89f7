type Json = Record<string, unknown>;

/** What a real endpoint would refuse a request for, or undefined. */
export function faultOf(body: Json & { messages?: Json[] }): string | undefined {
  if (typeof body.model !== 'string') return 'model is missing';
  if (body.stream !== true) return 'only streaming is answered here';
  const { messages } = body;
  if (!Array.isArray(messages) || messages.length === 0) return 'messages are missing';
  if (!JSON.stringify(messages).isWellFormed()) return 'half a character';
  if (messages.find((message) => message.role !== 'system')?.role !== 'user')
    return 'the conversation does not begin with the user';
  const ids = new Set<unknown>();
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
    for (const call of calls ?? []) {
      const { name } = call.function as Json;
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(name))) return 'a function name that cannot be';
      if (String(call.id).length > 64) return 'a call id that is too long';
      if (ids.has(call.id)) return 'two calls with one id';
      ids.add(call.id);
    }
    if (Array.isArray(content)) {
      const fault = (content as Json[]).map(mediaFault).find((found) => found !== undefined);
      if (fault !== undefined) return fault;
    }
    if (role === 'user' && content === '') return 'an empty message';
    previous = role;
  }
  if (open.size > 0) return 'a tool call has no answer';
  if (messages.at(-1)?.role === 'assistant') return 'nothing to answer';
  return undefined;
}

function mediaFault(part: Json): string | undefined {
  const { url } = (part.image_url ?? {}) as { url?: string };
  if (url !== undefined && !/^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$/.test(url))
    return 'a picture that cannot be read';
  const { format } = (part.input_audio ?? {}) as { format?: string };
  if (part.type === 'input_audio' && format !== 'wav' && format !== 'mp3')
    return 'a sound that cannot be heard';
  return undefined;
}

/** Whether a message holds more than text. */
export const hasMedia = ({ content }: Json): boolean =>
  Array.isArray(content) && (content as Json[]).some((part) => part.type !== 'text');
