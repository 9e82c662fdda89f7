import type { ChatConfig } from '../../src/agent/chat.ts';
import type { FakeChat } from '../fake/chat/server.ts';

/** An agent that speaks to the fake, with defaults of its own. */
export const chatConfig = ({ url }: FakeChat, more: Partial<ChatConfig> = {}): ChatConfig => ({
  kind: 'chat',
  name: 'helper',
  baseUrl: url,
  model: 'small',
  historyTokens: 4000,
  memories: 0,
  tools: [],
  timeoutMs: 5000,
  ...more,
});
