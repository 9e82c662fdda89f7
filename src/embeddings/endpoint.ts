import { SessionError } from '../errors.ts';
import { isObject } from '../model/json.ts';
import { type HttpClient, httpClient, retryAfterOf } from '../net/http.ts';
import { timeLimit } from '../net/time-limit.ts';
import { type Direction, directionOf } from './vector.ts';

export interface EndpointConfig {
  /** Address including the version: `…/v1`. Without a path, `/v1` is meant. */
  baseUrl: string;
  model: string;
  apiKey?: string | undefined;
  /** Asked of the endpoint; without it the model decides. */
  dimensions?: number | undefined;
}

/** An OpenAI-compatible `POST /embeddings`. */
export interface Endpoint {
  /**
   * The directions of texts, in their order; undefined for a text whose vector has none. One request, which is not
   * repeated: whoever asks knows when to ask again.
   * @throws SessionError INVALID_ARGUMENT for texts that the endpoint refuses, else what is wrong with it
   */
  embed(texts: readonly string[], ms: number, signal?: AbortSignal): Promise<(Direction | undefined)[]>;
}

/** Bytes of an answer for each text, at most: 8,192 numbers of 20 digits, and some. */
const bytesOfText = 256 * 1024;
const mostTexts = 256;
const mostDimensions = 8192;

const service = 'embeddings endpoint';

export function openEndpoint(config: EndpointConfig): Endpoint {
  const { model, dimensions, apiKey } = config;
  const baseUrl = config.baseUrl.replace(/\/embeddings$/, '');
  /** Of an address without a path it turns out which one is served. */
  let paths = URL.parse(baseUrl)?.pathname === '/' ? ['/v1/embeddings', '/embeddings'] : ['/embeddings'];
  const client = (texts: number): HttpClient =>
    httpClient({
      service,
      baseUrl,
      headers: async () => (apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      toError: (status, _body, headers) => refusalOf(status, headers),
      timeoutMs: Number.POSITIVE_INFINITY,
      maxBytes: texts * bytesOfText,
      attempts: 1,
    });
  const forOne = client(1);
  const forMany = client(mostTexts);

  async function post(texts: readonly string[], signal: AbortSignal): Promise<unknown> {
    for (const [i, path] of paths.entries()) {
      try {
        const answer = await (texts.length === 1 ? forOne : forMany).json({
          method: 'POST',
          path,
          body: {
            model,
            input: texts,
            encoding_format: 'float',
            ...(dimensions === undefined ? {} : { dimensions }),
          },
          retry: 'read',
          signal,
        });
        paths = [path];
        return answer;
      } catch (error) {
        if (!(error instanceof SessionError) || error.details?.status !== 404 || i === paths.length - 1)
          throw error;
      }
    }
    return undefined;
  }

  return {
    async embed(texts, ms, signal) {
      const limit = timeLimit({ ms, reason: () => late(ms), follow: [signal] });
      try {
        const answer = await post(texts, limit.signal);
        return vectorsIn(answer, texts.length, dimensions).map(directionOf);
      } finally {
        limit.end();
      }
    },
  };
}

/** @throws SessionError FAILED_PRECONDITION when the answer is not what was asked for */
function vectorsIn(answer: unknown, count: number, dimensions: number | undefined): number[][] {
  const data = isObject(answer) && Array.isArray(answer.data) ? (answer.data as unknown[]) : undefined;
  if (data === undefined) throw wrongAnswer('answers no list of vectors');
  if (data.length !== count) throw wrongAnswer(`answers ${data.length} vectors for ${count} texts`);
  const vectors: number[][] = [];
  for (const [i, item] of data.entries()) {
    const { embedding, index = i } = isObject(item) ? item : {};
    if (!isVector(embedding)) throw wrongAnswer('answers vectors that are not lists of finite numbers');
    if (typeof index !== 'number' || vectors[index] !== undefined || !(index in data))
      throw wrongAnswer('does not say which vector is for which text');
    vectors[index] = embedding;
  }
  const wanted = dimensions ?? vectors[0]?.length;
  const other = vectors.find(({ length }) => length !== wanted);
  if (other !== undefined) throw wrongDimensions(other.length, wanted ?? 0);
  return vectors;
}

const isVector = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= mostDimensions &&
  value.every((one) => typeof one === 'number' && Number.isFinite(one));

const wrongAnswer = (what: string): SessionError =>
  new SessionError('FAILED_PRECONDITION', `The ${service} ${what}.`, {
    hint: 'Check that embeddings.baseUrl is the address of an OpenAI-compatible endpoint, such as https://host/v1.',
  });

export const wrongDimensions = (found: number, wanted: number): SessionError =>
  new SessionError(
    'FAILED_PRECONDITION',
    `The ${service} answers vectors of ${found} numbers, where ${wanted} are expected.`,
    {
      hint: 'Check that it serves the model of embeddings.model. After a change of the model under the same name, set embeddings.dimensions to what it answers: all vectors are then made anew.',
    },
  );

/** What a refusal means, without anything that the endpoint wrote: that may hold keys and texts. */
function refusalOf(status: number, headers: Headers): SessionError {
  if (status === 401 || status === 403)
    return new SessionError('UNAUTHENTICATED', `The ${service} refuses the key.`, {
      hint: 'Check the variable that embeddings.keyEnv names.',
    });
  if (status === 404 || status === 405)
    return new SessionError('FAILED_PRECONDITION', `The ${service} does not know the address or the model.`, {
      hint: 'Check embeddings.baseUrl and embeddings.model.',
      details: { status },
    });
  if (status === 429)
    return new SessionError('RESOURCE_EXHAUSTED', `The ${service} limits the rate of requests.`, {
      hint: 'It is asked again later.',
      retryAfter: retryAfterOf(headers),
    });
  if (status === 400 || status === 413 || status === 422)
    return new SessionError('INVALID_ARGUMENT', `The ${service} refuses the texts.`, {
      hint: 'Check that embeddings.model is a model for embeddings.',
    });
  return new SessionError('UNAVAILABLE', `The ${service} answers with status ${status}.`, {
    hint: 'Check that it runs; it is asked again later.',
    retryAfter: retryAfterOf(headers),
  });
}

const late = (ms: number): SessionError =>
  new SessionError('DEADLINE_EXCEEDED', `The ${service} did not answer within ${ms / 1000} s.`, {
    hint: 'Check that it runs; it is asked again later.',
  });
