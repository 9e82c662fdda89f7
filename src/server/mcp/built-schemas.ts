import { allTools } from '../../tools/index.ts';
import { app, userId } from '../../tools/support/args.ts';
import { learnSchemas, type MemberSchema, memberSchema } from './schema.ts';

/** The JSON text of `makeSchemas()`, which the build puts here. */
declare const BUILT_SCHEMAS: string;

/** The members of all tools' arguments and results, always in the same order. */
const membersOfTools = () => [
  ...new Set([
    app,
    userId,
    ...allTools.flatMap(({ input, output }) => [input, output.shape].flatMap(Object.values)),
  ]),
];

/** The JSON Schemas of what tools publish, for the build. */
export const makeSchemas = (): MemberSchema[] => membersOfTools().map(memberSchema);

/**
 * Learns the schemas that were made by the build: to make them takes longer than all else that this server does before it
 * answers the first tools/list. A server that runs from its sources makes them when they are asked for.
 */
export function learnBuiltSchemas(): void {
  if (typeof BUILT_SCHEMAS === 'string')
    learnSchemas(membersOfTools(), JSON.parse(BUILT_SCHEMAS) as MemberSchema[]);
}
