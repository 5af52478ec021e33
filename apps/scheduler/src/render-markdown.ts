import { type Html, html } from './html';

/**
 * Markdown as our runbooks are written: headings, paragraphs, lists of one level, fenced code, `code`, **bold** and links
 * to pages and files. Whatever else stands there is shown as text: everything is escaped, no markup passes through.
 */
export function renderMarkdown(markdown: string): Html {
  const blocks: Html[] = [];
  const lines = markdown.split('\n');
  let at = 0;
  const takeWhile = (fits: (line: string) => boolean): string[] => {
    const taken: string[] = [];
    for (; at < lines.length && fits(lines[at] ?? ''); at += 1) taken.push(lines[at] ?? '');
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,3}) (.+)$/.exec(line);
    if (line.trim() === '') at += 1;
    else if (heading !== null) {
      at += 1;
      blocks.push(headingOf(heading[1]?.length ?? 1, heading[2] ?? ''));
    } else if (line.startsWith('```')) {
      at += 1;
      const code = takeWhile((one) => !one.startsWith('```'));
      at += 1;
      blocks.push(html`<pre><code>${code.join('\n')}</code></pre>`);
    } else if (ITEM.test(line)) {
      const ordered = /^\d/.test(line);
      const items = itemsOf(takeWhile((one) => ITEM.test(one) || /^ {2,}\S/.test(one)));
      blocks.push(ordered ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`);
    } else {
      // The first line is taken whatever it looks like: none may hold us up.
      at += 1;
      const text = [line, ...takeWhile((one) => one.trim() !== '' && !ITEM.test(one) && !/^(#|```)/.test(one))];
      blocks.push(html`<p>${inline(text.join(' '))}</p>`);
    }
  }
  return html`${blocks}`;
}

const ITEM = /^(?:[-*]|\d+\.) /;

function headingOf(level: number, text: string): Html {
  const words = inline(text);
  if (level === 1) return html`<h1>${words}</h1>`;
  return level === 2 ? html`<h2>${words}</h2>` : html`<h3>${words}</h3>`;
}

function itemsOf(lines: readonly string[]): Html[] {
  const items: string[] = [];
  for (const line of lines) {
    if (ITEM.test(line)) items.push(line.replace(ITEM, ''));
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  return items.map((item) => html`<li>${inline(item)}</li>`);
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
/** Links lead to other pages of ours and to the web; anything else (`javascript:`) is shown as text. */
const ADDRESS = /^(?:https:\/\/|\/(?!\/))/;

function inline(text: string): Html {
  const parts: Html[] = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, code, bold, words, address = ''] = found;
    parts.push(html`${text.slice(from, found.index)}`);
    from = found.index + whole.length;
    if (code !== undefined) parts.push(html`<code>${code}</code>`);
    else if (bold !== undefined) parts.push(html`<strong>${bold}</strong>`);
    else parts.push(ADDRESS.test(address) ? html`<a href="${address}">${words ?? ''}</a>` : html`${words ?? ''}`);
  }
  parts.push(html`${text.slice(from)}`);
  return html`${parts}`;
}
