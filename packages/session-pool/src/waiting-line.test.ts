import { type Waiter, WaitingLine } from './waiting-line';

const waiter = (arrivedAt: number, priority: Waiter['priority'] = 'work'): Waiter => ({ arrivedAt, priority });

test('whoever came first is served first', () => {
  const line = new WaitingLine(30_000);
  const [first, second, third] = [waiter(1), waiter(2), waiter(3)];
  for (const each of [first, second, third]) line.add(each);
  expect(line.nextTwo(10)).toEqual([first, second]);
  line.remove(first);
  expect(line.nextTwo(10)).toEqual([second, third]);
});

test('one that returns to the line gets its old place back', () => {
  const line = new WaitingLine(30_000);
  const [first, second] = [waiter(1), waiter(2)];
  line.add(second);
  line.add(first);
  expect(line.nextTwo(10)).toEqual([first, second]);
});

test('a cross-check goes before all work once it has waited its time, and not before', () => {
  const line = new WaitingLine(30_000);
  const [work, check] = [waiter(1), waiter(2, 'cross-check')];
  line.add(work);
  line.add(check);
  expect(line.nextTwo(30_001)).toEqual([work, check]);
  expect(line.nextTwo(30_002)).toEqual([check, work]);
});

test('leaving twice is told', () => {
  const line = new WaitingLine(30_000);
  const only = waiter(1);
  line.add(only);
  expect([line.remove(only), line.remove(only), line.size]).toEqual([true, false, 0]);
});
