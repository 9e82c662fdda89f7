import type { Log } from '../../log.ts';
import type { Principal } from '../../model/principal.ts';
import type { SharedRecords } from '../../store/shared-records.ts';
import type { CallEnvironment } from '../../tools/call.ts';
import type { Toolset } from '../../tools/support/define.ts';
import type { LoadPage } from './page.ts';
import type { Skills } from './skills.ts';

/** What all server objects of a process share. */
export interface ServerDeps extends CallEnvironment {
  toolsets: readonly Toolset[] | undefined;
  readOnly: boolean;
  /** Absent: no session page is served. */
  page?: LoadPage | undefined;
  /** Absent: no skill is served. */
  skills?: Skills | undefined;
  /** The agents that this server answers turns for, by app. */
  agents?: readonly { app: string; agent: string }[] | undefined;
  log: Log;
  /** Absent: every server counts its limits for itself. */
  sharedRecords?: SharedRecords | undefined;
  /** Wraps every tool call, for limits, metrics and traces. */
  around?: Around | undefined;
}

/** A tool call, as `Around` gets it. */
export interface ToolCall {
  tool: string;
  principal: Principal;
  /** `_meta` as the caller sent it. */
  meta: unknown;
}

/** Runs a call, or refuses it with a SessionError. Errors of the call pass through. */
export type Around = <T>(call: ToolCall, run: () => Promise<T>) => Promise<T>;
