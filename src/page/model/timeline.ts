import type { Event } from '../../model/event.ts';

/** `work`: somebody makes the next event. `tool`: a tool does, `wait`: nobody does until a user speaks. */
type SpanKind = 'work' | 'tool' | 'wait';

/** A stretch of time in a lane; times in milliseconds since 1970. */
export interface Span {
  kind: SpanKind;
  from: number;
  to: number;
  /** The tool, or the run. */
  name: string;
  /** The event that ends it. */
  eventId: string;
}

/** What one author did, on one branch. */
export interface Lane {
  author: string;
  branch: string | undefined;
  /** In order of time; calls of tools may overlap one another. */
  spans: Span[];
  moments: { at: number; eventId: string }[];
  events: number;
  calls: number;
  runs: number;
  tokens: number;
  workMs: number;
  toolMs: number;
  waitMs: number;
}

export interface Timeline {
  lanes: Lane[];
  from: number;
  to: number;
  /** Tools by the time that they took. */
  tools: { name: string; calls: number; ms: number; longest: { ms: number; eventId: string } }[];
  tokens: number;
}

/**
 * Where the time went. The time between two events belongs to the author of the later one: as work within a run, as
 * waiting when it is a user; while a tool is asked, the time is the tool's, in the lane of who asked.
 */
export function timelineOf(events: readonly Event[]): Timeline {
  const lanes = new Map<string, Lane & { seen: Set<string> }>();
  const open = new Map<string, { lane: Lane; name: string; at: number }>();
  const tools = new Map<string, Timeline['tools'][number]>();
  let last: number | undefined;
  for (const event of events) {
    const at = Date.parse(event.timestamp);
    const lane = laneOf(lanes, event);
    lane.events += 1;
    lane.tokens += tokensOf(event);
    lane.moments.push({ at, eventId: event.id });
    if (!lane.seen.has(event.invocationId)) {
      lane.seen.add(event.invocationId);
      lane.runs += 1;
    }
    let answered = false;
    for (const { functionCall, functionResponse } of event.content?.parts ?? []) {
      if (functionCall !== undefined) {
        lane.calls += 1;
        open.set(functionCall.id ?? functionCall.name, { lane, name: functionCall.name, at });
      }
      const asked = functionResponse && open.get(functionResponse.id ?? functionResponse.name);
      if (functionResponse === undefined || asked === undefined) continue;
      open.delete(functionResponse.id ?? functionResponse.name);
      answered = true;
      const ms = Math.max(0, at - asked.at);
      asked.lane.spans.push({
        kind: 'tool',
        from: asked.at,
        to: asked.at + ms,
        name: asked.name,
        eventId: event.id,
      });
      asked.lane.toolMs += ms;
      const tool = tools.get(asked.name) ?? {
        name: asked.name,
        calls: 0,
        ms: 0,
        longest: { ms: -1, eventId: event.id },
      };
      tool.calls += 1;
      tool.ms += ms;
      if (ms > tool.longest.ms) tool.longest = { ms, eventId: event.id };
      tools.set(asked.name, tool);
    }
    if (last !== undefined && at > last && !answered) {
      const kind = event.author === 'user' ? 'wait' : 'work';
      lane.spans.push({ kind, from: last, to: at, name: event.invocationId, eventId: event.id });
      if (kind === 'wait') lane.waitMs += at - last;
      else lane.workMs += at - last;
    }
    last = Math.max(last ?? at, at);
  }
  const all = [...lanes.values()].map(({ seen: _seen, ...lane }) => lane);
  const from = Math.min(...all.map((lane) => lane.moments[0]?.at ?? Number.POSITIVE_INFINITY));
  return {
    lanes: all,
    from: Number.isFinite(from) ? from : 0,
    to: last ?? 0,
    tools: [...tools.values()].sort((a, b) => b.ms - a.ms),
    tokens: all.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

/** Names a lane among those of its session. */
export const laneKey = ({ author, branch }: Pick<Event, 'author' | 'branch'>): string =>
  JSON.stringify([author, branch]);

function laneOf(
  lanes: Map<string, Lane & { seen: Set<string> }>,
  { author, branch }: Event,
): Lane & { seen: Set<string> } {
  const key = laneKey({ author, ...(branch === undefined ? {} : { branch }) });
  const known = lanes.get(key);
  if (known !== undefined) return known;
  const counts = { events: 0, calls: 0, runs: 0, tokens: 0, workMs: 0, toolMs: 0, waitMs: 0 };
  const lane = { author, branch, spans: [], moments: [], ...counts, seen: new Set<string>() };
  lanes.set(key, lane);
  return lane;
}

/** As the model's provider counts them; ADK and Agent Engine call the sum totalTokenCount. */
function tokensOf({ usageMetadata }: Event): number {
  const { totalTokenCount, promptTokenCount, candidatesTokenCount } = usageMetadata ?? {};
  const number = (value: unknown) => (typeof value === 'number' && value > 0 ? value : 0);
  return number(totalTokenCount) || number(promptTokenCount) + number(candidatesTokenCount);
}

/** Places times on a line of a width, to scale, or with pauses that are longer than `pauseMs` drawn as that long. */
export function scaleOf(
  timeline: Timeline,
  width: number,
  pauseMs = Number.POSITIVE_INFINITY,
): { x(at: number): number; pauses: { x: number; ms: number }[] } {
  const times = [...new Set(timeline.lanes.flatMap(({ moments }) => moments.map(({ at }) => at)))].sort(
    (a, b) => a - b,
  );
  const drawn = [0];
  const pauses: { at: number; ms: number }[] = [];
  for (let i = 1; i < times.length; i += 1) {
    const gap = (times[i] ?? 0) - (times[i - 1] ?? 0);
    if (gap > pauseMs) pauses.push({ at: (drawn[i - 1] ?? 0) + pauseMs / 2, ms: gap });
    drawn.push((drawn[i - 1] ?? 0) + Math.min(gap, pauseMs));
  }
  const total = drawn.at(-1) || 1;
  const x = (at: number): number => {
    let [low, high] = [0, times.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((times[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    const [start, end] = [times[low] ?? 0, times[low + 1]];
    const gap = end === undefined ? 0 : end - start;
    const part = gap === 0 ? 0 : ((at - start) / gap) * Math.min(gap, pauseMs);
    return (((drawn[low] ?? 0) + part) / total) * width;
  };
  return { x, pauses: pauses.map(({ at, ms }) => ({ x: (at / total) * width, ms })) };
}

/** Round steps of time, the smallest that leaves at most so many marks. */
export function ticksOf(from: number, to: number, most: number): number[] {
  const steps = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
  ];
  const least = (to - from) / Math.max(1, most);
  const step = steps.find((one) => one >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
  const marks: number[] = [];
  for (let at = 0; at <= to - from; at += step) marks.push(at);
  return marks;
}
