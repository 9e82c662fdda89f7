import { mostCharacters, type TextEmbedder } from '../../embeddings/embedder.ts';
import type { Direction } from '../../embeddings/vector.ts';
import { SessionError } from '../../errors.ts';
import { cutEnd } from '../../model/text.ts';

/** Texts of one place, and what stores their vectors there. */
export interface EmbedJob {
  texts: readonly string[];
  /** The directions in the order of the texts; undefined for a text without one. */
  write(directions: readonly (Direction | undefined)[]): Promise<void>;
}

export interface EmbedBatches {
  /** Takes a job, and does what has been taken where that fills a request. */
  add(job: EmbedJob): Promise<void>;
  /** Does the rest. */
  finish(): Promise<void>;
}

/** A text that is refused for its length is tried again with so many characters. */
const shortest = 400;
const harmless = 'Hello.';

/**
 * Gathers the texts of many jobs into requests of up to `size` texts, and writes their vectors in the order of the jobs.
 * `dimensions` is what the store's vectors of the model have; `learned` is told when that is found out.
 */
export function embedBatches(
  embedder: TextEmbedder,
  {
    size,
    dimensions,
    learned,
    beforeEach,
  }: {
    size: number;
    dimensions: number | undefined;
    learned: (dimensions: number) => Promise<void>;
    beforeEach: () => Promise<void>;
  },
): EmbedBatches {
  let known = dimensions;
  let jobs: EmbedJob[] = [];
  let count = 0;

  async function directionsOf(texts: readonly string[]): Promise<(Direction | undefined)[]> {
    if (texts.length === 0) return [];
    try {
      const found = await embedder.embed(texts, known);
      const [first] = found.filter((one) => one !== undefined);
      if (known === undefined && first !== undefined) {
        known = first.length;
        await learned(known);
      }
      return found;
    } catch (error) {
      if (!(error instanceof SessionError) || error.code !== 'INVALID_ARGUMENT') throw error;
      if (texts.length > 1) {
        const half = Math.ceil(texts.length / 2);
        return [...(await directionsOf(texts.slice(0, half))), ...(await directionsOf(texts.slice(half)))];
      }
      const [text = ''] = texts;
      if (text.length > shortest) return directionsOf([cutEnd(text, shortest)]);
      // Refused for what it holds; unless everything is, which is the endpoint's fault.
      await embedder.check(harmless, known);
      return [undefined];
    }
  }

  async function flush(): Promise<void> {
    const doing = jobs;
    jobs = [];
    count = 0;
    const texts = doing.flatMap((job) => job.texts.map((text) => cutEnd(text, mostCharacters)));
    const directions: (Direction | undefined)[] = [];
    for (let from = 0; from < texts.length; from += size) {
      await beforeEach();
      directions.push(...(await directionsOf(texts.slice(from, from + size))));
    }
    let from = 0;
    for (const job of doing) {
      await job.write(directions.slice(from, from + job.texts.length));
      from += job.texts.length;
    }
  }

  return {
    async add(job) {
      jobs.push(job);
      count += job.texts.length;
      if (count >= size || jobs.length >= mostJobs) await flush();
    },
    finish: flush,
  };
}

/** Jobs that are kept in memory, those without texts included. */
const mostJobs = 256;
