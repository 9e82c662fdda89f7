import * as z from 'zod';

/** A tool call that an agent made and that nobody has answered yet. */
export const toolCallSchema = () =>
  z.object({
    id: z.string(),
    name: z.string().optional(),
    args: z.record(z.string(), z.unknown()).optional(),
    eventId: z.string(),
    author: z.string().optional(),
    invocationId: z.string().optional(),
    createTime: z.string().optional(),
    longRunning: z.boolean().optional(),
    masked: z.boolean().optional(),
  });
export type ToolCall = z.infer<ReturnType<typeof toolCallSchema>>;

/** The answer to one tool call. An error is the tool's own failure, told to the agent. */
export interface ToolOutput {
  toolCallId: string;
  output?: Record<string, unknown> | undefined;
  error?: string | undefined;
}
