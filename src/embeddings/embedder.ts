import { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import { withoutDeadline } from '../net/deadline.ts';
import { type EndpointConfig, openEndpoint, wrongDimensions } from './endpoint.ts';
import { health } from './health.ts';
import type { Direction } from './vector.ts';

export interface EmbedderConfig extends EndpointConfig {
  /** Texts of one request. */
  batchSize: number;
  /** Milliseconds that a search waits for the vector of its query. */
  searchMs: number;
}

/** Makes vectors of texts that are stored. */
export interface TextEmbedder {
  readonly model: string;
  /** As configured; else what the first answer has. */
  readonly dimensions: number | undefined;
  /**
   * The directions of texts, each of `dimensions` numbers if they are known. What it throws is what `fault` says from
   * then on, except that texts which are refused are not the endpoint's fault.
   */
  embed(texts: readonly string[], dimensions: number | undefined): Promise<(Direction | undefined)[]>;
  /** Throws, and says from then on, when even this text is refused. */
  check(text: string, dimensions: number | undefined): Promise<void>;
}

/** Makes vectors as long as the endpoint does well, and never keeps a search waiting for one that does not. */
export interface Embedder extends TextEmbedder {
  /** Texts of one request. */
  readonly batchSize: number;
  /** Milliseconds that a search waits for anything of this. */
  readonly searchMs: number;
  /** Why there are no vectors now; undefined where nothing is known to be wrong. */
  readonly fault: SessionError | undefined;
  /** Milliseconds until `embed` may be called. */
  wait(): number;
  /** The direction of a query; undefined where the endpoint does not do well, or not within `searchMs`. */
  query(text: string, dimensions: number): Promise<Direction | undefined>;
  /** Ends the requests that are under way. */
  close(): void;
}

/** Milliseconds for a request with many texts: a model on a processor takes its time. */
const batchMs = 60_000;
/** Queries whose directions are kept. */
const mostQueries = 200;
/** Characters of a query that say what is asked for. */
export const mostCharacters = 2000;

export function openEmbedder(config: EmbedderConfig, log: Log): Embedder {
  const { model, dimensions, batchSize, searchMs } = config;
  const endpoint = openEndpoint(config);
  const tell = (what: string) => (fault: SessionError | undefined) => {
    if (fault === undefined) log.info(`The embeddings endpoint answers again: ${what}.`, { model });
    else log.warn(`${fault.message} Until it does well, ${what}.`, { model, code: fault.code });
  };
  const general = health((fault) =>
    tell(fault === undefined ? 'searches use meaning, too' : 'searches use words only')(fault),
  );
  // Quick enough for a batch is not quick enough for a search.
  const speed = health((fault) =>
    tell(fault === undefined ? 'in time for searches' : 'searches do not wait for it')(fault),
  );
  const closed = new AbortController();
  const queries = new Map<string, Direction>();
  const underWay = new Map<string, Promise<Direction | undefined>>();

  async function ask(text: string, wanted: number): Promise<Direction | undefined> {
    try {
      const [direction] = await withoutDeadline(() => endpoint.embed([text], searchMs, closed.signal));
      if (direction !== undefined && direction.length !== wanted)
        throw wrongDimensions(direction.length, wanted);
      general.worked();
      speed.worked();
      if (direction === undefined) return undefined;
      const [oldest] = queries.keys();
      if (queries.size >= mostQueries && oldest !== undefined) queries.delete(oldest);
      queries.set(text, direction);
      return direction;
    } catch (error) {
      const fault = asFault(error);
      if (closed.signal.aborted) return undefined;
      if (fault.code === 'DEADLINE_EXCEEDED') speed.failed(fault);
      // A query that is refused says nothing about others.
      else if (fault.code !== 'INVALID_ARGUMENT') general.failed(fault);
      return undefined;
    } finally {
      underWay.delete(text);
    }
  }

  async function embed(texts: readonly string[], wanted: number | undefined) {
    const found = await withoutDeadline(() => endpoint.embed(texts, batchMs, closed.signal));
    const other = found.find((one) => one !== undefined && wanted !== undefined && one.length !== wanted);
    if (other !== undefined) throw wrongDimensions(other.length, wanted ?? 0);
    general.worked();
    return found;
  }

  return {
    model,
    dimensions,
    batchSize,
    searchMs,
    get fault() {
      return general.fault ?? speed.fault;
    },
    wait: general.wait,
    close: () => closed.abort(),
    async embed(texts, wanted) {
      try {
        return await embed(texts, wanted);
      } catch (error) {
        const fault = asFault(error);
        if (fault.code !== 'INVALID_ARGUMENT' && !closed.signal.aborted) general.failed(fault);
        throw fault;
      }
    },
    async check(text, wanted) {
      try {
        await embed([text], wanted);
      } catch (error) {
        const { message, hint } = asFault(error);
        const fault = new SessionError('FAILED_PRECONDITION', message, { hint });
        general.failed(fault);
        throw fault;
      }
    },
    async query(text, wanted) {
      const known = queries.get(text);
      if (known !== undefined && known.length === wanted) return known;
      if (general.wait() > 0 || speed.wait() > 0) return undefined;
      const suspected = general.fault !== undefined || speed.fault !== undefined;
      // One query tries whether it does well again; none waits for that.
      if (suspected && underWay.size > 0) return undefined;
      const asked = underWay.get(text) ?? ask(text, wanted);
      underWay.set(text, asked);
      return suspected ? undefined : asked;
    },
  };
}

const asFault = (error: unknown): SessionError =>
  error instanceof SessionError
    ? error
    : new SessionError('INTERNAL', 'The embeddings endpoint cannot be asked.', { cause: error });
