/** A count with its noun and verb: "1 event was", "2 events were". */
export const plural = (count: number, what: string): string =>
  count === 1 ? `1 ${what} was` : `${count} ${what}s were`;

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
