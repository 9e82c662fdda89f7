import type { Config } from '../config/index.ts';
import { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import { counted } from '../model/plural.ts';
import { type Checked, failed, note, ok } from './doctor-finding.ts';
import { checkAddress } from './doctor-service.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What a server over HTTP would need, where the configuration says something of one. */
export async function checkHttp({ http }: Config, env: Env, log: Log): Promise<Checked[]> {
  const { checkExposure } = await import('../server/http/index.ts');
  const checked: Checked[] = [];
  try {
    checkExposure(http);
  } catch (error) {
    checked.push({ subject: 'http', finding: failed(error, log) });
  }
  if (http.tokens !== undefined) checked.push(...(await checkTokens(http.tokens, log)));
  if (http.oauth !== undefined)
    checked.push(await checkAddress('issuer of JWTs', http.oauth.jwksUrl ?? http.oauth.issuer, env, log));
  return checked;
}

async function checkTokens(source: string, log: Log): Promise<Checked[]> {
  const { openTokens, readTokens } = await import('../server/auth/tokens.ts');
  try {
    await openTokens(source, log);
    const entries = await readTokens(source);
    const expired = entries.filter(({ expires }) => expires <= Date.now()).length;
    const shown = `http: ${counted(entries.length, 'token')}`;
    if (expired === 0) return [{ subject: 'http', finding: ok(`${shown}, none has expired`) }];
    if (expired < entries.length)
      return [
        {
          subject: 'http',
          finding: note(
            `${shown}, of which ${expired} have expired.`,
            'Take them out, or make new ones with add-token.',
          ),
        },
      ];
    throw new SessionError('FAILED_PRECONDITION', 'Every token has expired: no client can connect.', {
      hint: 'Make a new one: agent-sessions-mcp add-token FILE.',
    });
  } catch (error) {
    return [{ subject: 'http', finding: failed(error, log) }];
  }
}
