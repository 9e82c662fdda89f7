import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';

/** The part of google-auth-library's GoogleAuth that this backend uses. */
export interface HeaderSource {
  getRequestHeaders(url?: string): Promise<Headers>;
  getProjectId(): Promise<string>;
}

/** `project`: the project if it is known, since the library would otherwise ask other services for it. */
export type LoadHeaderSource = (project: string | undefined) => Promise<HeaderSource>;

/** Loads the library on first use, so that a server without this backend does not pay for it. */
const loadGoogleAuth: LoadHeaderSource = async (projectId) => {
  const { GoogleAuth } = await import('google-auth-library');
  return new GoogleAuth({
    scopes: ['https://www.googleapis.com/auth/cloud-platform'],
    ...(projectId === undefined ? {} : { projectId }),
  });
};

export interface Credentials {
  headers(fresh: boolean): Promise<Record<string, string>>;
  projectId(): Promise<string>;
}

const waitMs = 20_000;

/**
 * Application Default Credentials (https://cloud.google.com/docs/authentication/application-default-credentials).
 * The library caches and renews tokens. After a failure, or when the service refused a token (`fresh`), the
 * credentials are read again, so that a new login takes effect without a restart.
 */
export function defaultCredentials(
  url: string,
  projects: { own?: string | undefined; quota?: string | undefined },
  load: LoadHeaderSource = loadGoogleAuth,
): Credentials {
  let source: Promise<HeaderSource> | undefined;
  async function use<T>(work: (source: HeaderSource) => Promise<T>): Promise<T> {
    source ??= load(projects.own);
    const current = source;
    try {
      return await inTime(current.then(work));
    } catch (cause) {
      if (source === current) source = undefined;
      throw isPassing(cause) ? tokenServiceFailed(cause) : noCredentials(cause);
    }
  }
  return {
    async headers(fresh) {
      if (fresh) source = undefined;
      const given = await use((auth) => auth.getRequestHeaders(url));
      const authorization = given.get('authorization');
      if (authorization === null) throw noCredentials(undefined);
      const project = projects.quota ?? given.get('x-goog-user-project');
      return { authorization, ...(project === null ? {} : { 'x-goog-user-project': project }) };
    },
    projectId: () => use((auth) => auth.getProjectId()),
  };
}

export const apiKeyCredentials = (apiKey: string): Pick<Credentials, 'headers'> => ({
  headers: async () => ({ 'x-goog-api-key': apiKey }),
});

export const noneNeeded: Pick<Credentials, 'headers'> = { headers: async () => ({}) };

// The library waits for other machines longer than a caller would.
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(Object.assign(new Error('no credentials in time'), { code: 'ETIMEDOUT' })),
      waitMs,
    );
    timer.unref();
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function noCredentials(cause: unknown): SessionError {
  const text = cause instanceof Error ? cause.message : '';
  const expired = /invalid_grant|invalid_rapt|reauth|expired|revoked/i.test(text);
  return new SessionError(
    'UNAUTHENTICATED',
    expired ? 'The Google credentials have expired.' : 'There are no usable Google credentials.',
    {
      hint: 'Run `gcloud auth application-default login`, or point GOOGLE_APPLICATION_CREDENTIALS to a service account key.',
      cause: withoutSecrets(cause),
    },
  );
}

/** Whether the library failed because of a service or the network, not because of the credentials. */
function isPassing(cause: unknown): boolean {
  const { status, code, response } = isObject(cause) ? cause : {};
  const http = typeof status === 'number' ? status : isObject(response) ? response.status : undefined;
  if (typeof http === 'number') return http >= 500 || http === 408 || http === 429;
  return typeof code === 'string' && networkCodes.test(code);
}

const networkCodes =
  /^(ECONN\w+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|TimeoutError|AbortError)$/;

function tokenServiceFailed(cause: unknown): SessionError {
  return new SessionError('UNAVAILABLE', 'Google’s token service failed to answer.', {
    hint: 'Call again a little later; nothing was sent to Agent Engine.',
    cause: withoutSecrets(cause),
  });
}

/** The library's error holds the request and may quote it, so long words, which may be tokens, are removed. */
function withoutSecrets(cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : '';
  return new Error(text.replace(/[\w.~+/=-]{24,}/g, '…').slice(0, 300));
}
