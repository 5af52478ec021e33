import type { Runbook, RunbookGroup } from '@bridge/operations';
import { type Html, html } from '../html';
import { layout } from './layout';

/** All pages by what they are about, for whoever looks around. */
export function runbookList(page: { groups: readonly RunbookGroup[]; operator: string }): string {
  const groups = page.groups.map(({ title, runbooks }) => {
    const items = runbooks.map((one) => html`<li><a href="/runbooks/${one.name}">${one.title}</a></li>`);
    return html`<section><h2>${title}</h2><ul class="card pages">${items}</ul></section>`;
  });
  return layout({
    title: 'Runbooks',
    operator: page.operator,
    at: 'runbooks',
    body: html`<div class="head"><h1>Runbooks</h1><p class="quiet">What to do, one page for each situation.</p></div>
${groups}`,
  });
}

/** One page. `cause`: the code that led here, where it was one. */
export function runbookPage(page: {
  runbook: Runbook;
  body: Html;
  operator: string;
  cause: string | undefined;
}): string {
  const { runbook, body, operator, cause } = page;
  return layout({
    title: runbook.title,
    operator,
    at: 'runbooks',
    body: html`<p class="quiet"><a href="/runbooks">All runbooks</a>${cause === undefined ? null : html` · for <code>${cause}</code>`}</p>
<article class="card prose">${body}</article>
${runbook.causes.length === 0 ? null : html`<p class="quiet causes">Codes that lead here: ${runbook.causes.map((code) => html`<code>${code}</code> `)}</p>`}`,
  });
}
