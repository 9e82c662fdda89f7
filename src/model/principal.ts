export const accessScopes = ['sessions:read', 'sessions:write', 'sessions:admin'] as const;
export type AccessScope = (typeof accessScopes)[number];

/** Who is asking. On stdio the operator; over HTTP whoever the verified token names. */
export interface Principal {
  userId: string;
  scopes: readonly AccessScope[];
  /** May act for other users by naming them. */
  admin: boolean;
  /** The authors as which it may write; absent: any. */
  agents?: readonly string[] | undefined;
  /** What its events say of who wrote them. Absent where there is one caller only, the operator on stdio. */
  name?: string | undefined;
}
