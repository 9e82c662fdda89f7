import { Role } from '@a2a-js/sdk';
import {
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
} from '@a2a-js/sdk/client';
import { textPart } from '../../fake/a2a/server.ts';
import { tokenOf } from '../http/requests.ts';

/** A fetch that sends a user's token. */
export const authorized =
  (user: string): typeof fetch =>
  (url, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${tokenOf(user)}`);
    return fetch(url, { ...init, headers });
  };

/** The SDK's own client, as a user or as anybody, for the app `default`. */
export async function clientFor(origin: string, user?: string) {
  const fetchImpl = user === undefined ? fetch : authorized(user);
  const factory = new ClientFactory(
    ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
      transports: [new JsonRpcTransportFactory({ fetchImpl })],
      cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
    }),
  );
  return factory.createFromUrl(origin, '/a2a/default/.well-known/agent-card.json');
}

export const message = (text: string, contextId = '', taskId = '', returnImmediately = false) => ({
  tenant: '',
  message: {
    messageId: crypto.randomUUID(),
    contextId,
    taskId,
    role: Role.ROLE_USER,
    parts: [textPart(text)],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: returnImmediately
    ? { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately }
    : undefined,
  metadata: undefined,
});
