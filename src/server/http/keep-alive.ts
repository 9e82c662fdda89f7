import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HeaderBag, send } from './io.ts';

const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/**
 * Sends an answer that may take long. Nothing can be sent before a JSON body. A slow answer therefore becomes a stream
 * of server-sent events, which the protocol allows for every request: comments keep the connection alive until the JSON
 * comes as the only event.
 */
export async function sendWhenReady(
  { req, res, headers }: { req: IncomingMessage; res: ServerResponse; headers: HeaderBag },
  answer: Promise<Response>,
  everyMs: number,
): Promise<void> {
  if (!/text\/event-stream/i.test(req.headers.accept ?? '')) return send(res, await answer, headers);
  const stop = keepAlive(res, everyMs, () => {
    if (!res.headersSent) res.writeHead(200, { ...headers, ...streamHeaders });
  });
  try {
    const response = await answer;
    stop();
    if (!res.headersSent) return await send(res, response, headers);
    await sendAsEvents(res, response);
  } finally {
    stop();
  }
}

/** Sends comments on a stream, after `begin` where that is needed, until the function that it returns is called. */
export function keepAlive(res: ServerResponse, everyMs: number, begin: () => void = () => {}): () => void {
  const beat = setInterval(() => {
    if (res.writableEnded || res.destroyed) return;
    begin();
    // A client that reads nothing gets nothing more.
    if (!res.writableNeedDrain) res.write(': keepalive\n\n');
  }, everyMs);
  return () => clearInterval(beat);
}

/** Sends an answer on a stream that has begun. */
async function sendAsEvents(res: ServerResponse, response: Response): Promise<void> {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/event-stream')) return send(res, response, {});
  const text = await response.text();
  if (!res.writableEnded) res.end(text === '' ? '' : eventOf(text));
}

/** A message as a server-sent event; JSON text has no line breaks. */
export const eventOf = (json: string): string => `event: message\ndata: ${json}\n\n`;
