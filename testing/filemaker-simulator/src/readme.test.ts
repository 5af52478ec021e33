import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SETTINGS } from './settings';
import { ENDPOINTS, TROUBLE_KINDS } from './trouble';

const README = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');

describe('the README', () => {
  test.each(Object.keys(DEFAULT_SETTINGS))('names the setting %s', (name) => {
    expect(README).toMatch(new RegExp(`\`${name}\``));
  });

  test.each([...ENDPOINTS, ...TROUBLE_KINDS])('names the endpoint or trouble %s', (name) => {
    expect(README).toContain(`\`${name}\``);
  });
});
