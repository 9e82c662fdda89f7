import { isObject } from '../model/json.ts';

/**
 * An answer as the stream that was asked for. Some endpoints and gateways overlook `stream: true` and answer one JSON
 * completion (platform.openai.com/docs/api-reference/chat/object); its choices then become one chunk.
 */
export async function streamed(answer: Response): Promise<Response> {
  const type = answer.headers.get('content-type') ?? '';
  if (!answer.ok || !type.toLowerCase().startsWith('application/json')) return answer;
  const completion: unknown = await answer.json().catch(() => undefined);
  if (!isObject(completion) || !Array.isArray(completion.choices))
    return new Response('data: {"error":{"message":"The answer is no completion."}}\n\n', { headers });
  const { choices, ...rest } = completion;
  const chunk = { ...rest, object: 'chat.completion.chunk', choices: choices.map(chunkOf) };
  return new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, { headers });
}

const headers = { 'content-type': 'text/event-stream' };

function chunkOf(choice: unknown): unknown {
  if (!isObject(choice) || !isObject(choice.message)) return choice;
  const { message, ...rest } = choice;
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  const tool_calls = calls.map((call: unknown, index) => (isObject(call) ? { index, ...call } : call));
  return { ...rest, delta: { ...message, ...(calls.length === 0 ? {} : { tool_calls }) } };
}
