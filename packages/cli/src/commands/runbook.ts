import { findRunbook, listRunbookGroups, listRunbooks, runbookText } from '@bridge/operations';
import type { Command } from 'commander';
import type { CommandResult } from '../command-result';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { renderTable, wrap } from '../table';

/** Markdown for a terminal: headings stand out, commands too, paragraphs fit the width. */
function dressed(markdown: string, output: Output): string {
  return markdown
    .trimEnd()
    .split(/\n(?=\n|```|#|- |\d+\. )|(?<=```)\n/)
    .reduce<{ inCode: boolean; lines: string[] }>(
      ({ inCode, lines }, block) => {
        const text = block.replace(/^\n/, '');
        const gap = block.startsWith('\n') ? [''] : [];
        if (text.startsWith('```')) return { inCode: !inCode, lines: [...lines, ...gap] };
        return { inCode, lines: [...lines, ...gap, inCode ? codeBlock(text, output) : textBlock(text, output)] };
      },
      { inCode: false, lines: [] },
    )
    .lines.join('\n');
}

const codeBlock = (text: string, output: Output): string =>
  text
    .split('\n')
    .map((line) => output.dress('command', `    ${line}`))
    .join('\n');

function textBlock(text: string, output: Output): string {
  if (text.startsWith('#')) return output.dress('heading', text.replace(/^#+ /, ''));
  const item = /^(?:[-*]|\d+\.) /.exec(text)?.[0] ?? '';
  return wrap(text.replaceAll(/[`]|\*\*/g, '').replaceAll(/\s*\n\s*/g, ' '), output.width, ' '.repeat(item.length));
}

const list = (output: Output): string =>
  listRunbookGroups()
    .map(({ title, runbooks }) =>
      [
        output.dress('heading', title),
        renderTable(
          runbooks,
          [
            { heading: 'Page', cell: ({ name }) => name, tone: () => 'command' },
            { heading: 'Is for', cell: (page) => page.title, least: 30 },
          ],
          output,
        )
          .split('\n')
          .slice(1)
          .map((line) => `  ${line}`)
          .join('\n'),
      ].join('\n'),
    )
    .join('\n\n');

async function run(cause: string | undefined): Promise<CommandResult> {
  if (cause === undefined) {
    const pages = listRunbooks();
    return {
      fine: true,
      json: { runbooks: pages.map(({ name, title, causes }) => ({ name, title, causes })) },
      text: list,
    };
  }
  const page = findRunbook(cause);
  if (page === undefined)
    throw new CommandError('RUNBOOK_NOT_FOUND', `There is no runbook for ${cause}. All of them: ./bridge runbook`);
  return { fine: true, json: page, text: (output) => dressed(runbookText(page), output) };
}

export function addRunbook(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('runbook')
    .argument('[cause]', 'a code (of a parked row, a halt, a fault) or the name of a page; nothing: all of them')
    .summary('what to do about a code, step by step')
    .description(
      'Prints the page for a situation: what it means, what has not happened, what to do. Needs no database.',
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('./bridge runbook', './bridge runbook second-payment', './bridge runbook LOG_NOT_DONE'),
    )
    .action((cause: string | undefined) => report(() => run(cause)));
}
