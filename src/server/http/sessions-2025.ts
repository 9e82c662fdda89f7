import { randomUUID } from 'node:crypto';
import {
  type AuthInfo,
  isInitializeRequest,
  ProtocolErrorCode,
  specTypeSchemas,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { isObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import { callerLost } from '../mcp/cancelled.ts';
import type { ServedApp } from '../mcp/served-app.ts';
import { rpcError } from './errors.ts';
import { type Limits, retryAfter } from './limits.ts';
import { followRequests, type PendingRequests, requestIdsOf } from './pending-requests.ts';
import { watchAddresses } from './subscriptions-2025.ts';

export interface SessionSettings {
  /** Seconds without a request or an open stream after which a session ends. */
  idleSeconds: number;
  /** Most sessions of all users together. */
  most: number;
}

interface SessionCall {
  principal: Principal;
  authInfo: AuthInfo | undefined;
  /** The parsed body of a POST. */
  body: unknown;
}

interface SessionAnswer {
  response: Response;
  /** Call it when the answer has been sent or the client has left. */
  done(): void;
  /** For a POST in a session: its requests that have no answer yet. */
  pending?: PendingRequests | undefined;
}

/** The sessions of clients of 2025 and before. */
export interface Sessions {
  handle(request: Request, call: SessionCall): Promise<SessionAnswer>;
  /** Ends sessions that are idle for too long. */
  reap(): void;
  close(): Promise<void>;
}

interface Session {
  owner: string;
  transport: WebStandardStreamableHTTPServerTransport;
  requests: ReturnType<typeof followRequests>;
  /** Requests and streams under way. */
  open: number;
  lastUsed: number;
}

/** The owner of a session: the user, and what a token may say besides of who they are, since a session knows its first. */
export const ownerKey = ({ userId, admin, name, agents }: Principal): string =>
  JSON.stringify([userId, admin, name, agents]);

export function hostSessions(
  served: ServedApp,
  limits: Limits,
  settings: SessionSettings & { keepAliveMs: number },
  now: () => number = Date.now,
): Sessions {
  // In the order of last use: using a session inserts it again at the end.
  const sessions = new Map<string, Session>();
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

  /**
   * Ends the owner's session that has been unused longest, and returns whether there was one. Some clients open a
   * session for every call and never end it.
   */
  function endOldestUnused(owner: string): boolean {
    for (const session of sessions.values())
      if (session.open === 0 && session.owner === owner) {
        void session.transport.close();
        return true;
      }
    return false;
  }

  async function handOver(
    { transport, requests }: Session,
    request: Request,
    { principal, authInfo, body }: SessionCall,
    release: () => void,
  ): Promise<SessionAnswer> {
    const pending = request.method === 'POST' ? requests.begin(body) : undefined;
    if (request.method === 'POST' && pending === undefined) {
      release();
      return refused(
        400,
        'A request with this id is under way in this session. Give each an id of its own.',
        {
          code: ProtocolErrorCode.InvalidRequest,
          id: requestIdsOf(body)[0],
        },
      );
    }
    try {
      const response = await transport.handleRequest(request, {
        ...(authInfo === undefined ? {} : { authInfo }),
        ...(body === undefined ? {} : { parsedBody: body }),
      });
      if (!isStream(response)) pending?.forget();
      requests.settleCancelled(body);
      const done = () => {
        release();
        if (pending !== undefined) abandon(pending, principal);
      };
      return { response, done, pending };
    } catch (error) {
      pending?.forget();
      release();
      throw error;
    }
  }

  /**
   * Marks calls whose answer nobody can get any more. By the specification of 2025 a lost connection does not cancel, so
   * they go on until the user's limit of calls is reached.
   */
  function abandon(pending: PendingRequests, { userId }: Principal): void {
    if (pending.ids().length === 0) return;
    const forget = limits.abandonCall(userId, () => pending.cancel(callerLost()));
    pending.onSettled(() => {
      if (pending.ids().length === 0) forget();
    });
  }

  async function begin(request: Request, call: SessionCall): Promise<SessionAnswer> {
    const { principal } = call;
    const owner = ownerKey(principal);
    if (sessions.size >= settings.most && !endOldestUnused(owner))
      return refused(503, 'The server has reached its limit of protocol sessions.', {
        retryAfter: retryAfter.sessions,
      });
    const take = () => limits.take(principal.userId, 'sessions');
    const release = (await take()) ?? (endOldestUnused(owner) ? await take() : undefined);
    if (release === undefined)
      return refused(429, 'You have reached the limit of protocol sessions, and all of yours are in use.', {
        retryAfter: retryAfter.sessions,
      });
    const server = served.build(principal);
    const watched = watchAddresses(server, served, principal, limits);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      keepAliveMs: settings.keepAliveMs,
      onsessioninitialized(id) {
        sessions.set(id, session);
      },
    });
    const session: Session = {
      owner,
      transport,
      requests: followRequests(transport),
      open: 0,
      lastUsed: now(),
    };
    transport.onclose = () => {
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
      watched.close();
      release();
    };
    await server.connect(transport);
    const answer = await handOver(session, request, call, () => {});
    if (transport.sessionId === undefined) {
      await transport.close();
      return answer;
    }
    return { ...answer, done: use(transport.sessionId, session) };
  }

  return {
    async handle(request, call) {
      const id = request.headers.get('mcp-session-id');
      if (id !== null) {
        const session = sessions.get(id);
        // A session id is not a credential: for other users the session does not exist.
        if (session === undefined || session.owner !== ownerKey(call.principal))
          return refused(404, 'Session not found', { code: -32001 });
        return handOver(session, request, call, use(id, session));
      }
      if (request.method !== 'POST')
        return refused(405, 'Method not allowed.', { headers: { allow: 'POST' } });
      if (isInitializeRequest(call.body)) return begin(request, call);
      const fault = faultOfInitialize(call.body);
      if (fault === undefined) return refused(400, 'Bad Request: Mcp-Session-Id header is required');
      return refused(400, fault, { code: ProtocolErrorCode.InvalidParams, id: requestIdsOf(call.body)[0] });
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

const isStream = ({ headers }: Response): boolean =>
  headers.get('content-type')?.startsWith('text/event-stream') === true;

const refused = (...answer: Parameters<typeof rpcError>): SessionAnswer => ({
  response: rpcError(...answer),
  done() {},
});

/** The fault of a malformed initialize request; undefined for other requests. */
function faultOfInitialize(body: unknown): string | undefined {
  if (!isObject(body) || body.method !== 'initialize') return undefined;
  const { issues = [] } = specTypeSchemas.InitializeRequest['~standard'].validate(body);
  const faults = issues.slice(0, 3).map(({ path = [], message }) => {
    const where = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return where === '' ? message : `${where}: ${message}`;
  });
  return `The initialize request is malformed. ${faults.join('; ') || 'It needs an id.'}`;
}
