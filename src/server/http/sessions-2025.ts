import { randomUUID } from 'node:crypto';
import {
  type AuthInfo,
  isInitializeRequest,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { Principal } from '../../model/principal.ts';
import type { ServedApp } from '../mcp/served-app.ts';
import { rpcError } from './errors.ts';
import { type Limits, retryAfter } from './limits.ts';

export interface SessionSettings {
  /** Seconds without a request or an open stream after which a session ends. */
  idleSeconds: number;
  /** Sessions of all users. */
  most: number;
}

interface SessionCall {
  principal: Principal;
  authInfo: AuthInfo | undefined;
  /** The parsed body of a POST. */
  body: unknown;
}

/** The sessions of clients of 2025 and before. */
export interface Sessions {
  /** Answers a request; `done` is to be called when the answer has been sent or the client is gone. */
  handle(request: Request, call: SessionCall): Promise<{ response: Response; done(): void }>;
  /** Ends sessions that nobody has used for long. */
  reap(): void;
  close(): Promise<void>;
}

interface Session {
  owner: string;
  transport: WebStandardStreamableHTTPServerTransport;
  /** Requests and streams under way. */
  open: number;
  lastUsed: number;
}

/** A session that has been quiet for so long gives way when there is no room for a new one. */
const quietMs = 60_000;

/** Who a session belongs to: its surface was made for this user and this standing. */
export const ownerKey = ({ userId, admin }: Principal): string => JSON.stringify([userId, admin]);

export function hostSessions(
  served: ServedApp,
  limits: Limits,
  settings: SessionSettings,
  now: () => number = Date.now,
): Sessions {
  // In the order of last use: a session that is used is put in anew.
  const sessions = new Map<string, Session>();
  const tracked = (response: Response, done: () => void = () => {}) => ({ response, done });

  function use(id: string, session: Session): () => void {
    session.open += 1;
    session.lastUsed = now();
    sessions.delete(id);
    sessions.set(id, session);
    return () => {
      session.open -= 1;
      session.lastUsed = now();
    };
  }

  /** Makes room by ending the session that has been quiet longest; whether there was one. */
  function giveWay(isCandidate: (session: Session) => boolean): boolean {
    for (const session of sessions.values())
      if (session.open === 0 && now() - session.lastUsed >= quietMs && isCandidate(session)) {
        void session.transport.close();
        return true;
      }
    return false;
  }

  async function handOver({ transport }: Session, request: Request, call: SessionCall, done: () => void) {
    try {
      return tracked(await transport.handleRequest(request, handed(call)), done);
    } catch (error) {
      done();
      throw error;
    }
  }

  async function begin(request: Request, call: SessionCall) {
    const { principal } = call;
    const owner = ownerKey(principal);
    if (sessions.size >= settings.most && !giveWay(() => true))
      return tracked(
        rpcError(503, 'There are too many protocol sessions.', { retryAfter: retryAfter.sessions }),
      );
    const take = () => limits.take(principal.userId, 'sessions');
    const release = take() ?? (giveWay((session) => session.owner === owner) ? take() : undefined);
    if (release === undefined)
      return tracked(
        rpcError(429, 'You have too many protocol sessions.', { retryAfter: retryAfter.sessions }),
      );
    const server = served.build(principal);
    const watched = watchAddresses(server, served, principal, limits);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized(id) {
        sessions.set(id, session);
      },
    });
    const session: Session = { owner, transport, open: 0, lastUsed: now() };
    transport.onclose = () => {
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
      watched.close();
      release();
    };
    await server.connect(transport);
    const answered = await handOver(session, request, call, () => {});
    if (transport.sessionId === undefined) {
      await transport.close();
      return answered;
    }
    return { ...answered, done: use(transport.sessionId, session) };
  }

  return {
    async handle(request, call) {
      const id = request.headers.get('mcp-session-id');
      if (id !== null) {
        const session = sessions.get(id);
        // A session id is no credential: to others the session does not exist.
        if (session === undefined || session.owner !== ownerKey(call.principal))
          return tracked(rpcError(404, 'Session not found', { code: -32001 }));
        return handOver(session, request, call, use(id, session));
      }
      if (request.method !== 'POST')
        return tracked(rpcError(405, 'Method not allowed.', { headers: { allow: 'POST' } }));
      if (!isInitializeRequest(call.body))
        return tracked(rpcError(400, 'Bad Request: Mcp-Session-Id header is required'));
      return begin(request, call);
    },
    reap() {
      const latest = now() - settings.idleSeconds * 1000;
      for (const session of sessions.values())
        if (session.open === 0 && session.lastUsed < latest) void session.transport.close();
    },
    async close() {
      await Promise.all([...sessions.values()].map((session) => session.transport.close()));
    },
  };
}

const handed = ({ authInfo, body }: SessionCall) => ({
  ...(authInfo === undefined ? {} : { authInfo }),
  ...(body === undefined ? {} : { parsedBody: body }),
});

/** Answers resources/subscribe, address by address, and tells the session of changes. */
function watchAddresses(server: McpServer, served: ServedApp, principal: Principal, limits: Limits) {
  const held = new Map<string, () => void>();
  const drop = (uri: string) => {
    held.get(uri)?.();
    held.delete(uri);
  };
  if (server.server.getCapabilities().resources?.subscribe === true) {
    server.server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
      if (held.has(uri)) return {};
      const release = limits.take(principal.userId, 'subscriptions');
      if (release === undefined)
        throw new ProtocolError(ProtocolErrorCode.InternalError, 'Subscription limit reached');
      const stop = served.listen(principal, [uri], (event) => {
        if (event.kind === 'resource_updated') server.server.sendResourceUpdated({ uri }).catch(() => {});
      });
      held.set(uri, () => {
        stop();
        release();
      });
      return {};
    });
    server.server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
      drop(uri);
      return {};
    });
  }
  return {
    close() {
      for (const uri of held.keys()) drop(uri);
    },
  };
}
