import { describe, expect, it } from 'vitest';
import { type EventContext, toEvent } from '../../../src/backend/vectara/map-event.ts';
import { artifactIdOf, sha256Of, toArtifact, toSession } from '../../../src/backend/vectara/map-session.ts';
import { microsField } from '../../../src/backend/vectara/wire.ts';
import { contentFault, eventSchema } from '../../../src/model/event.ts';
import type { JsonObject } from '../../../src/model/json.ts';
import { sessionSchema } from '../../../src/model/session.ts';

const context: EventContext = {
  agent: 'support',
  invocationId: 'ase_1',
  unmask: false,
  now: () => Date.UTC(2026, 10, 21),
};

const base = {
  id: 'aev_1',
  session_key: 'ase_1',
  created_at: '2026-11-21T09:30:00.123456Z',
  x_added_later: { any: ['thing'] },
};

const common = { id: 'aev_1', invocationId: 'ase_1', timestamp: '2026-11-21T09:30:00.123Z' };
const names = { tool_call_id: 'call_1', tool_configuration_name: 'customer_search', tool_name: 'web_search' };

// Objects as Vectara's OpenAPI file of 2026-07 describes them (docs/protocols/vectara.md, "Events"), and their mapping.
const cases: [string, JsonObject, JsonObject][] = [
  [
    'input_message',
    {
      messages: [
        { type: 'text', content: 'I need help' },
        { type: 'skill', skill_name: 'code_review' },
        { type: 'hologram', shape: 7 },
      ],
      message_diffs: ['x', 'y', 'z'],
    },
    {
      author: 'user',
      content: {
        role: 'user',
        parts: [
          { text: 'I need help' },
          { text: '/code_review', partMetadata: { type: 'skill', skillName: 'code_review' } },
          { text: '' },
        ],
      },
      customMetadata: { vectara: { type: 'input_message' } },
    },
  ],
  [
    'thinking',
    { content: 'Let me see' },
    {
      author: 'support',
      content: { role: 'model', parts: [{ text: 'Let me see', thought: true }] },
      customMetadata: { vectara: { type: 'thinking' } },
    },
  ],
  ['thinking', {}, { author: 'support', customMetadata: { vectara: { type: 'thinking' } } }],
  [
    'tool_input',
    { ...names, tool_input: { query: 'tea', api_key: 'x' }, argument_override_paths: ['api_key'] },
    {
      author: 'support',
      content: {
        role: 'model',
        parts: [
          { functionCall: { id: 'call_1', name: 'web_search', args: { query: 'tea', api_key: '****' } } },
        ],
      },
      customMetadata: {
        vectara: {
          type: 'tool_input',
          toolConfigurationName: 'customer_search',
          overriddenArguments: ['api_key'],
        },
      },
    },
  ],
  [
    'tool_output',
    {
      ...names,
      tool_output: { result: 'sunny' },
      error: true,
      resolved_argument_overrides: { api_key: '****' },
    },
    {
      author: 'support',
      content: {
        role: 'user',
        parts: [{ functionResponse: { id: 'call_1', name: 'web_search', response: { result: 'sunny' } } }],
      },
      customMetadata: {
        vectara: {
          type: 'tool_output',
          toolConfigurationName: 'customer_search',
          error: true,
          overriddenArguments: ['api_key'],
        },
      },
    },
  ],
  [
    'agent_output',
    { content: 'Hello!' },
    {
      author: 'support',
      content: { role: 'model', parts: [{ text: 'Hello!' }] },
      customMetadata: { vectara: { type: 'agent_output' } },
    },
  ],
  [
    'structured_output',
    { schema_name: 'order', content: { result: 'success', data: [1] } },
    {
      author: 'support',
      content: { role: 'model', parts: [{ text: '{"result":"success","data":[1]}' }] },
      customMetadata: { vectara: { type: 'structured_output', schemaName: 'order' } },
    },
  ],
  [
    'skill_load',
    { skill_name: 'code_review', content: 'You review.' },
    {
      author: 'support',
      content: {
        role: 'model',
        parts: [{ text: 'You review.', thought: true, partMetadata: { type: 'skill_load' } }],
      },
      customMetadata: { vectara: { type: 'skill_load', skillName: 'code_review' } },
    },
  ],
  [
    'artifact_upload',
    {
      artifacts: [
        {
          artifact_id: 'art_report_a3f2',
          filename: 'report.pdf',
          mime_type: 'application/pdf',
          size_bytes: 9,
        },
        { artifact_id: '../x', filename: 'evil' },
      ],
      agent_upload_message: 'frozen',
    },
    {
      author: 'user',
      content: {
        role: 'user',
        parts: [
          {
            fileData: {
              fileUri: 'artifact:art_report_a3f2/report.pdf',
              mimeType: 'application/pdf',
              displayName: 'report.pdf',
            },
          },
        ],
      },
      actions: { artifactDelta: { 'art_report_a3f2/report.pdf': 0 } },
      customMetadata: { vectara: { type: 'artifact_upload' } },
    },
  ],
  [
    'image_read',
    { artifact_id: 'art_photo_a3f2', detail: 'low' },
    {
      author: 'support',
      content: { role: 'model', parts: [{ fileData: { fileUri: 'artifact:art_photo_a3f2' } }] },
      customMetadata: { vectara: { type: 'image_read', detail: 'low' } },
    },
  ],
  [
    'step_transition',
    { from_step: 'triage', to_step: 'billing', content: 'Over to billing.' },
    {
      author: 'support',
      content: {
        role: 'model',
        parts: [{ text: 'Over to billing.', thought: true, partMetadata: { type: 'step_transition' } }],
      },
      customMetadata: { vectara: { type: 'step_transition', fromStep: 'triage', toStep: 'billing' } },
    },
  ],
  [
    'compaction',
    { turns_compacted: 5, events_compacted: 47, summary_key: 'sum_1', summary_text: 'They spoke.' },
    {
      author: 'support',
      content: {
        role: 'model',
        parts: [{ text: 'They spoke.', thought: true, partMetadata: { type: 'compaction' } }],
      },
      customMetadata: {
        vectara: { type: 'compaction', turnsCompacted: 5, eventsCompacted: 47, summaryKey: 'sum_1' },
      },
    },
  ],
  [
    'context_limit_exceeded',
    { message: 'too long', context_limit: 128000, actual_tokens: 140658 },
    {
      author: 'support',
      errorCode: 'CONTEXT_LIMIT_EXCEEDED',
      errorMessage: 'too long',
      customMetadata: {
        vectara: { type: 'context_limit_exceeded', contextLimit: 128000, actualTokens: 140658 },
      },
    },
  ],
  [
    'session_interrupted',
    {},
    { author: 'support', interrupted: true, customMetadata: { vectara: { type: 'session_interrupted' } } },
  ],
  [
    'client_tool_pending',
    {
      pending_calls: [
        {
          event_id: 'aev_7',
          tool_configuration_name: 'n',
          tool_name: 'notify',
          arguments: { token: 'secret' },
        },
      ],
    },
    {
      author: 'support',
      content: {
        role: 'model',
        parts: [{ functionCall: { id: 'aev_7', name: 'notify', args: { token: '****' } } }],
      },
      longRunningToolIds: ['aev_7'],
      customMetadata: { vectara: { type: 'client_tool_pending' } },
    },
  ],
  [
    'type_of_tomorrow',
    { content: 'plain words', token: 'secret', nested: { token: 'secret' } },
    {
      author: 'support',
      content: {
        role: 'model',
        parts: [{ text: 'plain words', thought: true, partMetadata: { type: 'unknown' } }],
      },
      customMetadata: { vectara: { type: 'type_of_tomorrow' } },
    },
  ],
];

