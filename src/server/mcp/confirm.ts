import {
  createRequestStateCodec,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type RequestStateCodec,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Tool, ToolContext } from '../../tools/support/define.ts';

/** What a question to the user is about. The client sends it back, signed by this server. */
interface Asked {
  tool: string;
  about: string;
  version: string;
}

const answerSchema = z.object({ confirm: z.boolean().meta({ title: 'Yes, do it' }) });

/** Signs questions. It is made for the first: most servers, one for each request over HTTP, ask none. */
export function confirmationCodec(
  secret: Buffer,
  who: (ctx: ServerContext) => string,
): RequestStateCodec<Asked> {
  let made: RequestStateCodec<Asked> | undefined;
  const codec = () => {
    made ??= createRequestStateCodec<Asked>({ key: secret, ttlSeconds: 600, bind: who });
    return made;
  };
  return {
    mint: (asked, ctx) => codec().mint(asked, ctx),
    verify: (state, ctx) => codec().verify(state, ctx),
  };
}

/**
 * Decides whether a destructive tool may run. If the client can ask its user, the user is asked. The answer counts only
 * with the signed state of its question, and only while the object has the version that the question was about. For
 * other clients the argument `confirm: true` is enough.
 * @returns undefined when the tool may run, else the question to send
 * @throws SessionError CANCELLED when the user declined, FAILED_PRECONDITION when nobody was asked
 */
export async function settleConfirmation(
  tool: Tool,
  args: JsonObject,
  ctx: ToolContext,
  mcp: { server: McpServer; ctx: ServerContext; codec: RequestStateCodec<Asked> },
): Promise<InputRequiredResult | undefined> {
  if (tool.confirm === undefined) return undefined;
  const { question, version } = await tool.confirm(args, ctx);
  if (!canAsk(mcp.server, mcp.ctx)) {
    if (args.confirm === true) return undefined;
    throw new SessionError(
      'FAILED_PRECONDITION',
      'The call needs the user’s confirmation. Nothing was done.',
      {
        hint: `Ask the user: ${question} If they agree, call again with confirm: true.`,
      },
    );
  }
  const about = JSON.stringify([ctx.backend.name, ctx.owner, args]);
  const asked = mcp.ctx.mcpReq.requestState<Asked>();
  const answer = inputResponse(mcp.ctx.mcpReq.inputResponses, 'confirm');
  const isAnswer = asked?.tool === tool.name && asked.about === about && asked.version === version;
  if (isAnswer && answer.kind === 'elicit') {
    if (answer.action === 'accept' && answer.content?.confirm === true) return undefined;
    throw new SessionError('CANCELLED', 'The user did not agree. Nothing was done.', {
      hint: 'Do not repeat the call unless the user asks for it.',
    });
  }
  return inputRequired({
    inputRequests: { confirm: inputRequired.elicit({ message: question, requestedSchema: answerSchema }) },
    requestState: await mcp.codec.mint({ tool: tool.name, about, version }, mcp.ctx),
  });
}

/** Whether the client of this call can show its user a form. */
function canAsk(server: McpServer, ctx: ServerContext): boolean {
  const envelope: unknown = ctx.mcpReq.envelope;
  const modern = isObject(envelope) ? envelope['io.modelcontextprotocol/clientCapabilities'] : undefined;
  const capabilities = modern ?? server.server.getClientCapabilities();
  if (!isObject(capabilities) || !isObject(capabilities.elicitation)) return false;
  // Clients of 2025 declare forms by an empty object.
  return Object.keys(capabilities.elicitation).length === 0 || isObject(capabilities.elicitation.form);
}
