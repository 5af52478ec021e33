'use strict';
// docs/filemaker-errors.md: FileMaker's codes from the table that judges them, and our own codes with what to do.
// packages/filemaker-client/src/error-page.test.ts compares the page with what comes out here, and the codes with the sources.
//   npx node tooling/generate-filemaker-errors.cjs
const { ourCodes } = require('./our-codes.cjs');
const { generatedBy, table, writePage } = require('./markdown.cjs');

const page = 'docs/filemaker-errors.md';

const resendWords = { yes: 'yes', no: 'no', check: '**ask first**' };
const sessionWords = {
  keep: 'goes back to the pool',
  drop: 'is gone',
  quarantine: 'rests until it is proved free',
};

/** What lifts each halt. One entry per name in `FileMakerHalt`. */
const haltAdvice = {
  credentials:
    'Check FILEMAKER_USERNAME, FILEMAKER_PASSWORD and the extended privilege fmrest of that account; restart the workers when a setting changed; `./bridge resume filemaker --why "…"`.',
  'login-attempts':
    'FileMaker has shut the account for a while. Wait some minutes, check the password as above, then resume.',
  'script-missing':
    'Compare the script\'s name letter by letter (FILEMAKER_SCRIPT or the YAML file). Then `./bridge resume script NAME --why "…"`. What was planned keeps the old name: let it run again only if the script exists under it again.',
  'layout-missing':
    'Compare the name of the layout; the account must be allowed to see it. Then `./bridge resume script NAME --why "…"`.',
  'field-missing':
    'Put the field on the layout that is named in the halt (hand-off, log or probe), then `./bridge resume script NAME --why "…"`.',
  'database-name': 'Check FILEMAKER_DATABASE: upper and lower case count, no .fmp12. Restart, then resume.',
  'file-fault': 'Look at the server: the file is in single-user mode or damaged, or its disk is full. Then resume.',
  'data-limit': "The licence's yearly transfer is used up. Talk to Claris; what waits is kept. Then resume.",
  licence: "Renew the server's licence, then resume.",
};
/** As in apps/worker/src/performers/filemaker-failure.ts: these close one script, the others every login. */
const scriptHalts = ['script-missing', 'layout-missing', 'field-missing'];

const transportCases = [
  ['no connection (refused, DNS, no route)', { fault: 'connect-failed', sent: false }],
  ['certificate not trusted', { fault: 'certificate', sent: false }],
  ['the connection broke after the first byte', { fault: 'connection-lost', sent: true }],
  ['no answer within FILEMAKER_TIMEOUT_SECONDS', { fault: 'deadline', sent: true }],
  ['HTTP 502, a page of the web server', { fault: 'answer-unreadable', sent: true, httpStatus: 502 }],
  ['HTTP 503, a page of the web server', { fault: 'answer-unreadable', sent: true, httpStatus: 503 }],
  ['HTTP 504, a page of the web server', { fault: 'answer-unreadable', sent: true, httpStatus: 504 }],
  ['HTTP 200, and not the form of the Data API', { fault: 'answer-unreadable', sent: true, httpStatus: 200 }],
  ['HTTP 414, the URL is too long', { fault: 'answer-unreadable', sent: true, httpStatus: 414 }],
  ['the answer is larger than we accept', { fault: 'answer-too-large', sent: true }],
  ['the request cannot be put into HTTP', { fault: 'request-unsendable', sent: false }],
];

const code = (text) => `\`${text}\``;
const words = (text) => text.replace(/(?<![`\w"])([A-Z]+(?:_[A-Z]+)+)(?![`\w])/g, '`$1`');
const numbers = (codes) =>
  codes.map((one) => (typeof one === 'number' ? String(one) : `${one[0]}–${one[1]}`)).join(', ');
const firstNumber = ([first]) => (typeof first === 'number' ? first : first[0]);

function rest(judged) {
  return [
    judged.halt === undefined
      ? undefined
      : `halts ${scriptHalts.includes(judged.halt) ? 'that script' : 'FileMaker'} (${judged.halt})`,
    judged.circuit ? 'opens the circuit' : undefined,
  ].filter((part) => part !== undefined);
}

/** What a login makes of the same code, where that differs from what a script call makes of it. */
function atLogin(script, login) {
  if (login.code === script.code && login.resend === script.resend) return '';
  const again = login.resend === 'yes' ? 'again later' : resendWords[login.resend];
  return `${login.code === script.code ? '' : `${code(login.code)}, `}${again}`;
}

function fileMakerRows({ FILEMAKER_CODE_TABLE, judgeApiCode }) {
  return [...FILEMAKER_CODE_TABLE]
    .sort((one, other) => firstNumber(one.codes) - firstNumber(other.codes))
    .map((row) => {
      const answer = { apiCode: String(firstNumber(row.codes)), apiMessage: '', httpStatus: 500 };
      const script = judgeApiCode('runScript', answer);
      return [
        numbers(row.codes),
        code(script.code),
        script.meaning,
        resendWords[script.resend],
        sessionWords[script.session],
        rest(script).join('; '),
        atLogin(script, judgeApiCode('login', answer)),
      ];
    });
}

