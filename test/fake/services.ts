import { startFake } from './adk/server.ts';
import { typescript } from './adk/typescript.ts';
import { startAgentEngine } from './agent-engine/server.ts';
import { projectId } from './agent-engine/store.ts';
import { ownerKey, startVectara } from './vectara/server.ts';

/** A fake of each service, and the variables by which the program reaches it. */
export async function startServices() {
  const [google, adk, vectara] = await Promise.all([
    startAgentEngine(),
    startFake(typescript),
    startVectara({}),
  ]);
  return {
    google,
    adk,
    vectara,
    env: {
      AGENT_ENGINE_BASE_URL: google.url,
      GOOGLE_CLOUD_PROJECT: projectId,
      GOOGLE_CLOUD_AGENT_ENGINE_ID: google.engine.id,
      ADK_API_SERVER_URL: adk.url,
      ADK_APP: 'echo_agent',
      VECTARA_BASE_URL: vectara.url,
      VECTARA_API_KEY: ownerKey,
      VECTARA_AGENT: 'support',
    },
    close: () => Promise.all([google.close(), adk.close(), vectara.close()]),
  };
}
