import { html } from '../html';
import { layout } from './layout';

/** `nobody`: no operator exists, so that no password can be right. */
export function loginPage(page: { next: string; message?: string; nobody: boolean; name?: string }): string {
  const { next, message, nobody, name } = page;
  const said = message === undefined ? null : html`<p class="said" role="alert">${message}</p>`;
  if (nobody) {
    return layout({
      title: 'Log in',
      body: html`<section class="narrow card"><h1>Nobody can log in yet</h1>
<p>There is no operator. On the machine of the bridge, type</p>
<pre><code>./bridge user add NAME</code></pre>
<p>or start the scheduler with <code>CONSOLE_ADMIN</code>, made by <code>./bridge user add NAME --print-hash</code>. Then load this page again.</p></section>`,
    });
  }
  return layout({
    title: 'Log in',
    body: html`<section class="narrow card"><h1>Log in</h1>${said}
<form method="post" action="/login">
  <input type="hidden" name="next" value="${next}">
  <label for="name">Name</label>
  <input id="name" name="name" type="text" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required value="${name ?? ''}"${name === undefined ? html` autofocus` : null}>
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required${name === undefined ? null : html` autofocus`}>
  <button type="submit">Log in</button>
</form></section>`,
  });
}
