import * as z from 'zod';

/**
 * One remembered fact. The scope is matched exactly, key set and values (docs/protocols/agent-engine.md,
 * Memory Bank).
 */
export const memorySchema = () =>
  z.object({
    id: z.string(),
    fact: z.string(),
    scope: z.record(z.string(), z.string()).optional(),
    createTime: z.string().optional(),
    updateTime: z.string().optional(),
    /** Higher is closer. */
    score: z.number().optional(),
    /** Lower is closer. */
    distance: z.number().optional(),
    source: z
      .object({ sessionId: z.string(), eventId: z.string().optional(), author: z.string().optional() })
      .meta({ brief: true })
      .optional(),
  });
export type Memory = z.infer<ReturnType<typeof memorySchema>>;

export type MemoryScope = Record<string, string>;
