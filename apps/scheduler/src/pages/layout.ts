import { type Html, html } from '../html';

/** The frame of every page. `operator` undefined: nobody is logged in. */
export function layout(page: { title: string; operator?: string; at?: 'status' | 'runbooks'; body: Html }): string {
  const { title, operator, at, body } = page;
  const current = (page: typeof at): Html | null => (at === page ? html` aria-current="page"` : null);
  const bar =
    operator === undefined
      ? null
      : html`<nav aria-label="Console"><a href="/"${current('status')}>Status</a><a href="/queues/">Queues</a><a href="/runbooks"${current('runbooks')}>Runbooks</a></nav>
    <form class="who" method="post" action="/logout"><span>${operator}</span><button type="submit" class="quiet">Log out</button></form>`;
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="robots" content="noindex">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Stripe–FileMaker bridge</title>
  <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/console.css">
</head>
<body>
  <a class="skip" href="#main">Skip to content</a>
  <header><a class="name" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22">Stripe–FileMaker bridge</a>${bar}</header>
  <main id="main">${body}</main>
</body>
</html>
`.text;
}
