'use strict';
// What our own stable codes mean and what a person does about them: `code: [meaning, what to do]`. Written by hand; a test
// (packages/filemaker-client/src/error-page.test.ts) finds every code in the sources that is missing here, and every one here
// that the sources do not have.

const nothing = 'Nothing; it goes on by itself.';
const atStripe = 'Look at the payment in the Stripe dashboard.';

const ourCodes = [
  {
    title: 'Why a payment was parked before anything was sent',
    intro:
      'Codes of parked events and effects. Nothing reached FileMaker. The money is at Stripe: a person decides whether the invoice is marked paid by hand or the event goes on.',
    codes: {
      NO_INVOICE_ID: [
        'The paid Checkout Session names no invoice where INVOICE_ID_KEYS looks.',
        'Find out which invoice it was and give it: `./bridge replay cs_… --invoice …`. Have whoever makes the links put the id into the metadata. If the id stands elsewhere, extend INVOICE_ID_KEYS and read the event again.',
      ],
      'second-payment': [
        'The invoice was paid before by another Checkout Session.',
        'Refund one of the two at Stripe, or resolve as again when both are right. `instalments: allow` in the YAML file if that is your rule.',
      ],
      'payment-refunded': [
        'The payment was refunded before its script could run.',
        'Nothing is owed to FileMaker. Release only if the script should run all the same.',
      ],
      'payment-disputed': [
        'The payment was disputed before its script could run.',
        'Wait for the end of the dispute; resolve as again when you won it and the order is to be shipped.',
      ],
      'payment-not-applied': [
        'A refund or dispute of a payment that is not known to be applied in FileMaker.',
        'Look at the payment of the same lane first; what was never applied needs no reversal.',
      ],
      'captured-less': [
        'Less money was captured than the Checkout Session amounts to.',
        'Compare the charge at Stripe with the invoice. Release when the full invoice is to be marked paid all the same.',
      ],
      SUMS_DIFFER: [
        "The lines and the shipping cost do not add up to the Session's total.",
        'The sums stand in the reason. Usually something was added at Stripe that the lines do not show. Enter the invoice by hand.',
      ],
      AMOUNT_MISSING: ['An amount that the proof needs is missing.', atStripe],
      AMOUNT_NOT_INTEGER: ['An amount is not a whole number of minor units.', atStripe],
      CURRENCY_MISSING: ['No currency at all.', atStripe],
      CURRENCY_MIXED: ['A line is in another currency than its Session.', 'Enter the invoice by hand.'],
      CODE_MISSING: [
        'A line has no billing code, and the payload profile refuses that.',
        'Give the product its code at Stripe, then reprocess.',
      ],
      INVOICE_ID_MISSING: ['The payload was asked for without an invoice id.', 'A fault of ours; please report it.'],
      LINE_UNREADABLE: [
        'A line is not what Stripe documents, or contradicts itself.',
        'Enter the invoice by hand, and report it.',
      ],
      SESSION_UNREADABLE: [
        'The Session, charge or PaymentIntent is not what Stripe documents.',
        'Enter the invoice by hand, and report it.',
      ],
      REVERSAL_UNREADABLE: ['The refund or dispute is not what Stripe documents.', 'Record it by hand, and report it.'],
      NOT_PAID: [
        'The Session says unpaid.',
        'Reprocess later; Stripe announces a delayed payment with an event of its own.',
      ],
      MODE_NOT_PAYMENT: ['The Session is of a subscription or a set-up and pays no invoice.', 'Nothing.'],
      NO_SCRIPT: [
        'No script is configured for a paid Session.',
        'Set FILEMAKER_SCRIPT, or the YAML file, and read the event again: `./bridge events reprocess`.',
      ],
      PARAMETER_TOO_LONG: [
        'As a GET the script call would pass 2,000 characters.',
        'Set FILEMAKER_HANDOFF_LAYOUT, restart, reprocess.',
      ],
      CONNECTED_ACCOUNT: [
        'The event belongs to a connected account of Stripe Connect.',
        'One bridge serves one account: at Stripe choose "events on your account" for the webhook endpoint.',
      ],
      BODY_UNREADABLE: ['The stored body is not a Stripe event.', 'Have Stripe resend the event.'],
      TOO_MANY_STARTS: [
        'Eight starts without an end. The last reason stands beside it.',
        "Look at the workers' log; reprocess when the cause is gone.",
      ],
    },
  },
  {
    title: 'Why an event was ignored',
    intro: 'Nothing to do, unless the reason surprises you.',
    codes: {
      PAID_BEFORE: ['This payment is recorded already, and nothing is sent twice.', 'Nothing.'],
      PARKED_BEFORE: ['This Checkout Session is parked already for the same reason.', 'See the parked one.'],
      NOT_AN_INVOICE: ['A Checkout Session of a subscription or a set-up.', 'Nothing.'],
      NO_CHECKOUT_SESSION: ['The payment did not come through a Checkout Session or Payment Link.', 'Nothing.'],
      OTHER_LIVEMODE: [
        'A test event for a live bridge, or the other way round.',
        'Take the endpoint out of the other mode at Stripe, and check which key is set.',
      ],
      UNWANTED_TYPE: ['No flow that is on wants this type.', 'Choose fewer events at the endpoint.'],
    },
  },
  {
    title: 'What became of a script call',
    intro:
      'Codes of effects that wait, are unknown or parked. A number after the code (`SCRIPT_ERROR_401`) is the FileMaker code the script ended with.',
    codes: {
      SCRIPT_DONE: ['The kit script did it.', 'Nothing.'],
      SCRIPT_DONE_WITH_WARNING: ['Done; FileMaker also reports an error that the script had dealt with.', 'Nothing.'],
      SCRIPT_DUPLICATE: ['An earlier run had done it.', 'Nothing.'],
      SCRIPT_UNVERIFIED: [
        'A plain script ended without an error.',
        'Give the fact a probe, so that more can be proved.',
      ],
      SCRIPT_RECORD_LOCKED: [
        'Somebody is editing the record; nothing was done.',
        'Leave the record. It goes on by itself; the lane waits.',
      ],
      SCRIPT_ROLLED_BACK: [
        'The script rolled its transaction back: its work, the row of the log or the commit failed.',
        `${nothing} If it lasts: \`./bridge filemaker check\`; the log's row cannot be made.`,
      ],
      SCRIPT_AGAIN: ['The script did nothing and may succeed later.', nothing],
      SCRIPT_KEY_CONFLICT: [
        'The key was used before with other content. Parked.',
        "Compare the script's log with the effect; let it run again only after the wrong row is gone.",
      ],
      SCRIPT_BAD_PARAMETER: [
        'The script cannot read its parameter. Parked.',
        'Mend the script, then resolve as again.',
      ],
      SCRIPT_REFUSED: [
        'The script refused with a code of its own. Parked.',
        'Read the code; put right what it means, then resolve as again.',
      ],
      SCRIPT_ERROR: [
        'The script ended with an error and may have done part of its work. Unknown.',
        'A kit script is asked about by itself. After a plain one it is parked: look at the invoice.',
      ],
      SCRIPT_PARTLY_RUN: ['The script failed and does not say that it changed nothing. Unknown.', 'As above.'],
      SCRIPT_ROW_MISSING: [
        'The kit script has changed something, and the log has no row that says so. Parked; the log is not asked, since it would prove the opposite.',
        'Look at the invoice in FileMaker first. If the work is done, resolve as done. If surely nothing was done, resolve as again: it runs unasked.',
      ],
      SCRIPT_NO_RESULT: [
        'The script ended without a result. Unknown.',
        'End every path of a kit script with Exit Script.',
      ],
      SCRIPT_RESULT_UNREADABLE: [
        "The script's result is not in the kit's form. Unknown.",
        'Mend its Exit Script step.',
      ],
      SCRIPT_OTHER_KEY: [
        'The result names another key than the one sent. Unknown.',
        'Mend the script: it keeps a variable of another run.',
      ],
      SCRIPT_STILL_RUNNING: ['The FileMaker session that carried it is still at work.', nothing],
      SCRIPT_MAY_STILL_RUN: [
        'That session cannot be asked; FILEMAKER_SCRIPT_MAX_SECONDS are waited out, and the few seconds that a first byte may take.',
        nothing,
      ],
      LOG_NOT_DONE: [
        "FileMaker's log has the key in another state than done: the script began and did not finish. Parked, once it must be over.",
        'Look at the invoice. If the work is done, resolve as done. If not, delete that log row, then resolve as again: it runs unasked.',
      ],
      LOG_CONTRADICTS: [
        "FileMaker's log has more than one row for one key. Parked, once the script must be over.",
        'Make the key field unique, "always validate". Look which of the two ran; leave one row; resolve as done or as again.',
      ],
      SENTINEL_MISSING: [
        "The bridge's own row is not found in the log, so that absence proves nothing.",
        'Waits. An effect that has waited for an hour is parked once a row that the bridge planted has stood for a minute unseen, or could for a minute not be planted because FileMaker forbids it. Check that the account may read and create rows on FILEMAKER_LOG_LAYOUT, and that the fields stand on it.',
      ],
      PROBE_FOUND_NOTHING: [
        'The probe finds no record with this id. Parked once the script must be over, or unknown right after the run.',
        'Look at the invoice: if the script has not run, resolve as again; if it has, resolve as done and see why the field is empty.',
      ],
      PROBE_CANNOT_PROVE: [
        'The probe finds the invoice, not this payment. Parked, once the script must be over.',
        'Look at the invoice, then resolve as done or, if it has not run, as again.',
      ],
      PROBE_FAILED: ['The script has run, and its probe could not be asked. Unknown.', nothing],
      CANNOT_BE_ASKED: [
        'The script keeps no log and has no probe: whether it ran cannot be asked. Parked, once the script must be over.',
        'Look at the invoice: if it has run, resolve as done; if not, resolve as again, which runs it for sure.',
      ],
      LEASE_LOST: ['The session was taken back before anything was sent.', nothing],
      WORKER_DIED: ['The worker died while it was sending. Unknown.', 'Nothing; FileMaker is asked.'],
      ENDING_LOST: ['How it ended could not be written down. Unknown.', 'Nothing; FileMaker is asked.'],
      LOST_AGAIN: [
        'Its answer was lost several times in a row, and each time it was proved not to have run.',
        'Sent again by itself, more and more rarely. See what breaks the connections to FileMaker, or the script itself.',
      ],
      CROSS_CHECK_FAILED: ['The question to FileMaker failed.', nothing],
      PERFORMER_FAILED: ['A fault of ours in mid-call. Unknown.', 'Nothing; FileMaker is asked. Please report it.'],
      TURN_FAILED: ['A fault before anything was sent.', 'Goes on by itself; when it repeats, look at the log.'],
      NO_PERFORMER: [
        'Nothing in this build performs this kind. Parked.',
        'A worker of another version? Update it, then resolve as again.',
      ],
      PROCESSING_FAILED: [
        'A fault while an event was read; it starts again.',
        "When it repeats, look at the workers' log.",
      ],
      PEER_AWAY: [
        'A circuit is open: FileMaker or Stripe does not answer.',
        'Bring it back; work resumes within a second.',
      ],
      PAUSED: ['A person paused it.', '`./bridge resume …`'],
      MAINTENANCE_WINDOW: [
        'A maintenance window of the configuration is open.',
        'Goes on by itself when it ends; `./bridge status` says when.',
      ],
    },
  },
  {
    title: 'FileMaker, beyond the table above',
    intro: 'Codes of the client that stand for no FileMaker number.',
    codes: {
      FILEMAKER_NOT_SENT: ['The request never left. Nothing happened.', 'Bring the server or the network back.'],
      FILEMAKER_CERTIFICATE: [
        "The server's certificate is not trusted. Nothing happened.",
        'Give its CA in FILEMAKER_CA_FILE.',
      ],
      FILEMAKER_UNHEARD: ['Sent, and no answer that tells what happened.', 'Nothing; FileMaker is asked.'],
      FILEMAKER_UNAVAILABLE: ['A read or login got no usable answer.', nothing],
      FILEMAKER_ANSWER_INVALID: [
        'An answer that is not in the form of the Data API.',
        'Look what stands between: a proxy, a login page?',
      ],
      FILEMAKER_ANSWER_TOO_LARGE: [
        'An answer larger than we accept.',
        'Use a layout with few fields for log and probe.',
      ],
      FILEMAKER_REQUEST_TOO_LARGE: [
        'The web server turned the request away for its length.',
        'Set FILEMAKER_HANDOFF_LAYOUT, then reprocess.',
      ],
      FILEMAKER_UNKNOWN_CODE: ['A code that we do not know.', 'Please report number and circumstances.'],
      FILEMAKER_CALL_FAILED: ['A fault of ours in a call. Unknown.', 'Nothing; FileMaker is asked. Please report it.'],
      FILEMAKER_OPTIONS: [
        'The client was given options that cannot work; the process does not start.',
        'Read the message.',
      ],
    },
  },
  {
    title: 'The session pool',
    intro: 'While one of these stands at an effect, nothing was sent and nothing is lost.',
    codes: {
      POOL_BUSY: [
        'All FileMaker sessions are in use, or logins are being paced.',
        'Nothing. When it is always so, raise FILEMAKER_MAX_SESSIONS if the licence allows.',
      ],
      POOL_CAPACITY: [
        'FileMaker has no room for another session.',
        'Close sessions of others, or lower FILEMAKER_MAX_SESSIONS.',
      ],
      POOL_HALTED: ['Logins are halted.', 'See the halt in `./bridge status`.'],
      POOL_UNAVAILABLE: ['FileMaker gave no session: away, or refusing.', 'Bring it back.'],
      POOL_REDIS_DOWN: ['Redis does not answer.', 'Bring it back; work goes on from PostgreSQL.'],
      POOL_DATABASE_DOWN: ['PostgreSQL does not answer.', 'Bring it back.'],
      POOL_ABORTED: ['The asker gave up.', 'Nothing.'],
      POOL_STOPPED: ['The worker is stopping.', 'Nothing.'],
      TOKEN_KEY_UNKNOWN: [
        'A stored session was sealed with a key that FILEMAKER_TOKEN_KEY does not have.',
        'Add the old key after a comma. Without it the session counts until it has surely expired.',
      ],
      TOKEN_SEAL_BROKEN: ['A stored session cannot be opened: the row or the key is damaged.', 'As above.'],
    },
  },
  {
    title: 'Stripe',
    intro: 'Codes of questions to Stripe. They change nothing there.',
    codes: {
      STRIPE_NOT_FOUND: [
        'No such object for this key, or it is of the other mode. Parked.',
        'Check the key and its mode, then reprocess.',
      ],
      STRIPE_REQUEST_INVALID: ['Stripe does not accept the question. Parked.', 'Please report it.'],
      STRIPE_ANSWER_UNEXPECTED: ['A well-formed answer that is not the object asked for. Parked.', 'Please report it.'],
      STRIPE_KEY_REFUSED: [
        'The key is not accepted. Stripe is halted.',
        'Set a valid STRIPE_API_KEY, restart, `./bridge resume stripe --why "…"`.',
      ],
      STRIPE_PERMISSION: [
        'The restricted key lacks a permission, named in the reason. Stripe is halted.',
        'Add the permission at Stripe, then `./bridge resume stripe --why "…"`.',
      ],
      STRIPE_RATE_LIMITED: [
        'Too many requests.',
        'Goes on by itself. When it is always so, lower STRIPE_READS_PER_SECOND.',
      ],
      STRIPE_CONFLICT: ['Another request holds the object.', nothing],
      STRIPE_UNAVAILABLE: ['Stripe is away or in trouble.', nothing],
      STRIPE_TIMEOUT: ['No complete answer in time.', nothing],
      STRIPE_ANSWER_UNREADABLE: [
        'No JSON, a redirect, or far too long: something stands between us and Stripe.',
        'Look at your proxy.',
      ],
      STRIPE_CLIENT_CLOSED: ['The worker is stopping.', 'Nothing.'],
      OTHER_PEER: [
        'This database belongs to another Stripe account or FileMaker file; the process does not start.',
        'Point it at the old one, or use a new database.',
      ],
    },
  },
  {
    title: 'Recovery, replay and going live',
    intro: 'Codes of events, effects and plans that a person has ordered or that recovery has brought.',
    codes: {
      BEFORE_GO_LIVE: [
        'Money from before the bridge went live (`./bridge golive`), and FileMaker does not show that it has happened. Parked, never sent by itself.',
        'Look at the invoice. Done by the older handler: resolve as done. Otherwise as again, or all at once with `./bridge golive --settle-older`.',
      ],
      LANE_BUSY: [
        'Another effect of the same invoice is on its way, because a person released this one meanwhile. Nothing was sent.',
        nothing,
      ],
      REPLAY_ORDER_GONE: [
        'The replay that ordered this event is not there any more, so nothing says what was to be sent. Nothing was sent.',
        'Order it anew: `./bridge replay … --dry-run`.',
      ],
      DONE_BEFORE_CORRECTION: [
        'FileMaker’s log shows that the script ran for this payment before its invoice was corrected here.',
        'Look in FileMaker which invoice it was applied to, put that right there, and end the effect with a person’s word.',
      ],
      HANDOFF_OLD: [
        'In FileMaker lies a hand-off record of this payment with the invoice from before the correction; it is never run.',
        'Delete that record in FileMaker, then release the effect.',
      ],
      SECOND_PAYMENT_OF_INVOICE: [
        'Another payment has settled the invoice that was given. Nothing was sent.',
        'Check the number. If both payments are meant for it: `--override --why`.',
      ],
      NOTHING_TO_RECORD: [
        'There is nothing settled in FileMaker that could be recorded by hand.',
        'Give the number without `--by-hand`.',
      ],
      RECORDED_FOR_ANOTHER: [
        'The payment is recorded for another invoice than the one that was given.',
        'To change it, say why: `--why`.',
      ],
      BY_HAND: [
        'A person has put it right in FileMaker by hand, and the bridge has recorded the other invoice.',
        'Nothing.',
      ],
      EFFECT_GONE: [
        'The payment is recorded, and the effect that belongs to it is not there.',
        'Look at its timeline; a database restored in part can look like this.',
      ],
      APPLIED_TO_ANOTHER: [
        'FileMaker has applied the payment to another invoice already; no second script is run.',
        'Put it right in FileMaker by hand, then record it with `--by-hand --why`.',
      ],
      CANCELLED_FOR_ANOTHER: [
        'A person has cancelled the effect of this payment; it is not taken up again.',
        'Put it right in FileMaker by hand, then record it with `--by-hand --why`.',
      ],
      ON_ITS_WAY_TO_ANOTHER: [
        'The effect is in hand, being sent, or being asked about at this moment, for the invoice from before.',
        'Try again in a minute.',
      ],
      MAY_HAVE_RUN: [
        'It was sent for another invoice, and may have run in FileMaker.',
        'Look in FileMaker, end the effect with a person’s word, then give the number again.',
      ],
      PAYMENT_RACED: [
        'Two events about one payment were decided in the same moment; nothing of this one was kept.',
        'Nothing: it is read again by itself.',
      ],
      CHANGED_SINCE: [
        'What would be sent now is not what the plan had shown. Nothing was sent.',
        'Plan anew: `./bridge replay … --dry-run`.',
      ],
      NAMES_ANOTHER_INVOICE: [
        'The Session names another invoice than the one a person gave. Nothing was sent.',
        'Leave out --invoice, or say why with `--override --why "…"`.',
      ],
      FETCH_FAILED: [
        'The list of events could not be read for a fault of the bridge. The mark stays where it was.',
        'It is tried again each time. When it stays, look at the worker’s log.',
      ],
      PREVIEW_FAILED: [
        'What a replay would do with this payment could not be found out, for a fault of the bridge. Nothing is sent.',
        'Look at the worker’s log, then plan anew.',
      ],
      REPLAY_FAULT: [
        'A plan stopped for a fault of the bridge; it keeps its place, and nothing is sent twice.',
        'Look at the worker’s log, then go on: `./bridge replay --resume PLAN`.',
      ],
    },
  },
  {
    title: 'Why a reconciliation waits or failed',
    intro:
      'Codes of runs (`./bridge reconcile`, table `reconciliation.runs`). A run that waits keeps its place; a failed one moves no window, so that the next one looks at its time again.',
    codes: {
      STRIPE_ALLOWANCE: [
        'Nine tenths of the reads that Stripe allows the account in 30 days are used; runs of the clock rest, a person’s run does not.',
        'Look at what else reads with this account. Set STRIPE_READS_PER_MONTH when Stripe has granted more, or give the frequent passes longer periods (`schedules` in the YAML file).',
      ],
      STRIPE_READS_WAITING: [
        'More reads wait for the shared budget in one worker than it will serve in time.',
        'Goes on by itself. When it is always so, raise STRIPE_READS_PER_SECOND as far as Stripe allows.',
      ],
      WORKER_STOPS: ['The worker was stopped in the middle; another one goes on.', nothing],
      RECONCILE_FAILED: [
        'A fault of the bridge; after five in a row without a page in between the run has failed.',
        'Look at the worker’s log of that time. The next run by the clock begins anew where the last finished one ended.',
      ],
      PASS_NOT_HERE: [
        'A person wanted a pass of a flow that is off, or that this build does not have.',
        'Name the flow in FLOWS, or update the workers.',
      ],
    },
  },
];

module.exports = { ourCodes };
