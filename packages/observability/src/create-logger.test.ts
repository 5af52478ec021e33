import { createLogger } from './create-logger';

function setup() {
  const lines: string[] = [];
  const logger = createLogger({ name: 'test', level: 'debug', destination: { write: (line) => lines.push(line) } });
  return { logger, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') };
}

describe('createLogger', () => {
  test('an entry is one JSON line with level as a word, ISO time, name, message and fields', () => {
    const { logger, lines, last } = setup();
    logger.info({ eventId: 'evt_1', count: 3 }, 'two\nlines');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(last()).toMatchObject({ level: 'info', name: 'test', msg: 'two\nlines', eventId: 'evt_1', count: 3 });
    expect(last().time).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
  });

  test.each([
    'password',
    'FILEMAKER_PASSWORD'.slice(10),
    'token',
    'sessionToken',
    'X-FM-Data-Access-Token',
    'authorization',
    'Authorization',
    'cookie',
    'stripe-signature',
    'apiKey',
    'api_key',
    'webhookSecrets',
    'tokenKeys',
    'email',
    'customer_details',
    'customerDetails',
    'shipping',
    'receipt_url',
    'payload',
    'body',
    'script.param',
    'fieldData',
  ])('what stands under %s never prints, at any depth, in child bindings and in error causes', (name) => {
    const { logger, lines } = setup();
    const secret = { zq9: 'zq9', list: ['zq9'] };
    logger.info({ [name]: 'zq9' }, 'flat');
    logger.info({ a: { b: [{ c: { [name]: secret } }] } }, 'deep');
    logger.info({ map: new Map([[name, 'zq9']]) }, 'map');
    logger.child({ [name]: 'zq9' }).info('child');
    logger.error({ err: Object.assign(new Error('outer', { cause: { [name]: 'zq9' } }), { [name]: 'zq9' }) }, 'error');
    expect(lines).toHaveLength(5);
    expect(lines.join('')).not.toContain('zq9');
  });

  test.each([
    ['a live key', 'sk_live_zq9ABC'],
    ['a restricted key', 'rk_test_zq9ABC'],
    ['a webhook secret', 'whsec_zq9+/AB='],
    ['a bearer token', 'Authorization: Bearer zq9.ABC-_'],
    ['a basic login', 'Basic enE5zq9=='],
    ['an address with a password', 'postgresql://user:zq9@host:5432/db'],
    ['an address with only a password', 'redis://:zq9@host'],
    ['a Slack hook', 'https://hooks.slack.com/services/zq9'],
    ['a mail address', 'rhonda.zq9@example.com'],
  ])('%s inside any text is masked: message, field, error message, stack, placeholder', (_what, secret) => {
    const { logger, lines } = setup();
    logger.info(`said ${secret} here`);
    logger.info('said %s here', secret);
    logger.info({ note: `said ${secret} here`, nested: [secret], url: secret });
    logger.error(new Error(`failed with ${secret}`));
    logger.error({ err: new Error('outer', { cause: new Error(secret) }) });
    expect(lines).toHaveLength(5);
    for (const line of lines) {
      expect(line).not.toContain('zq9');
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });

  test('an error keeps its name, code, stage and cause, and loses every other field', () => {
    const { logger, last } = setup();
    const error = Object.assign(new TypeError('broken', { cause: new RangeError('why') }), {
      code: 'E1',
      stage: 'not-sent',
      again: true,
      header: 't=1,v1=zq9',
      raw: { email: 'zq9' },
    });
    logger.error({ err: error }, 'failed');
    expect(last().err).toMatchObject({
      name: 'TypeError',
      message: 'broken',
      code: 'E1',
      stage: 'not-sent',
      again: true,
      cause: { name: 'RangeError', message: 'why' },
    });
    expect(JSON.stringify(last())).not.toContain('zq9');
  });

  test('a failed query prints neither its statement nor its values', () => {
    const { logger, last } = setup();
    const cause = Object.assign(new Error('null value in column "body"'), { code: '23502', detail: 'zq9' });
    const error = Object.assign(new Error('Failed query: insert zq9\nparams: zq9\n    zq9 at home', { cause }), {
      query: 'insert zq9',
      params: ['zq9'],
    });
    logger.error({ err: error }, 'not stored');
    expect(last().err).toMatchObject({ message: 'a query failed', cause: { code: '23502' } });
    expect(JSON.stringify(last())).not.toContain('zq9');
  });

  test('bytes, cycles, URLs, big integers and endless lists do no harm', () => {
    const { logger, last } = setup();
    const cycle: Record<string, unknown> = { name: 'cycle' };
    cycle.self = cycle;
    logger.info({
      bytes: Buffer.from('zq9'),
      cycle,
      big: 12n,
      address2: new URL('https://u:zq9@h/'),
      many: Array(1e5).fill(1),
    });
    expect(last()).toMatchObject({ bytes: '[3 bytes]', big: '12' });
    expect(last().many).toHaveLength(100);
    expect(JSON.stringify(last())).not.toContain('zq9');
  });

  test('ids, counts and plain words stay readable', () => {
    const { logger, last } = setup();
    logger.info(
      { eventId: 'evt_1', sessionId: 'cs_test_a1', bodyBytes: 12, at: new Date(0), none: null },
      'stored evt_1',
    );
    expect(last()).toMatchObject({
      eventId: 'evt_1',
      sessionId: 'cs_test_a1',
      bodyBytes: 12,
      at: '1970-01-01T00:00:00.000Z',
      none: null,
      msg: 'stored evt_1',
    });
  });
});
