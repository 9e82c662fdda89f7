import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import type { HttpClientOptions } from '../../net/http.ts';

/** The part of google-auth-library's GoogleAuth that this backend uses. */
export interface HeaderSource {
  getRequestHeaders(url?: string): Promise<Headers>;
  getProjectId(): Promise<string>;
  /** The account, where the credentials name one. */
  getCredentials?(): Promise<{ client_email?: string | null | undefined }>;
  /** The file that the credentials were read from; null where the machine gives them. */
  jsonContent?: object | null;
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
  headers: HttpClientOptions['headers'];
  projectId(): Promise<string>;
  /** As one line, for whoever checks the configuration: kind, account, project, quota project. */
  describe(): Promise<string>;
}

const waitMs = 20_000;

/**
 * Application Default Credentials (https://cloud.google.com/docs/authentication/application-default-credentials).
 * The library caches and renews tokens. After a failure, or when the service refused a token, the credentials are read
 * again, so that a new login takes effect without a restart.
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
  async function headers(refused?: Record<string, string>): Promise<Record<string, string>> {
    const current = source;
    const given = await present();
    if (refused === undefined || refused.authorization !== given.authorization) return given;
    // Unless another request, refused with the same token, has done so already.
    if (source === current) source = undefined;
    return present();
  }
  async function present(): Promise<Record<string, string>> {
    const given = await use((auth) => auth.getRequestHeaders(url));
    const authorization = given.get('authorization');
    if (authorization === null) throw noCredentials(undefined);
    const project = projects.quota ?? given.get('x-goog-user-project');
    return { authorization, ...(project === null ? {} : { 'x-goog-user-project': project }) };
  }
  return {
    headers,
    projectId: () => use((auth) => auth.getProjectId()),
    async describe() {
      // A token shows that they are good, and carries the quota project.
      const { 'x-goog-user-project': quota } = await headers();
      const origin = await use(originOf);
      const parts = [origin, projects.own && `project ${projects.own}`, quota && `quota project ${quota}`];
      return parts.filter((part) => part !== undefined && part !== '').join(', ');
    },
  };
}

/** The kinds of files that Google's tools write, by their `type`. */
const fileKinds: Readonly<Record<string, string>> = {
  authorized_user: 'login of a user (gcloud)',
  service_account: 'service account key',
  external_account: 'workload identity',
  external_account_authorized_user: 'login of a workforce user (gcloud)',
  impersonated_service_account: 'impersonated service account',
};

/** Kind and account of credentials. */
async function originOf(source: HeaderSource): Promise<string> {
  const file = isObject(source.jsonContent) ? source.jsonContent : undefined;
  const kind = file === undefined ? 'account of this machine' : (fileKinds[String(file.type)] ?? 'a file');
  const named = [file?.client_email, file?.account].find((one) => typeof one === 'string' && one !== '');
  const account = named ?? (await source.getCredentials?.().catch(() => undefined))?.client_email;
  return typeof account === 'string' ? `${kind} ${account}` : kind;
}

type Given = Pick<Credentials, 'headers' | 'describe'>;

export const apiKeyCredentials = (apiKey: string): Given => ({
  headers: async () => ({ 'x-goog-api-key': apiKey }),
  describe: async () => 'API key of express mode (GOOGLE_API_KEY)',
});

export const noneNeeded: Given = {
  headers: async () => ({}),
  describe: async () => 'none, because the address is on this machine',
};

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
