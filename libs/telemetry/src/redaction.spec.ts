import { expect, test } from '@jest/globals';
import { openLogger } from './logger.js';
import { redact } from './redaction.js';

const SECRET = 'hunter2secret';

test.each([
  `{"msg":"connect postgres://lockstep:${SECRET}@127.0.0.1:5432/eu failed"}`,
  `{"msg":"connect postgres://lockstep:p@${SECRET}@127.0.0.1:5432/eu failed"}`,
  `{"msg":"connect http://:${SECRET}@collector:4318"}`,
  `{"authorization":"Bearer ${SECRET}"}`,
  `{"req":{"headers":{"Authorization":"Basic ${SECRET}","x":1}}}`,
  `{"req":{"headers":{"set-cookie":["a=${SECRET}; Path=/","b"]}}}`,
  `{"password":"with \\"quote ${SECRET}"}`,
  `{"dbPassword" : "${SECRET}"}`,
  `{"api_key":"${SECRET}"}`,
  `{"msg":"body {\\"clientSecret\\":\\"${SECRET}\\"}"}`,
  `{"msg":"GET /x?a=1&access_token=${SECRET}&b=2"}`,
  `{"msg":"host=db user=eu password=${SECRET} dbname=x"}`,
  `{"msg":"sent authorization: bearer ${SECRET}"}`,
  `{"msg":"got eyJhbGciOi.eyJzdWIiOi${SECRET}.c2ln"}`,
])('no secret is left in %s', (line) => {
  expect(redact(line)).not.toContain(SECRET);
});

test('a number under a telling name is hidden too', () => {
  expect(redact('{"password":8472634,"a":1}')).toBe('{"password":"[hidden]","a":1}');
});

test('what is no secret stays, and the line stays JSON', () => {
  const line = `{"level":"warn","shard":"accounts/3","epoch":4,"code":"log-unreachable","msg":"http://127.0.0.1:7101/v1/shards unreachable, owner eu@home"}`;
  expect(redact(line)).toBe(line);
  const secret = `{"password":"x","url":"postgres://a:b@h:1/d","list":["postgres://a:b@h:1/d"],"n":1}`;
  expect(JSON.parse(redact(secret))).toEqual({
    password: '[hidden]',
    url: 'postgres://a:[hidden]@h:1/d',
    list: ['postgres://a:[hidden]@h:1/d'],
    n: 1,
  });
});

test('a long hostile line takes linear time: a quadratic pattern would exceed the limit of this test', () => {
  for (const part of [
    'password',
    '"password":"',
    'a://',
    'eyJ-',
    '\\"',
    'Bearer ',
    '"token":[',
    '-password',
    'x://a:',
  ]) {
    const line = part.repeat(500_000 / part.length);
    expect(redact(line)).toEqual(expect.any(String));
  }
});

test('a line of the logger is JSON with its origin, and secrets are out of messages, fields and errors', () => {
  const lines: string[] = [];
  const logger = openLogger(
    { level: 'info', service: 'lockstep', region: 'eu', role: 'gateway', instance: 'gateway-1' },
    { write: (line) => void lines.push(line) },
  );
  const err = new Error(`cannot reach postgres://lockstep:${SECRET}@127.0.0.1:5432/eu`);
  logger.error(
    { err, headers: { authorization: `Bearer ${SECRET}` }, shard: 'accounts/3', epoch: 4 },
    'lane failed',
  );
  logger.debug('not told at this level');
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain(SECRET);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'error',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    service: 'lockstep',
    region: 'eu',
    role: 'gateway',
    instance: 'gateway-1',
    shard: 'accounts/3',
    epoch: 4,
    msg: 'lane failed',
  });
});
