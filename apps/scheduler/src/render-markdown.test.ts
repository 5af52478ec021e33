import { listRunbooks } from '@bridge/operations';
import fc from 'fast-check';
import { renderMarkdown } from './render-markdown';

const rendered = (markdown: string): string => renderMarkdown(markdown).text;

test.each([
  ['# One', '<h1>One</h1>'],
  ['- a\n- b', '<ul>\n<li>a</li>\n<li>b</li>\n</ul>'],
  ['```\n./bridge status\n```', '<pre><code>./bridge status\n</code></pre>'],
  ['[other](/runbooks/redis)', '<p><a href="/runbooks/redis">other</a></p>'],
  ['[web](https://example.com/a)', '<p><a href="https://example.com/a">web</a></p>'],
  ['[bad](javascript:alert(1))', '<p>[bad](javascript:alert(1))</p>'],
  ['[bad](//evil.example)', '<p>[bad](//evil.example)</p>'],
  ['[bad](http://evil.example)', '<p>[bad](http://evil.example)</p>'],
  ['![bad](https://evil.example/x.png)', '<p>!<a href="https://evil.example/x.png">bad</a></p>'],
  // A link without an address is one to the page itself.
  ['[]()', '<p><a href=""></a></p>'],
  ['<b>&"</b>', '<p>&lt;b&gt;&amp;&quot;&lt;/b&gt;</p>'],
  ['`<script>`', '<p><code>&lt;script&gt;</code></p>'],
  ['', ''],
])('%j becomes %j', (markdown, html) => {
  expect(rendered(markdown).trim()).toBe(html);
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
        text.replace(
          /<\/?(?:h[1-6]|p|ul|ol|li|pre|code|strong|em|blockquote|a(?: href="(?:(?:https:\/\/|\/)[^"]*)?")?)>|<(?:hr|br) \/>|<ol start="\d+">|<code class="language-[^"<>]*">/g,
          '',
        ),
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
