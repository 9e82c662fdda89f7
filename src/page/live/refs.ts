import type { Session } from '../../model/session.ts';

/** Names a session as the tools' arguments do. */
export interface Ref {
  sessionId: string;
  app?: string | undefined;
  userId?: string | undefined;
  backend?: string | undefined;
}

/** The arguments of a call about a session; those that are not given are left out. */
export const argsOf = ({ sessionId, app, userId, backend }: Ref): Record<string, string> => ({
  sessionId,
  ...scopeOf({ app, userId, backend }),
});

/** The same without the session. */
export function scopeOf(scope: Omit<Ref, 'sessionId'>): Record<string, string> {
  const { app, userId, backend } = scope;
  return Object.fromEntries(
    Object.entries({ app, userId, backend }).filter((entry): entry is [string, string] => !!entry[1]),
  );
}

/** `me` is whom the page speaks as: only admins may name others. */
export const refOf = (session: Session, me: string | undefined, backend: string | undefined): Ref => ({
  sessionId: session.id,
  app: session.app,
  ...(me === undefined || session.userId === me ? {} : { userId: session.userId }),
  ...(backend === undefined ? {} : { backend }),
});
