import { SessionError } from '../errors.ts';
import { isObject } from '../model/json.ts';

/**
 * An answer as the stream that was asked for. Some endpoints and gateways overlook `stream: true` and answer one JSON
 * completion (platform.openai.com/docs/api-reference/chat/object); its choices then become one chunk.
 * @throws SessionError FAILED_PRECONDITION for a web page, which an address has that is not the endpoint's
 */
export async function streamed(answer: Response): Promise<Response> {
  const type = (answer.headers.get('content-type') ?? '').toLowerCase();
  if (answer.ok && type.startsWith('text/html'))
    throw new SessionError('FAILED_PRECONDITION', 'The model’s endpoint answered with a web page.', {
      hint: 'Ask the operator to check baseUrl in the file of --config: it ends with the version, as in http://127.0.0.1:11434/v1.',
    });
  if (!answer.ok || !type.startsWith('application/json')) return answer;
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
