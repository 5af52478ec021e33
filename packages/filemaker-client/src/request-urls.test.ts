import fc from 'fast-check';
import { createRequestPaths, encodePart, UnsendableRequest } from './request-urls';

const anyName = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });

test('any Unicode text survives encoding and is one plain URL part', () => {
  fc.assert(
    fc.property(anyName, (text) => {
      const part = encodePart(text);
      expect(decodeURIComponent(part)).toBe(text);
      expect(part).toMatch(/^[A-Za-z0-9_.~%-]+$/);
    }),
  );
});

test('every name comes back from the path at its own place, whatever it holds', () => {
  fc.assert(
    fc.property(anyName, anyName, anyName, anyName, (database, layout, script, parameter) => {
      const url = new URL(createRequestPaths('', database).script({ layout, script, parameter }), 'https://fm.test');
      const parts = url.pathname.split('/').map(decodeURIComponent);
      expect(parts).toEqual(['', 'fmi', 'data', 'v2', 'databases', database, 'layouts', layout, 'script', script]);
      expect(url.search).toBe(`?script.param=${encodePart(parameter)}`);
      expect(url.searchParams.get('script.param')).toBe(parameter);
      expect(url.hash).toBe('');
    }),
  );
});

test('signs that end or split a path are encoded, and a name of dots is no folder step', () => {
  const paths = createRequestPaths('/proxy', 'Shop & Co');
  expect(paths.script({ layout: 'a/b', script: 'A/B #1?x', parameter: '{"a": "+"}' })).toBe(
    '/proxy/fmi/data/v2/databases/Shop%20%26%20Co/layouts/a%2Fb/script/A%2FB%20%231%3Fx?script.param=%7B%22a%22%3A%20%22%2B%22%7D',
  );
  expect(paths.find('..')).toBe('/proxy/fmi/data/v2/databases/Shop%20%26%20Co/layouts/%2E%2E/_find');
});

test('an empty parameter is left out of the URL', () => {
  expect(createRequestPaths('', 'Shop').script({ layout: 'web', script: 'Run', parameter: '' })).toBe(
    '/fmi/data/v2/databases/Shop/layouts/web/script/Run',
  );
});

test.each([
  ['an empty layout', { layout: '', script: 'Run', parameter: 'x' }],
  ['an empty script', { layout: 'web', script: '', parameter: 'x' }],
  ['half a surrogate pair in the parameter', { layout: 'web', script: 'Run', parameter: 'a\ud800b' }],
])('%s cannot be sent', (_what, call) => {
  expect(() => createRequestPaths('', 'Shop').script(call)).toThrow(UnsendableRequest);
});
