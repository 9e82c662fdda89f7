import { once } from '../../model/once.ts';
import { allTools, argumentsOf, type ListedTool } from '../../tools/index.ts';
import type { Tool } from '../../tools/support/define.ts';
import { memberSchema, type PublishedSchema, published } from './schema.ts';

/** The JSON Schemas of a tool with all arguments that it may have. */
interface ToolSchemas {
  input: PublishedSchema;
  output: PublishedSchema;
}

/** The JSON text of `makeSchemas()`, which the build puts here. */
declare const BUILT_SCHEMAS: string;

/** The schemas of all tools by their names, for the build. */
export const makeSchemas = (): Record<string, ToolSchemas> =>
  Object.fromEntries(allTools.map((tool) => [tool.name, schemasFrom(tool)]));

const schemasFrom = (tool: Tool): ToolSchemas => ({
  input: published(argumentsOf(tool), 'input'),
  output: published(tool.output().shape, 'output'),
});

/**
 * The build makes the schemas of all tools: that takes longer than all else that this server does before it answers the
 * first tools/list. A server that runs from its sources makes each when it is asked for.
 */
const known = once(
  (): Record<string, ToolSchemas> => (typeof BUILT_SCHEMAS === 'string' ? JSON.parse(BUILT_SCHEMAS) : {}),
);

function schemasOf(tool: Tool): ToolSchemas {
  const schemas = known();
  schemas[tool.name] ??= schemasFrom(tool);
  return schemas[tool.name] as ToolSchemas;
}

/** The schemas of a tool as a surface publishes it. */
export function listedSchemas({ tool, hidden, added }: ListedTool): ToolSchemas {
  const { input, output } = schemasOf(tool);
  const { required, ...rest } = input;
  const shown = (name: string) => !hidden.includes(name);
  const properties = [
    ...Object.entries(input.properties ?? {}).filter(([name]) => shown(name)),
    ...Object.entries(added).map(([name, make]) => [name, memberSchema(make())]),
  ];
  return {
    input: {
      ...rest,
      properties: Object.fromEntries(properties),
      ...(required === undefined ? {} : { required: required.filter(shown) }),
    },
    output,
  };
}
