import type { Risk } from '../contract-case';
import type { Suite } from '../suite';
import { ARRANGEMENTS } from './arrangements';
import { findCases } from './find-cases';
import { recordCases } from './record-cases';
import { redactFileMaker } from './redact-filemaker';
import { scriptCases } from './script-cases';
import { serverAndLoginCases } from './server-and-login-cases';
import { sessionCases } from './session-cases';

/** What the FileMaker Data API promises, v2. */
export const filemakerSuite: Suite = {
  name: 'filemaker',
  basePath: '/fmi/data/v2',
  codePath: 'messages[0].code',
  cases: [...serverAndLoginCases, ...sessionCases, ...recordCases, ...findCases, ...scriptCases],
  needs: {
    database: '--database: the name of the file, spelled as it is hosted',
    layout: '--with layout=…: the layout on which scripts run',
    invoiceField: '--with invoiceField=…: the field with the invoice number, on that layout',
    invoice: '--with invoice=…: the number of a test invoice that scripts may mark as paid, with one cent each',
    script: "--with script=…: the script with the kit's contract (writes its key into keyField on keyLayout)",
    slowScript: '--with slowScript=…: the same script with a pause of slowSeconds before it commits',
    verySlowScript: '--with verySlowScript=…: the same with a pause of 18 minutes',
    slowSeconds: '--with slowSeconds=…: how long slowScript pauses; 10 or more',
    plainScript:
      '--with plainScript=…: a script that marks the invoice paid without the kit, and fails without an invoice',
    silentScript: '--with silentScript=…: a script that ends without an exit result',
    leavingScript: "--with leavingScript=…: a script that opens the invoice's record and neither commits nor reverts",
    keyLayout: '--with keyLayout=…: a layout on which the suite may create and delete records of its own',
    keyField: '--with keyField=…: a text field there: unique, always validated',
    textField: '--with textField=…: another text field there',
    numberField: '--with numberField=…: a number field there',
  },
  arrangements: ARRANGEMENTS,
  encodeBody: JSON.stringify,
  risksOf: ({ line, body }) => {
    const risks: Risk[] = [];
    const [method = '', path = ''] = line.split(' ');
    if (method !== 'GET' && path.includes('/records')) risks.push('write');
    if (path.includes('/script/') || (body !== undefined && /"script["."]/.test(JSON.stringify(body))))
      risks.push('script');
    return risks;
  },
  redact: redactFileMaker,
  plainVariables: ['run', 'slowSeconds'],
};
