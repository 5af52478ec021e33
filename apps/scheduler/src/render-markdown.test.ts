import { listRunbooks } from '@bridge/operations';
import fc from 'fast-check';
import { renderMarkdown } from './render-markdown';

const rendered = (markdown: string): string => renderMarkdown(markdown).text;

test.each([
  ['# One', '<h1>One</h1>'],
  ['## Two `code`', '<h2>Two <code>code</code></h2>'],
  ['a\nb', '<p>a b</p>'],
  ['a\n\nb', '<p>a</p><p>b</p>'],
  ['- a\n- b\n  goes on', '<ul><li>a</li><li>b goes on</li></ul>'],
  ['1. a\n2. b', '<ol><li>a</li><li>b</li></ol>'],
  ['text:\n- a', '<p>text:</p><ul><li>a</li></ul>'],
  [
    '```\n./bridge status\n\n# no heading\n```\nafter',
    '<pre><code>./bridge status\n\n# no heading</code></pre><p>after</p>',
  ],
  ['```\nnever closed', '<pre><code>never closed</code></pre>'],
  ['**bold** and `**not**`', '<p><strong>bold</strong> and <code>**not**</code></p>'],
  ['[other](/runbooks/redis)', '<p><a href="/runbooks/redis">other</a></p>'],
  ['[web](https://example.com/a)', '<p><a href="https://example.com/a">web</a></p>'],
  ['[bad](javascript:alert(1))', '<p>bad)</p>'],
  ['[bad](//evil.example)', '<p>bad</p>'],
  ['<b>&"</b>', '<p>&lt;b&gt;&amp;&quot;&lt;/b&gt;</p>'],
  ['`<script>`', '<p><code>&lt;script&gt;</code></p>'],
  ['[<i>](/a"onclick="x)', '<p><a href="/a&quot;onclick=&quot;x">&lt;i&gt;</a></p>'],
  ['#no heading', '<p>#no heading</p>'],
  ['', ''],
])('%j becomes %j', (markdown, html) => {
  expect(rendered(markdown)).toBe(html);
});

test('whatever is written, no markup of the writer comes through, and it ends', () => {
  const piece = fc.constantFrom(
    '<img src=x onerror=1>',
    '`',
    '**',
    '[',
    '](',
    ')',
    '\n',
    '```\n',
    '- ',
    '# ',
    '1. ',
    '"',
    "'",
    'x',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = rendered(pieces.join(''));
      expect(text).not.toContain('<img');
      expect(
        text.replace(/<\/?(?:h[1-3]|p|ul|ol|li|pre|code|strong|a(?: href="(?:https:\/\/|\/)[^"]*")?)>/g, ''),
      ).not.toMatch(/[<>]/);
    }),
  );
});

test.each(listRunbooks().map(({ name, markdown }) => [name, markdown] as const))(
  'the page %s is written in what is understood: nothing of it is left as marks',
  (_name, markdown) => {
    const text = rendered(markdown).replace(/<(pre|code)>[\s\S]*?<\/\1>/g, '');
    expect(text).not.toMatch(/`|\*\*|\]\(|<p>(?:#|\d\. |- |\|)/);
    expect(text.match(/<h1>/g)).toHaveLength(1);
  },
);
