/**
 * Answers of the service, recorded in 2026 by adk-go as gRPC traffic (docs/protocols/agent-engine.md) and written
 * here as proto3 JSON.
 */
const engine = 'projects/69593958020/locations/us-central1/reasoningEngines/1490000000000000001';
const home = 'type.googleapis.com/google.cloud.aiplatform.v1beta1';

export const createDone = {
  name: `${engine}/sessions/6527000000000000001/operations/7930000000000000001`,
  metadata: {
    '@type': `${home}.CreateSessionOperationMetadata`,
    genericMetadata: {
      createTime: '2026-06-09T14:07:56.710856Z',
      updateTime: '2026-06-09T14:07:56.710856Z',
    },
  },
  done: true,
  response: {
    '@type': `${home}.Session`,
    name: `${engine}/sessions/6527000000000000001`,
    createTime: '2026-06-09T14:07:56.704955Z',
    updateTime: '2026-06-09T14:07:56.704955Z',
    userId: 'user1',
  },
};

export const session = {
  name: `${engine}/sessions/6527000000000000001`,
  createTime: '2026-06-09T14:07:56.696284Z',
  updateTime: '2026-06-09T14:07:57.352949Z',
  sessionState: { 'app:k1': 'v1', 'user:k2': 'v2', topic: 'tea' },
  userId: 'user1',
  expireTime: '2027-06-09T14:07:56.690971Z',
};

/** March 2026: another user's key shows as null, and what is unset as an empty message. */
export const oldSession = {
  name: `${engine}/sessions/1`,
  createTime: '2026-03-23T10:00:00Z',
  updateTime: '2026-03-23T10:00:00Z',
  labels: {},
  sessionState: { 'user:k1': null, 'app:k': 'v' },
  userId: 'u2',
  expireTime: '2027-03-23T10:00:00Z',
};

export const event = {
  name: `${engine}/sessions/6527000000000000001/events/4271662949480792064`,
  author: 'test_agent',
  invocationId: 'e-1',
  timestamp: '2026-11-21T09:00:00.123Z',
  content: { role: 'user', parts: [{ text: 'I like tea' }] },
  actions: {
    stateDelta: { topic: 'tea', 'user:lang': 'en', 'app:v': 2, 'temp:k1': 'v1' },
    artifactDelta: { 'a.txt': 1 },
    transferAgent: 'other',
    escalate: true,
  },
  eventMetadata: {
    turnComplete: true,
    branch: 'root',
    longRunningToolIds: ['call-1'],
    customMetadata: { src: 'mcp', _usage_metadata: { totalTokenCount: 5 } },
  },
};

export const emptyEvent = {
  name: `${engine}/sessions/1/events/2`,
  author: 'user',
  invocationId: 'e-1',
  timestamp: '0001-01-01T00:00:00Z',
  content: {},
  actions: { artifactDelta: {} },
  eventMetadata: {},
};

/** An event as ADK for JavaScript stores it. Id, time, turn and author come from the envelope; times are milliseconds. */
export const rawEventJs = {
  name: `${engine}/sessions/1/events/3`,
  author: 'agent',
  invocationId: 'e-2',
  timestamp: '2026-08-24T10:00:00.500Z',
  content: { role: 'model', parts: [{ text: 'short' }] },
  rawEvent: {
    id: 'uuid-js',
    author: 'somebody else',
    invocationId: 'other',
    timestamp: 1787565600500,
    content: { role: 'model', parts: [{ text: 'short', partMetadata: { a: 1 } }] },
    actions: { stateDelta: {}, artifactDelta: {}, transferToAgent: 'b', requestedToolConfirmations: {} },
    usageMetadata: { totalTokenCount: 7 },
    longRunningToolIds: [],
    customMetadata: { note: 'x' },
    output: { ignored: true },
  },
};

/** An event as ADK for Python stores it: snake_case, times in seconds. */
export const rawEventPython = {
  name: `${engine}/sessions/1/events/4`,
  author: 'agent',
  invocationId: 'e-3',
  timestamp: '2026-08-24T10:00:01Z',
  rawEvent: {
    id: 'uuid-py',
    author: 'agent',
    invocation_id: 'e-3',
    timestamp: 1787565601.25,
    turn_complete: true,
    content: {
      role: 'model',
      parts: [
        {
          function_call: { id: 'c1', name: 'find', args: { snake_key: 1, camelKey: 2 } },
          thought_signature: 'c2ln',
        },
        { inline_data: { mime_type: 'image/png', data: 'iVBORw0K' } },
      ],
    },
    actions: { state_delta: { snake_key: 1 }, artifact_delta: {}, transfer_to_agent: 'b' },
    long_running_tool_ids: ['c1'],
    usage_metadata: { total_token_count: 3 },
    error_code: null,
  },
};

export const memory = {
  name: `${engine}/memories/77`,
  fact: 'The user likes tea',
  scope: { user_id: 'u1' },
  createTime: '2026-06-09T14:07:56.696284Z',
  updateTime: '2026-06-09T14:07:57.352949Z',
};

export const generated = {
  generatedMemories: [
    { memory: { name: `${engine}/memories/77`, fact: 'The user likes tea' }, action: 'CREATED' },
    { memory: { name: `${engine}/memories/78` }, action: 'UPDATED' },
    { memory: { name: `${engine}/memories/79` }, action: 'DELETED' },
  ],
};

export const retrieved = { retrievedMemories: [{ memory, distance: 0.61 }] };

/** The answer of an engine whose agent cannot find its session, as users have reported it. */
export const innerNotFound = {
  error: {
    code: 400,
    message:
      "Reasoning Engine Execution failed.\nPlease refer to our documentation (https://cloud.google.com/vertex-ai/generative-ai/docs/agent-engine/troubleshooting/use) for checking logs and other troubleshooting tips.\nError Details: {\"detail\":\"Agent Engine Error: An error occurred during invocation. Exception: 404 NOT_FOUND. {'error': {'code': 404, 'message': 'Session projects/some-project/locations/us-central1/reasoningEngines/3765669545214214144/sessions/7177615616973471745 not found.', 'status': 'NOT_FOUND'}}\\nRequest Data: {'session_id': '7177615616973471745', 'user_id': 'u_12345_non_existing'}\"}",
    status: 'FAILED_PRECONDITION',
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.DebugInfo',
        detail: '[ORIGINAL ERROR] generic::failed_precondition: u_12345_non_existing',
      },
    ],
  },
};
