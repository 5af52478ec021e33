import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A page for one situation, written for the person who meets it at night. */
export interface Runbook {
  /** Its address: `/runbooks/<name>`, `./bridge runbook <name>`. */
  name: string;
  title: string;
  /** The codes that lead here: of parked rows, halts, faults of the doctor and of the FileMaker check. */
  causes: readonly string[];
  /** The whole page. */
  markdown: string;
}

const FOLDER = join(__dirname, '../../runbooks');
const CAUSES = /^Causes: (.+)$/m;

let read: Runbook[] | undefined;

/** All pages, by name. They are part of the build: read once. */
export function listRunbooks(): readonly Runbook[] {
  read ??= readdirSync(FOLDER)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .sort()
    .map((file) => {
      const markdown = readFileSync(join(FOLDER, file), 'utf8');
      return {
        name: file.slice(0, -'.md'.length),
        title: /^# (.+)$/m.exec(markdown)?.[1] ?? file,
        causes: [...(CAUSES.exec(markdown)?.[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code),
        markdown,
      };
    });
  return read;
}

/** Pages about one subject, in the order of the index. */
export interface RunbookGroup {
  title: string;
  runbooks: Runbook[];
}

/** The same pages as the index in `runbooks/README.md` groups them. */
export function listRunbookGroups(): RunbookGroup[] {
  const pages = listRunbooks();
  return readFileSync(join(FOLDER, 'README.md'), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((part) => ({
      title: part.split('\n')[0] ?? '',
      runbooks: [...part.matchAll(/\]\(([\w-]+)\.md\)/g)].flatMap(
        ([, name]) => pages.find((page) => page.name === name) ?? [],
      ),
    }));
}

/** The page as a person reads it: the codes that lead to it stand apart, in `causes`. */
export const runbookText = ({ markdown }: Pick<Runbook, 'markdown'>): string =>
  markdown.replace(/^Causes: .+\n\n/m, '');

/** The page of this name, or the page that this code leads to. Undefined: there is none. */
export function findRunbook(nameOrCause: string): Runbook | undefined {
  return listRunbooks().find(({ name }) => name === nameOrCause) ?? byCause(nameOrCause);
}

/** The name of the page that this code leads to. */
export const runbookOf = (cause: string): string | undefined => byCause(cause)?.name;

/** Scripts add codes of their own: `SCRIPT_REFUSED_LOW_STOCK` leads where `SCRIPT_REFUSED` leads. The longest one counts. */
function byCause(cause: string): Runbook | undefined {
  let best: { length: number; page: Runbook } | undefined;
  for (const page of listRunbooks()) {
    for (const known of page.causes) {
      const fits = cause === known || cause.startsWith(`${known}_`);
      if (fits && known.length > (best?.length ?? 0)) best = { length: known.length, page };
    }
  }
  return best?.page;
}
