const nounOf = (count: number, what: string): string =>
  count === 1 ? what : what.endsWith('y') ? `${what.slice(0, -1)}ies` : `${what}s`;

/** A count with its noun: "1 event", "2 memories". `shown` is the count as it is written. */
export const counted = (count: number, what: string, shown = String(count)): string =>
  `${shown} ${nounOf(count, what)}`;

/** The same with a verb: "1 event was", "2 events were". */
export const plural = (count: number, what: string): string =>
  `${counted(count, what)} ${count === 1 ? 'was' : 'were'}`;
