import { withDeadline } from '../../net/deadline.ts';
import { classMethodsOf } from './apps.ts';
import type { AgentEngineClient } from './client.ts';

/** Who asks what there is does not wait for a service that is down. */
const describeMs = 3000;

export function notesOf({ memory, endpoint }: AgentEngineClient): string[] {
  const scope = memory.scope === 'user' ? '{user_id}' : '{app_name, user_id}';
  return [
    'Session ids are unique in an engine, for all its users: 1 to 63 lowercase letters, digits and hyphens.',
    'Sessions have no revisions: expectedRevision is refused. They expire after a year unless told otherwise.',
    'Events are ordered by their timestamps; an event that is appended with an earlier time sorts before others.',
    'Events that are stored late, dated before one that was read, are found by whoever waits for events, as long as the same server process answers.',
    'An eventId of your own is looked for among the latest 100 events before it is stored; two processes that store it at the same moment can both do so.',
    'An event of a running agent has another id in list_events than in the stream; get_event takes both where the agent stores its own.',
    'Open tool calls are derived from the events; two processes that answer one call at the same moment can both do so.',
    'register_feedback needs an engine that has a method of this name, such as those of agent-starter-pack.',
    `Memories are kept apart by scope, matched exactly; the default here is ${scope}. ADK for Python and JavaScript uses {app_name, user_id}, ADK for Go {user_id}: pass the scope of the agent whose memories you want.`,
    ...(endpoint.express ? ['Express mode: an API key, short names, lower quotas.'] : []),
  ];
}

/** The class methods of the default engine, if it tells them soon. */
export async function methodNotes(client: AgentEngineClient, app: string | undefined): Promise<string[]> {
  if (app === undefined) return ['No engine is configured: name one as app in every call.'];
  try {
    const methods = await withDeadline({ ms: describeMs }, () => classMethodsOf(client, app));
    if (methods.length === 0)
      return [
        'The configured engine has no class methods: it stores sessions and memories, and cannot be queried.',
      ];
    const shown = methods
      .slice(0, 40)
      .map(({ name, mode }) => (mode.includes('stream') ? `${name} (stream)` : name));
    return [`Class methods of the configured engine: ${shown.join(', ')}.`];
  } catch {
    return ['The configured engine could not be asked for its class methods.'];
  }
}
