import { html } from '../html';
import { layout } from './layout';

export const messagePage = ({ headline, sentence }: { headline: string; sentence: string }): string =>
  layout({
    title: headline,
    body: html`<section class="narrow card"><h1>${headline}</h1><p>${sentence}</p><p><a href="/">To the status page</a></p></section>`,
  });
