/** The member of a session's metadata that says whose session it is (docs/protocols/vectara.md, "Identifiers"). */
export const ownerField = 'end_user_id';

/** The member that holds the id of a session whose key is not its id; see `separateKey`. */
export const idField = 'agent_sessions_id';

/**
 * The metadata filter that finds a user's sessions. Quotes are doubled as in SQL. What a backslash means inside
 * quotes is documented nowhere, so a user id with one has no filter, and all sessions of the agent are read.
 * Every session is checked again when it arrives.
 */
export function ownerFilter(userId: string): string | undefined {
  return userId.includes('\\') ? undefined : `${ownerField} = '${userId.replaceAll("'", "''")}'`;
}

/**
 * The regular expression that finds sessions whose name or description contains `text`. It may find too many: it
 * only shortens the list, and the wanted ones are chosen here.
 */
export function nameFilter(text: string): string | undefined {
  if (text === '' || text.length > 200 || /[\p{Cc}\p{Cf}]/u.test(text)) return undefined;
  return text.replace(/[.*+?^${}()|[\]\\/#&~\-<>=!"@%]/g, '\\$&');
}
