import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Milliseconds after which a client that reads nothing is disconnected. It is long because the system's buffers show
 * only after about a megabyte that a client has read something.
 */
const stallMs = 120_000;
/** Bytes that a socket may buffer before the server waits for the client. */
const freeBytes = 64 * 1024;

/** Milliseconds that an answer waits for the rest of a refused body. */
const restMs = 5000;

export type HeaderBag = Record<string, string | number>;

/** Sends a whole answer. If the body of the request is still arriving, waits for it first, or closes the connection. */
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
    // Somebody else has answered the request meanwhile.
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
  // A flowing body is being read or dropped already.
  if (hasBody && unread() && !req.readableFlowing) skipBody(req, restMs).then(write);
  else write();
}

/** Reads the body of a request, or tells why there is none. */
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
 * Reads the rest of a body and drops it. Closing a connection with unread bytes resets it, and a client that sends its
 * whole request before it reads would never see the answer.
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

/** Sends the answer of a web-standard handler. Resolves when all is written or the client has left. */
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
  const reader = body.getReader();
  await pump(
    res,
    () => reader.read(),
    () => reader.cancel(),
    patienceMs,
  );
}

/** Sends a stream of texts. Resolves when all is written or the client has left. */
export async function sendTexts(
  res: ServerResponse,
  headers: HeaderBag,
  texts: AsyncGenerator<string, void>,
): Promise<void> {
  res.writeHead(200, headers);
  await pump(
    res,
    () => texts.next(),
    () => texts.return(),
    stallMs,
  );
}

/** Writes what comes, as fast as the client reads it, and cancels the rest when the client leaves. */
async function pump(
  res: ServerResponse,
  next: () => Promise<{ done?: boolean | undefined; value?: unknown }>,
  cancel: () => Promise<unknown>,
  patienceMs: number,
): Promise<void> {
  // The client waits for the headers, also while the stream has no event yet.
  res.flushHeaders();
  const onClose = () => {
    cancel().catch(() => {});
  };
  res.once('close', onClose);
  if (res.destroyed) onClose();
  try {
    for (;;) {
      const { done, value } = await next();
      if (done || res.destroyed || res.writableEnded) break;
      if (!res.write(value as string | Uint8Array)) await drained(res, patienceMs);
    }
  } finally {
    res.off('close', onClose);
    res.end();
  }
}

/** Resolves when the client has read what was written, or was disconnected because it read nothing. */
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
 * Sets Node's time-out of the socket. It restarts with every byte that the client reads, so that slow clients get the
 * whole answer, and closes the connection when it passes.
 */
function cutOffWhenStalled(res: ServerResponse, patienceMs: number): void {
  res.socket?.setTimeout(patienceMs);
}

/**
 * The request for the protocol's library: without its body, which has been read, and with the headers that the library
 * reads, none of which is a credential.
 */
export function toRequest(req: IncomingMessage, id: string, signal: AbortSignal): Request {
  const headers = new Headers();
  const { rawHeaders } = req;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (readByProtocol.test(name)) headers.append(name, rawHeaders[i + 1] ?? '');
  }
  headers.set('x-request-id', id);
  const request = new Request('http://localhost/', { method: req.method ?? 'GET', headers });
  // The constructor would make a second signal that follows this one through weak references and a finalizer, which
  // under load keep the garbage collector busy.
  Object.defineProperty(request, 'signal', { value: signal });
  return request;
}

const readByProtocol = /^(accept|content-type|last-event-id|mcp-.*)$/i;
