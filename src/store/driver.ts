import { SessionError } from '../errors.ts';

/**
 * Loads the driver of an engine, a package that is installed only where that engine is used.
 * @param load imports it: `() => import('pg')`
 * @throws SessionError FAILED_PRECONDITION when it is not installed
 */
export async function loadDriver<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!isMissing(cause, name)) throw cause;
    throw new SessionError(
      'FAILED_PRECONDITION',
      `This store needs the package "${name}", which is not installed.`,
      {
        hint: `Run npm install ${name} where agent-sessions-mcp is installed, or start it with npx -y -p agent-sessions-mcp -p ${name} agent-sessions-mcp.`,
        cause,
      },
    );
  }
}

/** Whether it is the driver itself that is not there, and not something that the driver needs. */
function isMissing(error: unknown, name: string): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ERR_MODULE_NOT_FOUND' && String(error).includes(`'${name}'`);
}
