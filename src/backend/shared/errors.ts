import { SessionError } from '../../errors.ts';

// What is not there and what is somebody else's answer with the same words on every backend, so that nobody
// can tell the two apart, and so that a caller learns each of them once.

export function sessionNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such session.', {
    hint: 'Call list_sessions for the sessions that there are, or create_session.',
    cause,
  });
}

export function eventNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such event in this session.', {
    hint: 'Call list_events for the events that there are.',
    cause,
  });
}

export function artifactNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such artifact or version.', {
    hint: 'Call list_artifacts for the names and their latest versions.',
    cause,
  });
}

export function memoryNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such memory.', {
    hint: 'Call list_memories or search_memory for the memories that there are.',
    cause,
  });
}

export function appNotFound(cause?: unknown): SessionError {
  return new SessionError('NOT_FOUND', 'There is no such app.', {
    hint: 'Call list_apps for the apps that there are.',
    cause,
  });
}

/** The caller's own session has this id. Another user's must not be told apart from a free one where ids are by user. */
export function sessionExists(cause?: unknown): SessionError {
  return new SessionError('ALREADY_EXISTS', 'There is a session with this sessionId.', {
    hint: 'Use get_session to go on with it, or create one under another id or without one.',
    cause,
  });
}

export function toolCallNotOpen(): SessionError {
  return new SessionError('NOT_FOUND', 'A toolCallId is not among the calls that wait for an answer.', {
    hint: 'Call list_tool_calls; the call may have been answered already.',
  });
}

/** The own id of an event, under which another event is stored. */
export function eventExists(): SessionError {
  return new SessionError('ALREADY_EXISTS', 'Another event has this eventId.', {
    hint: 'Read it with get_event; append this one under another eventId, or without one.',
  });
}