describe('events', () => {
  it.each(cases)('%s', (type, own, wanted) => {
    const event = toEvent({ ...base, type, ...own }, context);
    expect(event).toEqual({ ...common, ...wanted });
    expect(eventSchema().parse(event)).toEqual(event);
    if (event.content !== undefined) expect(contentFault(event.content)).toBeUndefined();
  });

  it('that are hidden say so, with whatever reason there is', () => {
    const wire = { ...base, type: 'agent_output', content: 'x' };
    for (const reason of ['manual', 'compacted', 'anything else'])
      expect(toEvent({ ...wire, hide_reason: reason }, context)).toMatchObject({
        hidden: true,
        hideReason: reason,
      });
    expect(toEvent({ ...wire, hidden: true }, context)).toMatchObject({ hidden: true });
    for (const reason of [null, undefined, 7])
      expect(toEvent({ ...wire, hide_reason: reason }, context)).not.toHaveProperty('hidden');
  });

  it('of any shape become events', () => {
    const shapes: JsonObject[] = [
      {},
      { type: 'input_message' },
      { type: 'input_message', messages: [null, 7, 'x', {}] },
      { type: 'tool_input', tool_input: 'text', argument_override_paths: 'x', tool_name: 7 },
      { type: 'tool_output', tool_output: [1], resolved_argument_overrides: [] },
      { type: 'artifact_upload', artifacts: {} },
      { type: 'artifact_upload', artifacts: [null, {}, { artifact_id: 7 }] },
      { type: 'client_tool_pending', pending_calls: [null, {}, { arguments: [] }] },
      { type: 'structured_output' },
      { type: '__proto__', content: {} },
      { type: 7, id: 7, created_at: 'yesterday' },
    ];
    for (const shape of shapes) {
      const event = toEvent(shape, context);
      expect(eventSchema().safeParse(event).success, JSON.stringify(shape)).toBe(true);
      expect(Date.parse(event.timestamp)).not.toBeNaN();
    }
  });
});

