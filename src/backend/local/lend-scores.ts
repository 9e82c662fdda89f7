/** An event by its place: the session that it is in and its number there. */
export interface Scored {
  uid: string;
  seq: number;
  score: number;
}

/**
 * What an event gets of the score of its neighbours, by distance: an answer is understood by its question. And of
 * the score of its session, whose best events count. Chosen by measuring; see `npm run bench -- recall`.
 */
const ofNeighbours = [0.4, 0.2];
export const ofSession = 0.3;
const bestOfSession = 3;

/**
 * Scores with what neighbours and sessions lend, best first. Neighbours of a hit are among them even where the
 * search itself did not find them; whether they exist is for the caller to see.
 */
export function lendScores(hits: readonly Scored[]): Scored[] {
  const lent = new Map<string, Scored>();
  const add = (uid: string, seq: number, score: number) => {
    const key = `${seq} ${uid}`;
    const there = lent.get(key);
    if (there === undefined) lent.set(key, { uid, seq, score });
    else there.score += score;
  };
  for (const { uid, seq, score } of hits) {
    add(uid, seq, score);
    for (const [i, part] of ofNeighbours.entries()) {
      if (seq > i) add(uid, seq - i - 1, part * score);
      add(uid, seq + i + 1, part * score);
    }
  }
  const sessions = sessionScores([...lent.values()]);
  const bestSession = Math.max(...sessions.values());
  const best = Math.max(...Array.from(lent.values(), ({ score }) => score));
  return Array.from(lent.values(), (one) => ({
    ...one,
    score: one.score + ofSession * best * ((sessions.get(one.uid) ?? 0) / bestSession),
  })).sort((a, b) => b.score - a.score);
}

/** Of each session the sum of its best events. */
export function sessionScores(hits: readonly Pick<Scored, 'uid' | 'score'>[]): Map<string, number> {
  const scores = new Map<string, number[]>();
  for (const { uid, score } of hits) scores.set(uid, [...(scores.get(uid) ?? []), score]);
  const sumOfBest = (all: readonly number[]) =>
    all
      .toSorted((a, b) => b - a)
      .slice(0, bestOfSession)
      .reduce((sum, score) => sum + score, 0);
  return new Map(Array.from(scores, ([uid, all]) => [uid, sumOfBest(all)]));
}
