/** The member of a session's metadata that says whose session it is (docs/protocols/vectara.md, "Identifiers"). */
export const ownerField = 'end_user_id';

/** The member that holds the id of a session whose key is not its id; see `separateKey`. */
export const idField = 'agent_sessions_id';

/**
 * The metadata filter that finds a user's sessions, or undefined for a user id that cannot be written
 * safely: a quote is doubled as in SQL, and what a backslash means inside quotes is documented nowhere, so ids
 * with one are found by looking at every session. Either way each session is checked again when it arrives.
 */
export function ownerFilter(userId: string): string | undefined {
  return userId.includes('\\') ? undefined : `${ownerField} = '${userId.replaceAll("'", "''")}'`;
}

/**
 * The regular expression that finds sessions whose name or description holds `text` as it stands. It may find
 * more than is wanted and is only there to make the list shorter.
 */
export function nameFilter(text: string): string | undefined {
  if (text === '' || text.length > 200 || /[\p{Cc}\p{Cf}]/u.test(text)) return undefined;
  return text.replace(/[.*+?^${}()|[\]\\/#&~\-<>=!"@%]/g, '\\$&');
}