describe('sessions', () => {
  const wire = {
    key: 'ase_1',
    agent_key: 'support',
    name: 'Customer Support Session',
    metadata: { customer_id: '12345', end_user_id: 'ada' },
    enabled: true,
    status: 'stopped',
    tti_minutes: 60,
    secrets: { token: '****' },
    created_at: '2024-01-15T10:30:00Z',
    session_context_usage: { total_tokens: 9 },
  };

  it('have their metadata as state, without the owner', () => {
    const session = toSession(wire, 'support');
    expect(session).toEqual({
      id: 'ase_1',
      app: 'support',
      userId: 'ada',
      displayName: 'Customer Support Session',
      labels: { status: 'stopped', enabled: 'true', tti_minutes: '60' },
      state: { customer_id: '12345' },
      createTime: '2024-01-15T10:30:00.000Z',
      updateTime: '2024-01-15T10:30:00.000Z',
    });
    expect(sessionSchema().parse(session)).toEqual(session);
  });

  it('without an owner are none', () => {
    for (const metadata of [
      undefined,
      null,
      {},
      [],
      { end_user_id: null },
      { end_user_id: 1 },
      { end_user_id: '' },
    ])
      expect(toSession({ ...wire, metadata }, 'support')).toBeUndefined();
    // Names of members that every object inherits.
    expect(
      toSession({ ...wire, metadata: Object.create({ end_user_id: 'ada' }) as JsonObject }, 'support'),
    ).toBe(undefined);
  });
});

describe('artifacts', () => {
  const wire = {
    artifact_id: 'art_report_pdf_a3f2',
    filename: 'report.pdf',
    mime_type: 'application/pdf',
    size_bytes: 2048576,
    checksum_sha256: 'A3F2B1C4D5E6F7A8B9C0D1E2F3A4B5C6D7E8F9A0B1C2D3E4F5A6B7C8D9E0F1A2',
    created_at: '2024-01-15T10:35:00Z',
  };

  it('are named by their id and their file name', () => {
    expect(toArtifact(wire)).toEqual({
      name: 'art_report_pdf_a3f2/report.pdf',
      version: 0,
      mimeType: 'application/pdf',
      sizeBytes: 2048576,
      sha256: wire.checksum_sha256.toLowerCase(),
      createTime: '2024-01-15T10:35:00.000Z',
    });
    expect(artifactIdOf('art_report_pdf_a3f2/dir/report.pdf')).toBe('art_report_pdf_a3f2');
    expect(artifactIdOf('report.pdf')).toBeUndefined();
    for (const id of ['art_../x', 'art_A', '../art_x', 7, undefined])
      expect(toArtifact({ ...wire, artifact_id: id })).toBeUndefined();
  });

  it('have checksums in either writing', () => {
    const bytes = Buffer.alloc(32, 7);
    expect(sha256Of({ checksum_sha256: bytes.toString('base64') })).toBe(bytes.toString('hex'));
    expect(sha256Of({ checksum_sha256: bytes.toString('hex') })).toBe(bytes.toString('hex'));
    expect(sha256Of({ checksum_sha256: 'abc' })).toBeUndefined();
  });
});

it('times are told apart to the microsecond', () => {
  const micros = (at: string) => microsField({ at }, 'at');
  expect(micros('2026-11-21T09:00:00.000001Z') - micros('2026-11-21T09:00:00Z')).toBe(1);
  expect(micros('2026-11-21T09:00:00.1Z') - micros('2026-11-21T09:00:00Z')).toBe(100_000);
  expect(micros('2026-11-21T09:00:00.123456789Z') - micros('2026-11-21T09:00:00.123456Z')).toBe(0);
  expect(micros('2026-11-21T11:00:00.5+02:00') - micros('2026-11-21T09:00:00Z')).toBe(500_000);
});
