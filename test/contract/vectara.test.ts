import { openVectara } from '../../src/backend/vectara/index.ts';
import { said } from '../fake/vectara/interact.ts';
import { type FakeOptions, ownerKey, startVectara } from '../fake/vectara/server.ts';
import { backendContract, type ContractOptions } from './backend.ts';

const lacks: NonNullable<ContractOptions['lacks']> = {
  labels: 'Vectara sessions have no labels.',
  revision: 'Vectara sessions have no revisions.',
  sharedState: 'Vectara metadata belongs to one session.',
  expiry: 'Vectara deletes idle sessions only.',
};

/** Runs the contract on the fake in one of the ways that Vectara's documents leave open. */
function contract(name: string, app: string, options: FakeOptions): void {
  backendContract(name, {
    lacks,
    async open() {
      const fake = await startVectara(options);
      const backend = await openVectara({ baseUrl: fake.url, credentials: { apiKey: ownerKey } });
      return {
        backend,
        app,
        async makeEvents(ref, count) {
          const texts = Array.from({ length: count }, (_, i) => `m${i}`);
          for (const text of texts) said(fake.session(ref.sessionId), text);
          return texts;
        },
        async close() {
          await backend.close();
          await fake.close();
        },
      };
    },
  });
}

contract('vectara', 'support', {});
contract('vectara, newest first', 'support', { order: 'desc', metadata: 'merge', tellsWhyHidden: false });
contract('vectara through an alias, in no order', 'alias:front-desk', { order: 'shuffled' });
