import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Milliseconds after which a client that takes nothing of what it was sent is cut off. Long, since the system's
 * buffers let us see what it takes only a megabyte at a time.
 */
const stallMs = 120_000;
/** Bytes that a socket may buffer before the server waits for the client. */
const freeBytes = 64 * 1024;

/** Milliseconds that an answer waits for the rest of a body that nobody will read. */
const restMs = 5000;

export type HeaderBag = Record<string, string | number>;

/** A whole answer. While the body of its request is still coming, it waits, and in the end closes the connection. */
export function answer(
  res: ServerResponse,
  status: number,
  headers: HeaderBag,
  body = '',
  patienceMs = stallMs,
): void {
  const { req } = res;
  const hasBody =
    req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined;
  const unread = () => !req.complete && Number(req.headers['content-length'] ?? freeBytes) >= freeBytes;
  const write = () => {
    // The request has been answered meanwhile.
    if (res.headersSent) return;
    const bytes = Buffer.byteLength(body);
    res.writeHead(status, {
      ...headers,
      ...(status === 204 ? {} : { 'content-length': bytes }),
      ...(hasBody && unread() ? { connection: 'close' } : {}),
    });
    res.end(req.method === 'HEAD' ? undefined : body);
    if (bytes > freeBytes) cutOffWhenStalled(res, patienceMs);
  };
  // A body that flows is being dropped already: somebody has waited for it.
  if (hasBody && unread() && !req.readableFlowing) skipBody(req, restMs).then(write);
  else write();
}

/** The body of a request, or why there is none. */
export function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer | 'too large' | 'gone'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else {
        chunks.length = 0;
        req.removeAllListeners('data');
        req.pause();
        resolve('too large');
      }
    });
    req.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    req.on('error', () => resolve('gone'));
    req.on('close', () => resolve('gone'));
  });
}

/**
 * Reads what is left of a body and drops it. A connection that is closed with bytes unread is reset, and its
 * client, which may send all before it looks for an answer, never sees one.
 */
export function skipBody(req: IncomingMessage, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (req.complete) return resolve();
    const timer = setTimeout(resolve, patienceMs);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    req.once('end', done).once('close', done).resume();
  });
}

/** Writes what a web-standard handler answered. Resolves when all is handed over or the client is gone. */
export async function send(
  res: ServerResponse,
  response: Response,
  more: HeaderBag,
  patienceMs = stallMs,
): Promise<void> {
  const headers: HeaderBag = { ...more };
  for (const [name, value] of response.headers) if (name !== 'connection') headers[name] = value;
  const { body } = response;
  if (body === null || !response.headers.get('content-type')?.startsWith('text/event-stream'))
    return answer(res, response.status, headers, body === null ? '' : await response.text(), patienceMs);
  if (!res.headersSent) res.writeHead(response.status, headers);
  // The client waits for the headers of a stream on which nothing has happened yet.
  res.flushHeaders();
  const reader = body.getReader();
  const onClose = () => {
    reader.cancel().catch(() => {});
  };
  res.once('close', onClose);
  if (res.destroyed) onClose();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || res.destroyed || res.writableEnded) break;
      if (!res.write(value)) await drained(res, patienceMs);
    }
  } finally {
    res.off('close', onClose);
    res.end();
  }
}

/** Resolves when the client has taken what was written, or is cut off because it took nothing of it. */
function drained(res: ServerResponse, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.socket?.setTimeout(0);
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    cutOffWhenStalled(res, patienceMs);
    res.on('drain', done);
    res.on('close', done);
  });
}

/**
 * Node's own time-out of a socket: it begins anew with every byte that the client takes, so that slow clients are
 * served whole, and closes the connection when nobody listens to it.
 */
function cutOffWhenStalled(res: ServerResponse, patienceMs: number): void {
  res.socket?.setTimeout(patienceMs);
}

/**
 * The request as the protocol's library takes it, without a body and without credentials: these were looked
 * at, and nothing behind this point has a use for them.
 */
export function toRequest(req: IncomingMessage, id: string, signal: AbortSignal): Request {
  const headers = new Headers();
  const { rawHeaders } = req;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!secret.test(name)) headers.append(name, rawHeaders[i + 1] ?? '');
  }
  headers.set('x-request-id', id);
  const request = new Request('http://localhost/', { method: req.method ?? 'GET', headers });
  // Given to the constructor, the signal would be followed by a second one, through weak references and a
  // finalizer for each request, which under load keep the garbage collector busy.
  Object.defineProperty(request, 'signal', { value: signal });
  return request;
}

const secret = /^(authorization|proxy-authorization|cookie)$/i;
