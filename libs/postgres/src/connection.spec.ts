import { expect, test } from '@jest/globals';
import { assertRecent } from './connection.js';

test('a server that cannot merge within a statement is refused by its version, whichever its edition', () => {
  const ofVersion = (server_version_num: string) => () => assertRecent({ server_version_num });
  expect(ofVersion('170000')).not.toThrow();
  expect(ofVersion('180004')).not.toThrow();
  expect(ofVersion('160011')).toThrow('Postgres 17 or newer is needed, and this one is 16.');
  expect(ofVersion('90624')).toThrow('this one is 9.');
});
