/**
 * Ids that the backend gives: `e12-482139073` for the twelfth event of a session, and `i12-482139073` for the
 * invocation that it opens. The number says where the event lies, so that no index is needed; the tag comes from the
 * random uid of the session, so that the events of an earlier session of the same id, and those of forks, never answer
 * to it. Both are digits because tokenizers take three of them for one token.
 */
export const eventIdAt = (uid: string, seq: number): string => `e${seq + 1}-${tagOf(uid)}`;
export const invocationIdAt = (uid: string, seq: number): string => `i${seq + 1}-${tagOf(uid)}`;

/** The number of the event of this session that the backend would have given the id to; undefined for all other ids. */
export function seqOfEventId(uid: string, eventId: string): number | undefined {
  const [, count, tag] = /^e([1-9]\d{0,14})-(\d{9})$/.exec(eventId) ?? [];
  return count === undefined || tag !== tagOf(uid) ? undefined : Number(count) - 1;
}

let last = { uid: '', tag: '' };

/** Nine digits of the random part of a uid. */
function tagOf(uid: string): string {
  // An append asks several times, and the next one is mostly to the same session.
  if (uid !== last.uid)
    last = { uid, tag: String(Number.parseInt(uid.slice(-10), 36) % 1_000_000_000).padStart(9, '0') };
  return last.tag;
}
