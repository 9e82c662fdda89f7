import type { IncomingHttpHeaders } from 'node:http';
import { decodeMessage } from '../mcp/decode.ts';
import { type Exchange, refuse } from './exchange.ts';
import { readBody } from './io.ts';
import { type Limits, retryAfter } from './limits.ts';

/** Bytes of a body that count as one more request against the rate. */
const requestBytes = 64 * 1024;

/** Refuses a request because a limit is reached. */
export type Exhausted = (exchange: Exchange, limit: string, seconds: number) => void;

/** Reads the JSON body of a request. Undefined: the request has been refused. */
export async function receiveJson(
  exchange: Exchange,
  userId: string,
  limits: Limits,
  exhausted: Exhausted,
): Promise<{ value: unknown } | undefined> {
  const { headers } = exchange.req;
  const most = limits.settings.bodyBytes;
  const refused = (status: number, message: string): undefined => void refuse(exchange, status, message);
  const unsupported = faultOfMedia(headers);
  if (unsupported !== undefined) return refused(415, `Unsupported Media Type: ${unsupported}`);
  const tooLarge = `Payload Too Large: a body has at most ${most} bytes`;
  const length = Number(headers['content-length'] ?? most);
  if (length > most) return refused(413, tooLarge);
  const release = await limits.take(userId, 'bodiesBytes', length);
  if (release === undefined) return void exhausted(exchange, 'bodiesBytes', retryAfter.bodiesBytes);
  try {
    const body = await readBody(exchange.req, most);
    if (body === 'gone') return undefined;
    if (body === 'too large') return refused(413, tooLarge);
    // Parsing blocks the event loop for everybody, so a large body counts as many requests.
    const late = await limits.spend(userId, Math.floor(body.length / requestBytes));
    if (late > 0) return void exhausted(exchange, 'rate', late);
    const decoded = decodeMessage(body);
    if ('fault' in decoded) {
      const { fault, id } = decoded;
      return void refuse(exchange, 400, fault.message, { code: fault.code, id });
    }
    const { value } = decoded;
    // Each message of a batch counts as a request.
    const wait = Array.isArray(value) ? await limits.spend(userId, value.length - 1) : 0;
    return wait > 0 ? void exhausted(exchange, 'rate', wait) : { value };
  } finally {
    release();
  }
}

function faultOfMedia({
  'content-type': type = '',
  'content-encoding': coding = 'identity',
}: IncomingHttpHeaders): string | undefined {
  if (!/^application\/json\s*(;|$)/i.test(type)) return 'Content-Type must be application/json';
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type)?.[1] ?? 'utf-8';
  if (!/^(utf-?8|us-ascii)$/i.test(charset)) return 'send the body as UTF-8';
  return coding.toLowerCase() === 'identity' ? undefined : 'send the body without Content-Encoding';
}
