import { quote, SessionError } from '../../errors.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ToolContext } from './define.ts';

/**
 * A right session id under a wrong app is the commonest mistake: the error then names the app. Only the user's own
 * apps are looked at, so that it tells nobody of the sessions of others.
 */
export async function withWhereabouts(error: unknown, args: JsonObject, ctx: ToolContext): Promise<unknown> {
  const { sessionId } = args;
  if (!(error instanceof SessionError) || error.code !== 'NOT_FOUND' || typeof sessionId !== 'string')
    return error;
  const apps = await ctx.backend.appsOfSession?.(ctx.owner.userId, sessionId).catch((): string[] => []);
  // Under the app of the call it is there, and something else is not.
  if (apps === undefined || apps.length === 0 || apps.includes(ctx.owner.app)) return error;
  const named = apps.slice(0, 3).map(quote).join(', ');
  return new SessionError(error.code, error.message, {
    cause: error.cause,
    details: error.details,
    hint: `You have a session of this id in the app ${named}: call again with app.`,
  });
}
