import { readFileSync } from 'node:fs';

/** The vendored form of Google's descriptors; see src/backend/agent-engine/descriptors/NOTICE.md. */
export interface Field {
  type: string;
  /** The type of the keys, for a map. */
  map?: string;
  repeated?: boolean;
  /** Whether an unset field differs from one with its default. */
  presence?: boolean;
  behavior?: string;
}

interface Message {
  fields: Record<string, Field>;
  oneofs?: Record<string, string[]>;
}

export interface Method {
  service: string;
  request: string;
  response: string;
  stream?: boolean;
  operation?: { response: string; metadata: string };
  http: { verb: string; path: string; body?: string }[];
}

export interface Schema {
  methods: Record<string, Method>;
  messages: Record<string, Message>;
  enums: Record<string, string[]>;
}

export const schema = JSON.parse(
  readFileSync(
    new URL('../../../src/backend/agent-engine/descriptors/v1beta1.json', import.meta.url),
    'utf8',
  ),
) as Schema;

/**
 * Fields that the live service accepts but its older descriptors do not have (docs/protocols/agent-engine.md, "Memory
 * Bank"). The fake accepts, drops and notes them, so that tests see whether our own client depends on them.
 */
export const liveExtras: Record<string, readonly string[]> = {
  Memory: [
    'topics',
    'metadata',
    'revisionLabels',
    'revisionExpireTime',
    'revisionTtl',
    'disableMemoryRevisions',
    'memoryType',
    'structuredContent',
  ],
  GenerateMemoriesRequest: [
    'revisionLabels',
    'revisionTtl',
    'revisionExpireTime',
    'disableMemoryRevisions',
    'metadata',
    'metadataMergeStrategy',
    'allowedTopics',
  ],
  RetrieveMemoriesRequest: ['filter', 'filterGroups', 'memoryTypes'],
  ListMemoriesRequest: ['orderBy'],
  // @google/adk 2.0.0 sends it with every event.
  EventActions: ['requestedToolConfirmations'],
};
