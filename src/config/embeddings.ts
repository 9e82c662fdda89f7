import type { EmbedderConfig } from '../embeddings/embedder.ts';
import { invalidArgument, quote } from '../errors.ts';
import { secureUrl } from '../net/secure-url.ts';
import { checkBaseUrl } from '../net/url.ts';
import { readSettings, refused, type Sources, setting, text, whole } from './setting.ts';

export const embeddingsGroup = {
  title: 'Search by meaning, on the local backend: an OpenAI-compatible endpoint for embeddings',
  settings: {
    baseUrl: setting({
      key: 'embeddings.baseUrl',
      kind: text,
      help: 'address of the endpoint with its version, such as http://127.0.0.1:11434/v1',
    }),
    model: setting({
      key: 'embeddings.model',
      kind: text,
      help: 'model that it makes embeddings with; under another name all are made anew',
    }),
    keyEnv: setting({
      key: 'embeddings.keyEnv',
      kind: text,
      help: 'environment variable that holds its key',
      check: (where, name) => {
        if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
          throw refused(embeddingsGroup.settings.keyEnv, where, name);
      },
    }),
    dimensions: setting({
      key: 'embeddings.dimensions',
      kind: whole(1, 8192),
      help: 'numbers of one embedding, for models that can make shorter ones; default: what the model makes',
    }),
    batchSize: setting({
      key: 'embeddings.batchSize',
      kind: whole(1, 256),
      otherwise: 64,
      help: 'texts of one request',
    }),
    searchMs: setting({
      key: 'embeddings.searchTimeoutMs',
      kind: whole(10, 10_000),
      otherwise: 500,
      help: 'milliseconds that a search waits for the embedding of its query, before it goes by words only',
    }),
  },
};

/**
 * Undefined where no endpoint is configured.
 * @throws SessionError INVALID_ARGUMENT
 */
export function readEmbeddings(
  sources: Sources,
  env: Readonly<Record<string, string | undefined>>,
): EmbedderConfig | undefined {
  const { baseUrl, model, keyEnv, ...rest } = readSettings(embeddingsGroup.settings, sources);
  if (baseUrl === undefined && model === undefined) {
    if (keyEnv === undefined && rest.dimensions === undefined) return undefined;
    throw missing('embeddings.baseUrl');
  }
  if (baseUrl === undefined) throw missing('embeddings.baseUrl');
  if (model === undefined || model === '') throw missing('embeddings.model');
  const apiKey = keyEnv === undefined ? undefined : env[keyEnv];
  if (keyEnv !== undefined && (apiKey === undefined || apiKey === ''))
    throw invalidArgument(
      `embeddings.keyEnv names the environment variable ${quote(keyEnv)}, which is not set.`,
      'Set it, or remove its name from the file of --config.',
    );
  // A model in the local network may be reached by http, but a key never travels unencrypted.
  if (apiKey !== undefined) secureUrl('The embeddings.baseUrl', baseUrl);
  return {
    ...rest,
    baseUrl: checkBaseUrl('embeddings.baseUrl', baseUrl, { allowHttp: true }),
    model,
    apiKey,
  };
}

const missing = (key: string) =>
  invalidArgument(
    `The file of --config has embeddings without ${quote(key)}.`,
    'Give embeddings both "baseUrl" and "model".',
  );
