import { createHash } from 'node:crypto';
import { invalidArgument } from '../errors.ts';

export const runStatuses = ['running', 'completed', 'failed', 'cancelled', 'interrupted'] as const;

/**
 * `completed`: the agent came to its end, or calls tools that wait for an answer. `failed`: it stopped with
 * an error. `cancelled`: a caller ended it. `interrupted`: the process that ran it ended first.
 */
export type RunStatus = (typeof runStatuses)[number];

/** Why a run failed, in words of ours that any caller may read. */
export interface RunError {
  code: string;
  message: string;
  hint?: string | undefined;
}

/** A run as it is noted. Its events are in the session, under its invocationId. */
export interface RunRecord {
  invocationId: string;
  status: RunStatus;
  /** Name of the agent. */
  author: string;
  error?: RunError | undefined;
  /** Of a run that goes on: what its agent had said, since its last whole event, when that was last noted. */
  text?: string | undefined;
}

/**
 * Run ids come back in errors, so they are narrower than other ids: no words can be put into them.
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkInvocationId(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(value))
    throw invalidArgument(
      'invocationId cannot be the id of a run.',
      'Use up to 128 of A-Z, a-z, 0-9, ".", "_", ":" and "-", or leave it out.',
    );
  return value;
}

/** The id under which the message that began a run is stored: the same run stores it once. */
export function messageIdOf(invocationId: string): string {
  return `e${createHash('sha256').update(invocationId).digest('hex').slice(0, 34)}`;
}
