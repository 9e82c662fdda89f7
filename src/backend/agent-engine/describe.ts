import { withDeadline } from '../../net/deadline.ts';
import { classMethodsOf } from './apps.ts';
import type { AgentEngineClient } from './client.ts';

/** Milliseconds that describe_server waits for the service, which may be down. */
const describeMs = 3000;

export function notesOf({ memory, endpoint }: AgentEngineClient): string[] {
  const scope = memory.scope === 'user' ? '{user_id}' : '{app_name, user_id}';
  return [
    'Session ids are unique in an engine, across all its users: 1 to 63 lowercase letters, digits and hyphens.',
    'Sessions have no revisions: expectedRevision is refused. Sessions expire after a year unless ttlSeconds says otherwise.',
    'Events are ordered by their timestamps; an event that is appended with an earlier time sorts before others.',
    'wait_for_events also finds events that are stored late with an earlier time, as long as the same server process answers.',
    'An eventId of your own is searched for among the latest 100 events before it is stored; two processes that store it at the same moment can both do so.',
    "An event of a running agent has another id in list_events than in the stream; get_event accepts both where the engine stores the agent's id.",
    'Open tool calls are derived from the events; two processes that answer one call at the same moment can both do so.',
    'register_feedback needs an engine with a class method of this name, such as engines of agent-starter-pack.',
    `Memories are kept apart by scope, matched exactly; the default here is ${scope}. ADK for Python and JavaScript uses {app_name, user_id}, ADK for Go {user_id}: pass the scope of the agent whose memories you want.`,
    ...(endpoint.express ? ['Express mode: an API key instead of a project, and lower quotas.'] : []),
  ];
}

/** Notes on the class methods of the default engine, if the service answers in time. */
export async function methodNotes(client: AgentEngineClient, app: string | undefined): Promise<string[]> {
  if (app === undefined) return ['No engine is configured: pass one as app in every call.'];
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
