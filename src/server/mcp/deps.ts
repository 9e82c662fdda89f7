import type { Log } from '../../log.ts';
import type { Principal } from '../../model/principal.ts';
import type { CallEnvironment } from '../../tools/call.ts';
import type { Toolset } from '../../tools/support/define.ts';

/** What every server instance of a process shares. */
export interface ServerDeps extends CallEnvironment {
  toolsets: readonly Toolset[] | undefined;
  readOnly: boolean;
  log: Log;
  /** Runs every tool call: limits, measures, traces. */
  around?: Around | undefined;
}

/** A tool call, as what surrounds it sees it. */
export interface ToolCall {
  tool: string;
  principal: Principal;
  /** `_meta` as the caller sent it. */
  meta: unknown;
}

/** Runs a call, or refuses it with a SessionError. What the call throws passes through. */
export type Around = <T>(call: ToolCall, run: () => Promise<T>) => Promise<T>;
