import { SessionError } from '../../errors.ts';

// A missing object and another user's object get the same words on every backend, so that nobody
// can tell the two apart, and so that a caller learns each of them once.

export function sessionNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such session.', {
    hint: 'Call list_sessions to see which sessions exist, or create_session for a new one.',
    cause,
  });
}

export function eventNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such event in this session.', {
    hint: 'Call list_events to see which events exist.',
    cause,
  });
}

export function artifactNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such artifact or version.', {
    hint: 'Call list_artifacts to see the names and latest versions.',
    cause,
  });
}

export function memoryNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such memory.', {
    hint: 'Call list_memories or search_memory to see which memories exist.',
    cause,
  });
}

export function appNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such app.', {
    hint: 'Call list_apps to see which apps exist.',
    cause,
  });
}

/** The caller's own session has this id. Another user's must not be told apart from a free one where ids are by user. */
export function sessionExists(cause?: unknown): SessionError {
  return new SessionError('ALREADY_EXISTS', 'A session with this sessionId already exists.', {
    hint: 'Call get_session to continue it, or create one under another id or without an id.',
    cause,
  });
}

export function toolCallNotOpen(): SessionError {
  return new SessionError('NOT_FOUND', 'A toolCallId names no open tool call.', {
    hint: 'Call list_tool_calls; the call may have been answered already.',
  });
}

/** The own id of an event, under which another event is stored. */
export function eventExists(): SessionError {
  return new SessionError('ALREADY_EXISTS', 'Another event already has this eventId.', {
    hint: 'Read it with get_event; append yours under another eventId, or without one.',
  });
}

/** The end of a run's stream without the end of the run. */
export function runBrokeOff(cause?: unknown): SessionError {
  return new SessionError('UNAVAILABLE', 'The stream of the run broke off; the run may go on.', {
    hint: 'Call list_events to see what was stored, and list_tool_calls for open calls, before you send anything again.',
    cause,
  });
}
