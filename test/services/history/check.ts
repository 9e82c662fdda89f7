import type { Operation, Seen } from './operation.ts';

/**
 * Whether a history of one session is linearizable: whether all that its workers were told fits one order of its
 * changes, in which each takes effect between its call and its answer. The revisions that the writes were given are
 * that order, so nothing must be searched for: they have to agree with the times, and every read with a prefix of
 * what is there in the end. Says what does not fit.
 */
export function faultsIn(operations: readonly Operation[], last: Seen): string[] {
  const faults: string[] = [];
  const fault = (text: string, ...of: Operation[]) => faults.push(`${text}: ${of.map(shown).join(' and ')}`);
  const order = new Map(last.events.map((event, place) => [event.text, place]));
  if (order.size !== last.events.length) faults.push('an event is there twice');
  const done = operations.filter((one) => one.outcome.is === 'done');
  const appends = done.filter((one) => one.action.do === 'append');
  const writes = done.filter((one) => revisionOf(one) !== undefined);

  // Revisions are given once, and in the order of time.
  const byRevision = writes.toSorted((a, b) => (revisionOf(a) ?? 0) - (revisionOf(b) ?? 0));
  for (const [i, one] of byRevision.entries()) {
    const next = byRevision[i + 1];
    if (next !== undefined && revisionOf(one) === revisionOf(next))
      fault('two writes have one revision', one, next);
  }
  let least: Operation | undefined;
  for (const one of byRevision.toReversed()) {
    if (least !== undefined && least.end < one.start)
      fault('a later write has an earlier revision', one, least);
    if (least === undefined || one.end < least.end) least = one;
  }

  // A guarded write follows the revision that it names, and is refused only for another.
  for (const one of operations) {
    if (one.action.do !== 'update') continue;
    const { expectedRevision } = one.action;
    if (one.outcome.is === 'done' && one.outcome.revision !== expectedRevision + 1)
      fault('a guarded write came after another', one);
    if (one.outcome.is === 'refused' && one.outcome.currentRevision === expectedRevision)
      fault('a guarded write was refused for nothing', one);
  }

  // What was acknowledged is there, in the order of its revisions; what was refused is not.
  let place = -1;
  for (const one of byRevision) {
    if (one.action.do !== 'append') continue;
    const at = order.get(one.action.text);
    if (at === undefined) fault('an acknowledged event is lost', one);
    else if (at < place) fault('events are not in the order of their revisions', one);
    else place = at;
  }
  for (const one of operations)
    if (one.action.do === 'append' && one.outcome.is === 'refused' && order.has(one.action.text))
      fault('a refused event is there', one);

  const mayBeHidden = (text: string, before: number) =>
    operations.some((one) => one.action.do === 'hide' && one.action.text === text && one.start < before);
  for (const read of done) {
    const seen = read.outcome.is === 'done' ? read.outcome.seen : undefined;
    if (seen === undefined) continue;
    // A copy has no events that were hidden.
    const left = last.events.filter(({ text }) => read.action.do === 'read' || !mayBeHidden(text, read.end));
    const here =
      read.action.do === 'read'
        ? seen.events
        : seen.events.filter(({ text }) => !mayBeHidden(text, read.end));
    if (here.some(({ text }, at) => left[at]?.text !== text))
      fault('a read is no prefix of the session', read);
    if (seen.before > seen.after) fault('a read went back in time', read);
    const texts = new Set(seen.events.map(({ text }) => text));
    for (const one of appends) {
      if (one.action.do !== 'append') continue;
      const revision = revisionOf(one) ?? 0;
      const has = texts.has(one.action.text);
      const must = one.end < read.start || (revision <= seen.before && read.action.do === 'read');
      const mustNot = one.start > read.end || (revision > seen.after && read.action.do === 'read');
      const missing = !has && (read.action.do === 'read' || !mayBeHidden(one.action.text, read.end));
      if (must && missing) fault('a read lacks what was there before it', read, one);
      if (mustNot && has) fault('a read has what came after it', read, one);
    }
    if (read.action.do === 'read')
      for (const one of writes) {
        const revision = revisionOf(one) ?? 0;
        if (one.end < read.start && revision > seen.after)
          fault('a read is older than a write before it', read, one);
        if (one.start > read.end && revision <= seen.before)
          fault('a read is newer than a write after it', read, one);
      }
    for (const one of operations) {
      if (one.action.do !== 'hide') continue;
      const { text } = one.action;
      const event = seen.events.find((candidate) => candidate.text === text);
      if (event === undefined) continue;
      if (one.outcome.is === 'done' && one.end < read.start && !event.hidden)
        fault('a read shows what was hidden before it', read, one);
      if (one.start > read.end && event.hidden) fault('a read hides what was hidden after it', read, one);
    }
  }

  // Every revision is somebody's.
  const changes = operations.filter((one) => one.action.do !== 'read' && one.action.do !== 'fork');
  const certain = changes.filter((one) => one.outcome.is === 'done').length;
  const possible = changes.filter((one) => one.outcome.is !== 'refused').length;
  if (last.after - 1 < certain || last.after - 1 > possible)
    faults.push(`the session has revision ${last.after} after ${certain} to ${possible} changes`);
  return faults;
}

const revisionOf = ({ action, outcome }: Operation): number | undefined =>
  outcome.is === 'done' && (action.do === 'append' || action.do === 'update') ? outcome.revision : undefined;

/** Without the events of a read, which are many. */
function shown({ id, action, start, end, outcome }: Operation): string {
  const { seen, ...rest } = { seen: undefined, ...outcome };
  const read =
    seen === undefined ? {} : { before: seen.before, after: seen.after, events: seen.events.length };
  return JSON.stringify({ id, ...action, start, end, ...rest, ...read });
}
