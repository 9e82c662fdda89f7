// Which room may import which: data flows one way, from the transport down to the store or the wire.

/** The rooms of src/, from the top floor down. A room imports its own files and those of lower floors. */
const floors = [
  ['main', 'launcher'],
  ['cli'],
  ['config'],
  ['server'],
  ['tools'],
  ['transfer', 'run'],
  ['backend/local', 'backend/agent-engine', 'backend/adk', 'backend/vectara'],
  ['backend/shared', 'agent', 'embeddings'],
  ['backend/types', 'adapters'],
  ['store', 'net', 'page'],
  ['model', 'errors', 'log', 'version'],
];

const pathOf = (rooms) => `^src/(${rooms.join('|')})(/|\\.c?[jt]s$)`;
const paths = floors.map(pathOf);

/** Nothing imports a floor above its own. */
const upward = floors.slice(1).map((rooms, above) => ({
  name: `no-import-up-from-${rooms.join('-').replaceAll('/', '-')}`,
  severity: 'error',
  from: { path: pathOf(rooms) },
  to: { path: paths.slice(0, above + 1) },
}));

/** Rooms on one floor do not know each other; the ground floor is one room. */
const sideways = floors
  .filter((rooms) => rooms.length > 1 && !rooms.includes('model'))
  .flatMap((rooms) =>
    rooms.map((room) => ({
      name: `no-import-sideways-from-${room.replace('/', '-')}`,
      severity: 'error',
      from: { path: pathOf([room]) },
      to: { path: pathOf(rooms.filter((other) => other !== room)) },
    })),
  );

export default {
  forbidden: [
    ...upward,
    ...sideways,
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'every-room-has-a-floor',
      comment: 'A new room of src/ gets its place in the list of floors.',
      severity: 'error',
      from: { path: '^src/', pathNot: paths },
      to: {},
    },
    {
      name: 'mcp-sdk-only-in-server',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(server|page)/' },
      to: { path: 'node_modules/@modelcontextprotocol/' },
    },
    {
      name: 'no-tests-in-product',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples)/' },
    },
    {
      name: 'no-dev-dependency-in-product',
      comment:
        'But what the build puts into dist/, the exporter behind /metrics and what the session page is made with, and drivers of databases, which are optional peers.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev'],
        pathNot:
          'node_modules/(@opentelemetry/(sdk-metrics|exporter-prometheus)|preact|@preact/signals|marked|pg|redis)/',
      },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
