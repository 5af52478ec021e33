import MarkdownIt from 'markdown-it';
import { Html } from './html';

const markdownIt = new MarkdownIt('commonmark', { html: false }).disable('image');
/** Links lead to other pages of ours and to the web; anything else (`javascript:`) is shown as text. */
markdownIt.validateLink = (address) => /^(?:https:\/\/|\/(?!\/))/.test(address);

/** A runbook as markup. Everything in it is escaped: no markup of the writer passes through. */
export const renderMarkdown = (markdown: string): Html => new Html(markdownIt.render(markdown));
