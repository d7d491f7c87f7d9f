import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { describeFindings } from '../configuration/described-schema.js';
import type { ConfigurationFinding } from '../configuration/described-schema.js';
import { showsTable, withTable } from '../configuration/meaning-table.js';
import { configurationTable, readRoleConfiguration, redactedConfiguration } from './configuration.js';
import type { RoleConfiguration } from './configuration.js';

const environment = {
  LOCKSTEP_ROLES: 'gateway',
  LOCKSTEP_REGION: 'eu',
  LOCKSTEP_CATALOGUE: 'infra/catalogue/sample',
  LOCKSTEP_POSTGRES_URL: 'postgres://lockstep:secret@127.0.0.1:5432/lockstep',
};

function valid(changes: { readonly [name: string]: string | undefined } = {}): RoleConfiguration {
  const reading = readRoleConfiguration({ ...environment, ...changes }, 'host-1');
  if (reading.kind === 'invalid') throw new Error(describeFindings(reading.findings));
  return reading.configuration;
}

function findings(changes: { readonly [name: string]: string | undefined }): readonly ConfigurationFinding[] {
  const reading = readRoleConfiguration({ ...environment, ...changes }, 'host-1');
  return reading.kind === 'invalid' ? reading.findings : [];
}

describe('role configuration', () => {
  test('needs four variables and knows the rest by itself', () => {
    expect(valid()).toEqual({
      roles: ['gateway'],
      region: 'eu',
      instance: 'host-1',
      catalogue: 'infra/catalogue/sample',
      listen: { host: '127.0.0.1', port: 7100 },
      postgresUrl: environment.LOCKSTEP_POSTGRES_URL,
      signingKeyFile: null,
      otlpUrl: null,
      tracesUrl: null,
      traceRatio: 0.01,
      auth: 'none',
      logLevel: 'info',
    });
  });

  test('takes several roles in any order, and everything else that may be set', () => {
    const set = {
      LOCKSTEP_ROLES: ' coordinator, gateway',
      LOCKSTEP_INSTANCE: 'eu-1.a_b',
      LOCKSTEP_LISTEN: '[::1]:0',
      LOCKSTEP_SIGNING_KEY_FILE: '/run/secrets/lockstep.pem',
      LOCKSTEP_OTLP_URL: 'http://127.0.0.1:4318',
      LOCKSTEP_TRACES_URL: 'https://jaeger.example.test',
      LOCKSTEP_TRACE_RATIO: '0.25',
      LOCKSTEP_LOG_LEVEL: 'silent',
    };
    expect(valid(set)).toMatchObject({
      roles: ['gateway', 'coordinator'],
      instance: 'eu-1.a_b',
      listen: { host: '::1', port: 0 },
      signingKeyFile: '/run/secrets/lockstep.pem',
      otlpUrl: 'http://127.0.0.1:4318',
      tracesUrl: 'https://jaeger.example.test',
      traceRatio: 0.25,
      logLevel: 'silent',
    });
  });

  test('cannot be changed afterwards', () => {
    expect(Object.isFrozen(valid())).toBe(true);
  });

  test('reads an empty variable as one that is not set', () => {
    expect(valid({ LOCKSTEP_OTLP_URL: '', LOCKSTEP_LISTEN: '' })).toMatchObject({
      otlpUrl: null,
      listen: { port: 7100 },
    });
  });

  test('does not mind what an orchestrator adds for a service of that name', () => {
    expect(valid({ LOCKSTEP_GATEWAY_SERVICE_HOST: '10.0.0.1' }).region).toBe('eu');
  });

  test.each([
    [
      'LOCKSTEP_ROLES',
      undefined,
      'LOCKSTEP_ROLES: is not set. Set it to a comma list of gateway, replicator, coordinator.',
    ],
    [
      'LOCKSTEP_ROLES',
      'gatway',
      'LOCKSTEP_ROLES: "gatway" is no role. Set it to a comma list of gateway, replicator, coordinator.',
    ],
    [
      'LOCKSTEP_ROLES',
      'gateway,',
      'LOCKSTEP_ROLES: "" is no role. Set it to a comma list of gateway, replicator, coordinator.',
    ],
    [
      'LOCKSTEP_ROLES',
      'gateway,gateway',
      'LOCKSTEP_ROLES: a role is named twice. Set it to a comma list of gateway, replicator, coordinator.',
    ],
    [
      'LOCKSTEP_REGION',
      'EU',
      'LOCKSTEP_REGION: "EU" is no name of a region. Set it to a region of topology.yaml.',
    ],
    ['LOCKSTEP_CATALOGUE', '', 'LOCKSTEP_CATALOGUE: is not set. Set it to the path of a folder.'],
    [
      'LOCKSTEP_AUTH',
      'jwt',
      'LOCKSTEP_AUTH: jwt is not available yet. Set it to none, together with a loopback LOCKSTEP_LISTEN.',
    ],
    [
      'LOCKSTEP_LOG_LEVEL',
      'loud',
      'LOCKSTEP_LOG_LEVEL: "loud" is no level. Set it to one of trace, debug, info, warn, error, fatal, silent.',
    ],
  ])('that is wrong names the variable, what is wrong and what to set: %s=%s', (name, value, line) => {
    expect(describeFindings(findings({ [name]: value }))).toBe(line);
  });

  test.each([
    '7100',
    '127.0.0.1',
    '127.0.0.1:65536',
    ':7100',
    'http://127.0.0.1:7100',
    '127.0.0.1:7100/x',
    '::1:7100',
  ])('refuses to listen at %s', (listen) => {
    expect(findings({ LOCKSTEP_LISTEN: listen })).toHaveLength(1);
  });

  test.each(['0.0.0.0:7100', '[::]:7100', '192.168.1.5:7100', 'example.com:7100', '127.example.com:7100'])(
    'without authentication never listens beyond loopback: %s',
    (listen) => {
      const [finding] = findings({ LOCKSTEP_LISTEN: listen });
      expect(finding).toMatchObject({
        variable: 'LOCKSTEP_LISTEN',
        set: 'a loopback address, for example 127.0.0.1:7100',
      });
      expect(finding?.wrong).toContain('can be reached from elsewhere');
    },
  );

  test.each(['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1'])(
    'knows that %s is loopback',
    (listen) => {
      expect(findings({ LOCKSTEP_LISTEN: listen })).toEqual([]);
    },
  );

  test('tells everything that is wrong at once', () => {
    const all = findings({ LOCKSTEP_ROLES: 'x', LOCKSTEP_REGION: undefined, LOCKSTEP_POSTGRES_URL: 'x' });
    expect(all.map(({ variable }) => variable)).toEqual([
      'LOCKSTEP_ROLES',
      'LOCKSTEP_REGION',
      'LOCKSTEP_POSTGRES_URL',
    ]);
  });

  test.each(['mysql://u:secret@h/db', 'secret', 'postgres:secret'])(
    'never repeats a URL that it refuses: %s',
    (url) => {
      const all = findings({ LOCKSTEP_POSTGRES_URL: url });
      expect(all).toHaveLength(1);
      expect(describeFindings(all)).not.toContain('secret');
    },
  );

  test('is printed without secrets', () => {
    const printed = redactedConfiguration(
      valid({
        LOCKSTEP_POSTGRES_URL: 'postgres://lockstep:secret@127.0.0.1:5432/lockstep?password=secret',
        LOCKSTEP_OTLP_URL: 'http://user:secret@127.0.0.1:4318/?key=secret',
        LOCKSTEP_LISTEN: '[::1]:7100',
      }),
    );
    expect(printed.LOCKSTEP_POSTGRES_URL).toBe('postgres://lockstep:***@127.0.0.1:5432/lockstep?***');
    expect(printed.LOCKSTEP_LISTEN).toBe('[::1]:7100');
    expect(JSON.stringify(printed)).not.toContain('secret');
  });
});

