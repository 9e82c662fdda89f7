import { invalidArgument } from '../../errors.ts';
import { checkBaseUrl } from '../../net/url.ts';

type VectaraCredentials =
  | { apiKey: string }
  | {
      clientId: string;
      clientSecret: string;
      /** Default: the token endpoint that Vectara's OpenAPI file names. */
      tokenUrl?: string | undefined;
    };

export interface VectaraConfig {
  credentials: VectaraCredentials;
  /** The agent that a call without `app` goes to. */
  defaultApp?: string | undefined;
  /** Default https://api.vectara.io. Plain http only to loopback. */
  baseUrl?: string | undefined;
  /**
   * Shows the arguments of client tool calls as Vectara sends them, secrets included. For operators whose
   * callers execute the tools: everybody who may list tool calls then sees the secrets.
   */
  unmaskToolCalls?: boolean | undefined;
  /**
   * Metadata keys that the agents' instructions and tools trust, such as a tenant or a role. Callers can read
   * them in the state, but neither set nor change them.
   */
  protectedMetadata?: readonly string[] | undefined;
  /** Minutes without activity after which Vectara deletes a session created here. Default: never. */
  idleMinutes?: number | undefined;
  /** Secrets given to every session created here. Vectara passes them to tools and shows them to nobody. */
  sessionSecrets?: Readonly<Record<string, string>> | undefined;
  /** Largest artifact that is fetched, and largest file that is uploaded with a message. Default 20 MiB. */
  maxArtifactBytes?: number | undefined;
  /** Milliseconds for one answer. Default 30,000. */
  timeoutMs?: number | undefined;
  /** Milliseconds of silence allowed in a streamed run, and for all of a run without a stream. Default 300,000. */
  runTimeoutMs?: number | undefined;
  /** Milliseconds that submitting tool outputs waits for the turn that they start. Default 30,000. */
  submitWaitMs?: number | undefined;
}

export interface VectaraSettings {
  credentials: { apiKey: string } | { clientId: string; clientSecret: string; tokenUrl: string };
  baseUrl: string;
  unmaskToolCalls: boolean;
  protectedMetadata: ReadonlySet<string>;
  idleMinutes: number | undefined;
  sessionSecrets: Readonly<Record<string, string>> | undefined;
  maxArtifactBytes: number;
  timeoutMs: number;
  runTimeoutMs: number;
  submitWaitMs: number;
}

/** @throws SessionError INVALID_ARGUMENT; its text never contains a credential */
export function checkConfig(config: VectaraConfig): VectaraSettings {
  const { idleMinutes } = config;
  if (idleMinutes !== undefined && (!Number.isSafeInteger(idleMinutes) || idleMinutes < 0))
    throw invalidArgument(
      'The idle time for Vectara is not a number of minutes.',
      'Use a whole number, 0 for never.',
    );
  return {
    credentials: checkCredentials(config.credentials),
    baseUrl: checkBaseUrl('The Vectara address', config.baseUrl ?? 'https://api.vectara.io'),
    unmaskToolCalls: config.unmaskToolCalls === true,
    protectedMetadata: new Set(config.protectedMetadata),
    idleMinutes,
    sessionSecrets: config.sessionSecrets,
    maxArtifactBytes: config.maxArtifactBytes ?? 20 * 1024 * 1024,
    timeoutMs: config.timeoutMs ?? 30_000,
    runTimeoutMs: config.runTimeoutMs ?? 300_000,
    submitWaitMs: config.submitWaitMs ?? 30_000,
  };
}

function checkCredentials(given: VectaraCredentials): VectaraSettings['credentials'] {
  const values = 'apiKey' in given ? [given.apiKey] : [given.clientId, given.clientSecret];
  // Other characters cannot stand in a header, or come from a pasted line end.
  if (!values.every((value) => /^[\x21-\x7e]+$/.test(value)))
    throw invalidArgument(
      'The credentials for Vectara are empty, or contain characters that credentials cannot contain.',
      'Set an API key, or a client id and a client secret, as the Vectara console shows them.',
    );
  if ('apiKey' in given) return { apiKey: given.apiKey };
  const tokenUrl = checkBaseUrl(
    'The Vectara token address',
    given.tokenUrl ?? 'https://auth.vectara.io/oauth2/token',
  );
  return { clientId: given.clientId, clientSecret: given.clientSecret, tokenUrl };
}
