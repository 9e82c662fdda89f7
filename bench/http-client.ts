/** Servers as processes, and a client that does next to nothing, so that what is measured is the server. */
import { type ChildProcess, spawn } from 'node:child_process';
import http from 'node:http';
import { createInterface } from 'node:readline';

type Json = Record<string, unknown>;

const modern = '2026-07-28';
const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const meta = {
  'io.modelcontextprotocol/protocolVersion': modern,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const mostSockets = 32;

export interface Server {
  child: ChildProcess;
  url: string;
  agent: http.Agent;
}

/** Starts a server and resolves when it says where it listens, in a line of JSON with a `url`. */
export function start(file: string, args: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  return new Promise((resolve, reject) => {
    child.on('exit', () => reject(new Error(`The server ${args.join(' ')} ended.`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      const url = /"url":"([^"]+)"/.exec(line)?.[1];
      if (url) resolve({ child, url, agent: new http.Agent({ keepAlive: true, maxSockets: mostSockets }) });
    });
  });
}

export function post(
  server: Server,
  headers: Record<string, string>,
  message: Json,
): Promise<http.IncomingMessage & { text: string }> {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  return new Promise((resolve, reject) => {
    const { agent } = server;
    const length = { 'content-length': Buffer.byteLength(body) };
    const req = http.request(server.url, {
      method: 'POST',
      agent,
      headers: { ...json, ...headers, ...length },
    });
    req.on('error', reject);
    req.on('response', (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('end', () => {
        if ((res.statusCode ?? 500) < 300 && !text.includes('"isError":true'))
          resolve(Object.assign(res, { text }));
        else reject(new Error(`${res.statusCode} ${text.slice(0, 300)}`));
      });
    });
    req.end(body);
  });
}

export const callModern = (server: Server, name: string, args: Json) => (id: number) =>
  post(
    server,
    { 'mcp-protocol-version': modern, 'mcp-method': 'tools/call', 'mcp-name': name },
    { id, method: 'tools/call', params: { name, arguments: args, _meta: meta } },
  );
