export const accessScopes = ['sessions:read', 'sessions:write', 'sessions:admin'] as const;
export type AccessScope = (typeof accessScopes)[number];

/** Who is asking. On stdio the operator; over HTTP whoever the verified token names. */
export interface Principal {
  userId: string;
  scopes: readonly AccessScope[];
  /** May act for other users by naming them. */
  admin: boolean;
}
