import { openAdk } from '../../src/backend/adk/index.ts';
import { adkSubject, lacksOf } from '../fake/adk/contract.ts';
import { go } from '../fake/adk/go.ts';
import { java } from '../fake/adk/java.ts';
import { python } from '../fake/adk/python.ts';
import { startFake } from '../fake/adk/server.ts';
import { typescript } from '../fake/adk/typescript.ts';
import { backendContract } from './backend.ts';

for (const [name, voice] of Object.entries({ typescript, python, go, java }))
  backendContract(`adk on a ${name} server`, {
    lacks: lacksOf(name),
    async open() {
      const fake = await startFake(voice);
      return adkSubject(await openAdk({ baseUrl: fake.url }), () => fake.close());
    },
  });
