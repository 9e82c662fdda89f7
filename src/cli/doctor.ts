import type { Config } from '../config/index.ts';
import { SessionError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isNewFile, placeOf } from '../store/open.ts';
import { version } from '../version.ts';
import { checkStore } from './doctor-store.ts';
import type { Io } from './io.ts';
import { openBackends } from './open-backends.ts';

/** Checks what the server would need, prints a line for each, and resolves to 0 when all is well, else 1. */
export async function doctor(config: Config, log: Log, io: Io): Promise<number> {
  const ok = (text: string) => io.print(`ok    ${text}\n`);
  const bad = (error: unknown) => {
    const shown =
      error instanceof SessionError
        ? error
        : new SessionError('INTERNAL', 'Something went wrong.', { hint: 'See the log above.' });
    if (!(error instanceof SessionError)) log.error('The check failed unexpectedly.', { error });
    io.print(`FAIL  ${shown.message}\n      ${shown.hint ?? ''}\n`);
    return 1;
  };
  ok(`agent-sessions-mcp ${version}, Node.js ${io.nodeVersion}`);
  ok(`acting for user ${config.user} in app ${config.app}`);
  let failures = 0;
  for (const name of config.backends) {
    try {
      const findings = name === 'local' ? await checkStore(config) : [];
      for (const finding of findings) {
        if (finding.kind === 'ok') ok(finding.text);
        else if (finding.kind === 'note') io.print(`note  ${finding.text}\n      ${finding.hint}\n`);
        else failures += bad(finding.error);
      }
      // Opening it would report the same, or harm what is left.
      if (findings.some((finding) => finding.kind === 'fail')) continue;
      // A new store is the server's to make: its path may be mistyped.
      if (name === 'local' && isNewFile(placeOf(config.store))) continue;
      const opened = await openBackends({ ...config, backends: [name] }, log);
      try {
        for (const backend of opened.backends) {
          const info = await backend.describe();
          await backend.sessions?.list?.({
            app: backend.defaultApp ?? config.app,
            userId: config.user,
            pageSize: 1,
          });
          ok(`backend ${info.name} at ${info.location}: answers, ${info.capabilities.length} capabilities`);
        }
      } finally {
        await opened.close();
      }
    } catch (error) {
      failures += bad(error);
    }
  }
  io.print(failures === 0 ? 'All is well.\n' : `${failures} to fix.\n`);
  return failures === 0 ? 0 : 1;
}
