import { quote, SessionError } from '../../errors.ts';
import type { Principal } from '../../model/principal.ts';

/**
 * A token may be bound to the agents as which it may write and take turns.
 * @throws SessionError PERMISSION_DENIED
 */
export function checkSpeaker(author: string | undefined, { agents }: Principal): void {
  if (author === undefined || agents === undefined || agents.includes(author)) return;
  throw new SessionError('PERMISSION_DENIED', `You may not act as ${quote(author)}. Nothing was done.`, {
    hint:
      agents.length === 0
        ? 'Ask the operator for a token that may write.'
        : `Your token is for ${agents.map(quote).join(', ')}: name one of them as author or agent.`,
  });
}

/** The author of tools that write in the user's name. */
export const asUser = (): string => 'user';

/** The author that a call names. */
export const asNamed =
  (argument: 'author' | 'agent') =>
  (args: Record<string, unknown>): string =>
    String(args[argument]);
