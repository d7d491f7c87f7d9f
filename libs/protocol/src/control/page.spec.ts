/** Pages of the control log: what is read back is what was written, and what is none is refused by name. */
import { expect, test } from '@jest/globals';
import { offset } from '../identity/identity.js';
import { ledByEu } from './control.fixture.js';
import { controlPageJson, readControlPage, type ControlPage } from './page.js';

const page: ControlPage = {
  log: 'a-topic-id',
  startOffset: offset(0n),
  endOffset: offset(9_007_199_254_740_993n),
  fromOffset: offset(0n),
  records: [...ledByEu().records, { offset: offset(7n), appendTimeMs: 1, valueText: null }],
  nextOffset: offset(8n),
};
const json = JSON.parse(JSON.stringify(controlPageJson(page))) as { readonly [name: string]: unknown };

test('a page reads back as it was, offsets beyond what a number holds too', () => {
  expect(readControlPage(json)).toEqual({ kind: 'value', value: page });
});

test.each([
  ['no object', [], /page must be an object/],
  ['a missing bound', { ...json, endOffset: undefined }, /page\.endOffset/],
  ['an offset as a number', { ...json, nextOffset: 8 }, /page\.nextOffset must be an offset/],
  ['a record that is none', { ...json, records: [{ offset: '0' }] }, /page\.records\[0\]\.appendTimeMs/],
  ['another answer', { decisions: [] }, /unknown name "decisions"/],
])('%s is refused', (_, value, reason) => {
  expect(readControlPage(value)).toEqual({ kind: 'refused', reason: expect.stringMatching(reason) });
});
