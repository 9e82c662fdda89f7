import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

export type Respond = (response: ServerResponse, request: IncomingMessage) => void | Promise<void>;

/** A fault that replaces or delays the right answer. */
export interface Fault {
  method?: string | undefined;
  path: RegExp;
  /** How many requests it hits. Default 1. */
  times?: number | undefined;
  /** Absent: the request is then answered as usual, only later. */
  respond?: Respond | undefined;
  delayMs?: number | undefined;
  /** Whether the work is done although the answer is wrong. */
  after?: boolean | undefined;
}

export const status =
  (code: number, body: unknown, headers: Record<string, string> = {}): Respond =>
  (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

export const html = (code: number, text: string): Respond => {
  return (response) => {
    response.writeHead(code, { 'content-type': 'text/html' });
    response.end(`<html><body>${text}</body></html>`);
  };
};

export const redirect = (location: string): Respond => {
  return (response) => {
    response.writeHead(302, { location });
    response.end();
  };
};

/** Half an answer, and then silence. */
export const cut: Respond = async (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"key":"');
  await new Promise((resolve) => setTimeout(resolve, 20));
  response.destroy();
};

/** An answer that does not end before `bytes`. */
export const huge =
  (bytes: number): Respond =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const closed = once(response, 'close');
    const block = Buffer.alloc(1024 * 1024, 'a');
    response.write('{"key":"');
    for (let sent = 0; sent < bytes && !response.destroyed; sent += block.length)
      if (!response.write(block)) await Promise.race([once(response, 'drain'), closed]);
    response.end('"}');
  };
