import { openAdk } from '../../../src/backend/adk/index.ts';
import { adkBehaviour } from '../../fake/adk/behaviour.ts';
import { go, goWithPatch } from '../../fake/adk/go.ts';
import { java } from '../../fake/adk/java.ts';
import { python, python2025 } from '../../fake/adk/python.ts';
import { startFake, type Voice } from '../../fake/adk/server.ts';
import { traits } from '../../fake/adk/traits.ts';
import { typescript } from '../../fake/adk/typescript.ts';

const open = (voice: Voice) => async () => {
  const fake = await startFake(voice);
  const backend = await openAdk({ baseUrl: fake.url });
  return {
    backend,
    async close() {
      await backend.close();
      await fake.close();
    },
  };
};

adkBehaviour('fake TypeScript server', traits.typescript, open(typescript));
adkBehaviour('fake Python server', traits.python, open(python));
adkBehaviour('fake Python server of 2025', traits.python, open(python2025));
adkBehaviour('fake Go server', traits.go, open(go));
adkBehaviour('fake Go server with PATCH', traits.goWithPatch, open(goWithPatch));
adkBehaviour('fake Java server', traits.java, open(java));
