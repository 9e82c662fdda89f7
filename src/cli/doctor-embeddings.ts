import type { Config } from '../config/index.ts';
import type { Log } from '../log.ts';
import { type Finding, failed, note, ok } from './doctor-finding.ts';

/** Milliseconds for an endpoint that may have to load its model first. */
const answerMs = 30_000;

/** Whether the endpoint for embeddings makes some, of how many numbers, and how fast. */
export async function checkEmbeddings({ backends, embeddings }: Config, log: Log): Promise<Finding[]> {
  if (embeddings === undefined) return [];
  const { model, searchMs } = embeddings;
  if (!backends.includes('local'))
    return [
      note(
        `embeddings by the model ${model}: unused without the local backend`,
        'Add local to --backend, or remove embeddings from the file of --config.',
      ),
    ];
  const { openEndpoint } = await import('../embeddings/endpoint.ts');
  try {
    const endpoint = openEndpoint(embeddings);
    await endpoint.embed(['Are you there?'], answerMs);
    const start = performance.now();
    const [vector] = await endpoint.embed(['And now?'], answerMs);
    const ms = Math.round(performance.now() - start);
    const finding = ok(`embeddings by the model ${model}: ${vector?.length ?? 0} numbers, in ${ms} ms`);
    if (ms <= searchMs) return [finding];
    return [
      finding,
      note(
        `embeddings by the model ${model}: too slow for searches, which wait ${searchMs} ms`,
        'Use a faster model or machine, or raise embeddings.searchTimeoutMs.',
      ),
    ];
  } catch (error) {
    return [failed(error, log)];
  }
}
