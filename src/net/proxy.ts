import { invalidArgument } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** No proxy could reach them, and no proxy should see what is for them. */
const loopback = ['localhost', '127.0.0.1', '::1'];

/**
 * Sends every request of this process through the proxy that HTTPS_PROXY and HTTP_PROXY name, except to the hosts
 * of NO_PROXY and to this machine. Node's own fetch does so by itself only from 24 on, and only when it was started
 * with NODE_USE_ENV_PROXY; its dispatcher can be replaced in all versions.
 * https://nodejs.org/api/cli.html#node_use_env_proxy1
 * @throws SessionError INVALID_ARGUMENT for an address that is none
 */
export async function useProxyFromEnvironment(env: Environment): Promise<void> {
  const httpProxy = addressOf(env, 'HTTP_PROXY');
  const httpsProxy = addressOf(env, 'HTTPS_PROXY') ?? httpProxy;
  if (httpsProxy === undefined && httpProxy === undefined) return;
  const noProxy = settingOf(env, 'NO_PROXY') ?? '';
  // Only who has a proxy pays for the library, and for what asks services, when the server starts.
  const [{ EnvHttpProxyAgent, setGlobalDispatcher }, { sendThrough }] = await Promise.all([
    import('undici'),
    import('./send.ts'),
  ]);
  const agent = new EnvHttpProxyAgent({
    // Absent would mean: look into the environment of the process.
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    allowH2: false,
    noProxy: noProxy.trim() === '*' ? '*' : [noProxy, ...loopback].filter((host) => host !== '').join(','),
  });
  sendThrough(agent);
  // Libraries use Node's fetch.
  setGlobalDispatcher(agent);
}

/** As curl reads them: the lower-case name counts first. */
function settingOf(env: Environment, name: string): string | undefined {
  const value = env[name.toLowerCase()] ?? env[name];
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

function addressOf(env: Environment, name: string): string | undefined {
  const value = settingOf(env, name);
  if (value === undefined) return undefined;
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '')
    // The address may hold a password, so it is not shown.
    throw invalidArgument(`${name} is not the address of a proxy.`, 'Set it like http://proxy.example:3128.');
  return value;
}
