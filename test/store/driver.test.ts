import { expect, test } from 'vitest';
import { loadDriver } from '../../src/store/driver.ts';

// Not literal, or the compiler would look for it too.
const missing = 'no-such-driver-of-a-store';

test('a driver that is not installed is named, with the command that installs it', async () => {
  // What Node.js throws; the test runner words it in its own way.
  const thrown = Object.assign(new Error(`Cannot find package '${missing}' imported from here`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
  await expect(loadDriver(missing, () => Promise.reject(thrown))).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: `This store needs the package "${missing}", which is not installed.`,
    hint: expect.stringContaining(`npm install ${missing}`),
  });
});

test('a driver that is there but broken fails with its own error', async () => {
  const other = Object.assign(new Error("Cannot find package 'else' imported from it"), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
  await expect(loadDriver(missing, () => Promise.reject(other))).rejects.toBe(other);
  const broken = new TypeError('broken');
  await expect(loadDriver(missing, () => Promise.reject(broken))).rejects.toBe(broken);
});
