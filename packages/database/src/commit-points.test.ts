import { statementLabel, transactionLabel } from './commit-points';

test('a statement that only reads is no commit, also when it locks', () => {
  expect(statementLabel('select * from effects.effects where id = $1 for update')).toBe(undefined);
  expect(statementLabel('select 1 from a for  update skip locked')).toBe(undefined);
  expect(statementLabel("select set_config('x', 'y', true)")).toBe(undefined);
});

test('each writing part of a statement gives its label a piece, without what stands before it', () => {
  expect(
    statementLabel(`with quick as (select 1), begun as (
        update effects.effects set state = 'sending' where id = $1 returning id)
      insert into effects.attempts (effect_id) select id from begun`),
  ).toBe(
    "update effects.effects set state = 'sending' where id = $1 returning id) insert + insert into effects.attempts (effect_id) select id from begun",
  );
});

test('what an insert does on a conflict is part of the insert', () => {
  expect(transactionLabel(['insert into inbox.events (a) values ($1) on conflict (a) do update set a = $1'])).toBe(
    'transaction of inbox.events',
  );
});

test('a transaction is named by the tables it wrote, each once; one that wrote nothing is no commit', () => {
  expect(transactionLabel(['begin', 'select 1', 'select a from b for update'])).toBe(undefined);
  expect(
    transactionLabel(['begin', 'update inbox.events set a = 1', 'delete from x.y', 'update inbox.events set b = 2']),
  ).toBe('transaction of inbox.events, x.y');
});
