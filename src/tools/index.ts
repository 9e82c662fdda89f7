import * as z from 'zod';
import { type Backend, supports } from '../backend/types.ts';
import { once } from '../model/once.ts';
import { addSessionToMemory } from './catalog/add-session-to-memory.ts';
import { appendEvent } from './catalog/append-event.ts';
import { createApp } from './catalog/create-app.ts';
import { createMemory } from './catalog/create-memory.ts';
import { createSession } from './catalog/create-session.ts';
import { deleteApp } from './catalog/delete-app.ts';
import { deleteEvent } from './catalog/delete-event.ts';
import { deleteMemory } from './catalog/delete-memory.ts';
import { deleteSession } from './catalog/delete-session.ts';
import { describeServer } from './catalog/describe-server.ts';
import { forkSession } from './catalog/fork-session.ts';
import { getArtifact } from './catalog/get-artifact.ts';
import { getEvent } from './catalog/get-event.ts';
import { getSession } from './catalog/get-session.ts';
import { listApps } from './catalog/list-apps.ts';
import { listArtifacts } from './catalog/list-artifacts.ts';
import { listEvents } from './catalog/list-events.ts';
import { listMemories } from './catalog/list-memories.ts';
import { listSessions } from './catalog/list-sessions.ts';
import { listToolCalls } from './catalog/list-tool-calls.ts';
import { query } from './catalog/query.ts';
import { registerFeedback } from './catalog/register-feedback.ts';
import { rewindSession } from './catalog/rewind-session.ts';
import { saveArtifact } from './catalog/save-artifact.ts';
import { searchEvents } from './catalog/search-events.ts';
import { searchMemory } from './catalog/search-memory.ts';
import { setEventVisibility } from './catalog/set-event-visibility.ts';
import { streamQuery } from './catalog/stream-query.ts';
import { submitToolOutputs } from './catalog/submit-tool-outputs.ts';
import { takeTurn } from './catalog/take-turn.ts';
import { updateSession } from './catalog/update-session.ts';
import { waitForEvents } from './catalog/wait-for-events.ts';
import { app, userId } from './support/args.ts';
import type { Tool, Toolset } from './support/define.ts';

/** Every tool, in the order in which clients see them. */
export const allTools: readonly Tool[] = [
  listSessions,
  createSession,
  getSession,
  updateSession,
  deleteSession,
  forkSession,
  rewindSession,
  listEvents,
  searchEvents,
  getEvent,
  appendEvent,
  setEventVisibility,
  deleteEvent,
  waitForEvents,
  takeTurn,
  listToolCalls,
  submitToolOutputs,
  listArtifacts,
  getArtifact,
  saveArtifact,
  searchMemory,
  addSessionToMemory,
  createMemory,
  listMemories,
  deleteMemory,
  query,
  streamQuery,
  registerFeedback,
  listApps,
  createApp,
  deleteApp,
  describeServer,
];

/** What decides which tools a caller sees: the backends, the operator's choice and the caller's rights. */
export interface Surface {
  backends: readonly Backend[];
  /** Undefined: all but the writing part of `apps`. */
  toolsets: readonly Toolset[] | undefined;
  readOnly: boolean;
  /** Whether this caller may name other users. */
  admin: boolean;
}

/** A tool with the arguments that this surface publishes. */
export interface ListedTool {
  tool: Tool;
  /** Names of arguments that this surface does not publish. */
  hidden: readonly string[];
  /** Arguments that it adds. */
  added: Readonly<Record<string, () => z.core.$ZodType>>;
  /** The schema of a call's arguments, made for the first call. */
  input(): z.ZodObject;
}

export function catalogue(surface: Surface): ListedTool[] {
  const hidden = hiddenIn(surface);
  const names = surface.backends.map(({ name }) => name);
  const backend = () => z.enum(names).optional().describe(`Default: ${names[0]}`);
  return allTools
    .filter((tool) => isListed(tool, surface))
    .map((tool) => {
      const added = tool.reach === 'server' || names.length < 2 ? {} : { backend };
      return { tool, hidden, added, input: once(() => inputOf({ tool, hidden, added })) };
    });
}

function inputOf({ tool, hidden, added }: Pick<ListedTool, 'tool' | 'hidden' | 'added'>): z.ZodObject {
  const members = [
    ...Object.entries(argumentsOf(tool)).filter(([name]) => !hidden.includes(name)),
    ...Object.entries(added).map(([name, make]) => [name, make()] as const),
  ];
  // Unknown arguments are refused, so that a misspelt one is corrected and not passed over.
  return z.strictObject(Object.fromEntries(members));
}

/** All arguments of a tool, with those that say whom it is for. */
export function argumentsOf(tool: Tool): z.core.$ZodShape {
  const own = tool.input();
  return tool.reach === 'user' ? { ...own, app: own.app ?? app(), userId: userId() } : own;
}

function isListed(tool: Tool, surface: Surface): boolean {
  const writes = !tool.annotations.readOnlyHint;
  if (surface.readOnly && writes) return false;
  if (tool.toolset === 'server') return true;
  if (tool.toolset === 'apps' && writes && !(surface.admin && surface.toolsets?.includes('apps')))
    return false;
  if (surface.toolsets !== undefined && !surface.toolsets.includes(tool.toolset)) return false;
  if (tool.offered !== undefined) return tool.offered(surface.backends);
  return surface.backends.some((backend) => tool.needs.every((need) => supports(backend, need)));
}

/**
 * Arguments that only make sense with several backends, with one whose agents have methods of their own, with one that
 * hands out turns, or for who may name other users.
 */
const betweenBackends = ['toBackend', 'toApp'];
const ofClasses = ['classMethod', 'input'];
const ofTurns = ['claim', 'parentSessionId', 'agent'];
const ofAdmins = ['userId'];

function hiddenIn({ backends, admin }: Surface): string[] {
  const classes = backends.some((backend) => supports(backend, 'query.call'));
  const turns = backends.some((backend) => supports(backend, 'turns.take'));
  return [
    ...(backends.length > 1 ? [] : betweenBackends),
    ...(classes ? [] : ofClasses),
    ...(turns ? [] : ofTurns),
    ...(admin ? [] : ofAdmins),
  ];
}
