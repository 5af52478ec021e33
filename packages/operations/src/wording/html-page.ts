const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A piece of HTML whose values are escaped already. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = string | number | null | Html | readonly Html[];

/** What others wrote must not steer the reader: direction marks, control characters and line breaks become spaces. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');

function render(value: Value): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map((one) => one.text).join('');
  return oneLine(String(value)).replace(/[&<>"']/g, (letter) => ESCAPES[letter] ?? '');
}

/** HTML with every value escaped: html`<p>${title}</p>`. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(strings.reduce((text, piece, at) => `${text}${render(values[at - 1] ?? '')}${piece}`));
}

const STYLE = `
:root { color-scheme: light dark; }
body { margin: 0; background: #f4f5f7; color: #1d2433; font: 15px/1.5 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 760px; margin: 24px auto; padding: 28px 32px; background: #fff; border: 1px solid #dfe3ea; border-radius: 8px; }
h1 { margin: 0 0 4px; font-size: 21px; line-height: 1.3; overflow-wrap: anywhere; }
h2 { margin: 28px 0 8px; font-size: 15px; }
p { margin: 6px 0; }
.quiet { color: #5a6475; font-size: 13px; }
.verdict { margin: 14px 0; padding: 10px 14px; border-left: 4px solid #8a94a6; background: #f6f7f9; overflow-wrap: anywhere; }
.fine { border-color: #1a7f4b; background: #edf8f1; }
.waits { border-color: #b7791f; background: #fdf6e7; }
.broken { border-color: #c0352b; background: #fdeeed; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { padding: 6px 8px; border-bottom: 1px solid #e6e9ef; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { color: #5a6475; font-weight: 600; font-size: 13px; }
.number { width: 11em; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.time { white-space: nowrap; font-variant-numeric: tabular-nums; color: #5a6475; }
code { font: 13px/1.4 ui-monospace, Menlo, Consolas, monospace; background: #f1f3f6; padding: 1px 4px; border-radius: 3px; overflow-wrap: anywhere; }
.head code { display: block; padding: 6px 8px; word-break: break-all; }
ul { margin: 6px 0; padding-left: 20px; }
li { margin: 6px 0; overflow-wrap: anywhere; }
@media screen and (max-width: 600px) {
  main { margin: 0; padding: 16px; border: 0; border-radius: 0; }
  th, td { padding: 6px 4px; }
  .number { width: auto; }
  .when, .time, .what { display: block; }
  .when, .time { padding-bottom: 0; border-bottom: 0; }
  th.what { display: none; }
}
@media screen and (prefers-color-scheme: dark) {
  body { background: #12161d; color: #e6eaf1; }
  main { background: #1a202a; border-color: #2d3643; }
  .quiet, .time, th { color: #a0abbd; }
  th, td { border-color: #2d3643; }
  code { background: #242c39; }
  .verdict { background: #222935; }
  .fine { border-color: #6fd39a; background: #16291f; }
  .waits { border-color: #f5b94d; background: #2e2614; }
  .broken { border-color: #ff8a80; background: #331c1a; }
}
@media print {
  body { background: #fff; font-size: 11pt; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
  tr, li, .verdict { break-inside: avoid; }
  thead { display: table-header-group; }
}`;

/** A whole page that needs nothing else: no script, no picture, no font from elsewhere. */
export function htmlPage(page: { title: string; body: Html }): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${page.title}</title>
<style>${new Html(STYLE)}
</style>
</head>
<body>
<main>
${page.body}
</main>
</body>
</html>
`.text;
}
