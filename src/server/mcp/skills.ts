import type { McpServer } from '@modelcontextprotocol/server';
import { loadSkills } from '@modelcontextprotocol/server/ext/skills/node';
import type { Log } from '../../log.ts';

/** What teaches agents to use the tools well; served to hosts that know skills, and as resources to the others. */
export interface Skills {
  /** Before the server is connected. */
  attach(server: McpServer): void;
}

const hour = 3_600_000;

/**
 * The skills in a folder: each is a folder of its own with a `SKILL.md` (https://agentskills.io/specification).
 * Without them the server works as well, so that a folder that cannot be read is only noted.
 */
export async function openSkills(folder: string, log: Log): Promise<Skills | undefined> {
  try {
    return await loadSkills(folder, {
      cacheHint: { ttlMs: hour, cacheScope: 'public' },
      onWarning: ({ message }) => log.warn('A skill is not as it should be.', { message }),
    });
  } catch (error) {
    log.warn('The skills cannot be read and are not served.', { error });
    return undefined;
  }
}
