import { describe, expect, test } from '@jest/globals';
import { OutboxError } from '@lockstep/nest';
import { saveFailure } from './save-failure.js';

describe('a customer who could not be saved', () => {
  test('because another region is his home is told which one', () => {
    const failure = saveFailure(
      new OutboxError('not-owner', 'this region does not own customers/0', { home: 'us' }),
    );
    expect(failure.getStatus()).toBe(421);
    expect(failure.getResponse()).toMatchObject({
      statusCode: 421,
      code: 'not-owner',
      home: 'us',
      message: expect.stringContaining('home region'),
    });
  });

  test.each(['backlog-full', 'not-ready', 'moving'] as const)('because of %s may come again', (code) => {
    expect(saveFailure(new OutboxError(code, 'not now')).getStatus()).toBe(503);
  });

  test('because of a defect is no fault of the caller', () => {
    expect(saveFailure(new OutboxError('no-events', 'nothing is told')).getStatus()).toBe(500);
  });

  test('with a connection that broke may be saved: unknown is not failed', () => {
    const failure = saveFailure(new Error('connection terminated'));
    expect(failure.getStatus()).toBe(503);
    expect(failure.getResponse()).toMatchObject({ code: 'unknown' });
    expect(JSON.stringify(failure.getResponse())).not.toContain('terminated');
  });
});