describe('the table of role configuration', () => {
  const page = 'before\n<!-- configuration:begin -->\nold\n<!-- configuration:end -->\nafter\n';

  test('has a line for every variable', () => {
    expect(configurationTable().split('\n')).toHaveLength(2 + 12);
    expect(configurationTable()).toContain(
      '| `LOCKSTEP_ROLES` | must be set | a comma list of gateway, replicator, coordinator |',
    );
    expect(configurationTable()).toContain('| `LOCKSTEP_LISTEN` | 127.0.0.1:7100 |');
  });

  test('stands in the README as it is now', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../../../README.md'), 'utf8');
    expect(showsTable(readme, configurationTable())).toBe(true);
  });

  test('is put between the markers of a page, and known to be there', () => {
    expect(showsTable(page, configurationTable())).toBe(false);
    const written = withTable(page, configurationTable());
    expect(written.startsWith('before\n') && written.endsWith('\nafter\n')).toBe(true);
    expect(showsTable(written, configurationTable())).toBe(true);
    expect(withTable(written, configurationTable())).toBe(written);
  });

  test('is the same however a formatter pads it', () => {
    const padded = withTable(page, configurationTable())
      .replaceAll(' | ', '     | ')
      .replaceAll('---', '------------');
    expect(showsTable(padded, configurationTable())).toBe(true);
  });

  test('needs one pair of markers', () => {
    expect(() => withTable('no markers', configurationTable())).toThrow('one pair of markers');
    expect(() => showsTable(page + page, configurationTable())).toThrow('one pair of markers');
  });
});