function transportRows({ judgeTransport }) {
  return transportCases.map(([seen, report]) => {
    const judged = judgeTransport('runScript', report);
    return [
      words(seen),
      code(judged.code),
      resendWords[judged.resend],
      sessionWords[judged.session],
      rest(judged).join('; '),
    ];
  });
}

const head = `# Errors: FileMaker's codes, and ours

What each code means to the bridge, and what a person does about it. \`./bridge status\`, \`./bridge effects list\` and
\`./bridge events list\` show the code and a sentence with it; Bull Board shows them at the failed job.

- [FileMaker's codes](#filemakers-codes)
- [When FileMaker does not answer in its own form](#when-filemaker-does-not-answer-in-its-own-form)
- [What halts, and how it goes on](#what-halts-and-how-it-goes-on)
- [Our own codes](#our-own-codes)

## FileMaker's codes

An answer is judged by the endpoint, then by \`messages[0].code\`, then by \`scriptError\`, then by the script's own result. HTTP
200 alone means nothing. The numbers are those of Claris's list "FileMaker error codes"; what follows from each is our reading,
**not yet confirmed by a real server** ([what is not known](not-known.md)).

The columns speak of a **script call**:

- _may it be sent again_: "yes" means that it surely did nothing; "no" means that it did nothing and would fail the same way, so
  the effect is parked, or waits where something is halted; "ask first" means that nobody can tell from this answer whether the
  script ran, so the bridge looks before anything else.
- _the session_: what the pool does with the FileMaker session that carried the call. One that rests still counts against
  \`FILEMAKER_MAX_SESSIONS\`.
- _for everybody_: a halt stays until a person resumes; an open circuit closes by itself when FileMaker answers a probe, which is
  made twice a second.
- _at login_: only where it differs. No script runs at login, so nothing is in doubt there.

Reads (finds, layouts, \`validateSession\`) change nothing: where a script call has to ask first, a read is simply made again.`;

const noRow = `A code that is not in the table is \`FILEMAKER_UNKNOWN_CODE\`: a script call is asked about first, and the session rests. A login
whose message speaks of sessions or capacity counts as \`FILEMAKER_CAPACITY\`.

**Capacity at login** (812, 956, 1638, 1701, and 1212 there only) costs an effect nothing: the pool takes one place away for
some minutes and gives it back step by step, and jobs wait without using up attempts.

**301** inside a script's answer: a kit script that says \`ran: false\` is run again, its lane waits and shows so. From a plain script
any error but 0 is _unknown_, because the script may have done part of its work.`;

/**
 * @param {{ FILEMAKER_CODE_TABLE: readonly any[], judgeApiCode: Function, judgeTransport: Function }} client
 *   the sources of @bridge/filemaker-client
 * @returns {string} docs/filemaker-errors.md
 */
function errorPage(client) {
  const headings = ['FileMaker', 'ours', 'meaning', 'may it be sent again', 'the session', 'for everybody', 'at login'];
  return [
    generatedBy('generate-filemaker-errors.cjs'),
    head,
    table(headings, fileMakerRows(client)),
    noRow,
    `## When FileMaker does not answer in its own form

A script call again; a read is simply repeated.`,
    table(['what was seen', 'ours', 'may it be sent again', 'the session', 'for everybody'], transportRows(client)),
    `## What halts, and how it goes on

A halt is a row in PostgreSQL: it survives restarts, and every worker obeys it. Nothing is lost and no attempt is used up while
it stands. The first cause is kept. \`./bridge status\` names it.`,
    table(
      ['halt', 'closes', 'what to do'],
      Object.entries(haltAdvice).map(([halt, advice]) => [
        code(halt),
        scriptHalts.includes(halt) ? 'the script that met it' : 'FileMaker',
        words(advice),
      ]),
    ),
    `## Our own codes

Stable: alerts and runbooks may rely on them. \`ID\` is the number in the first column of the list; \`./bridge effects show ID\` tells
all that is known. "Resolve as again" is \`./bridge effects resolve ID --as again --why "…"\`: FileMaker's log is asked first where there
is one, and the script runs only when it is proved not to have run; without a log, or when the log has failed to decide, your word runs
it, so look first. "Resolve as done" is the same command with \`--as done\`; \`--as cancelled\` is for what shall never happen. Both are
also possible while an effect is unknown. "Reprocess" is \`./bridge events reprocess ID --why "…"\`.`,
    ...ourCodes.map(
      ({ title, intro, codes }) =>
        `### ${title}\n\n${intro}\n\n${table(
          ['code', 'meaning', 'what to do'],
          Object.entries(codes).map(([name, [meaning, todo]]) => [code(name), words(meaning), words(todo)]),
        )}`,
    ),
  ]
    .join('\n\n')
    .concat('\n');
}

if (require.main === module) {
  require('./require-typescript.cjs');
  const { FILEMAKER_CODE_TABLE } = require('../packages/filemaker-client/src/error-codes.ts');
  const judge = require('../packages/filemaker-client/src/judge-failure.ts');
  writePage(page, errorPage({ FILEMAKER_CODE_TABLE, ...judge }));
}

module.exports = { errorPage, haltAdvice, page, scriptHalts };
