/** Milliseconds by which clocks may differ before it is worth a word. */
const tolerance = 5_000;

/** No lease is made for so long: one that ends later was made by a clock that was wrong, and would hold for ever. */
const longestLease = 2 * 60 * 60 * 1000;

/** Whether a lease still holds. Both in milliseconds since the epoch. */
export const leaseHolds = (until: number, now: number): boolean => until > now && until - now <= longestLease;

/** What an operator should know when the clock of the database and ours differ; undefined when they agree. */
export function clocksApart(database: string, ahead: number): string | undefined {
  if (Math.abs(ahead) <= tolerance) return undefined;
  return `The clock of ${database} and the one of this machine differ by ${Math.round(Math.abs(ahead) / 1000)} s: entries expire, and runs end, by the clock of the server that looks. Set both by NTP.`;
}
