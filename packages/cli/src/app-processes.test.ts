import { dealOut } from './app-processes';

const portsOf = (env: NodeJS.ProcessEnv, choices: { workers: number; consolePort?: number }) =>
  dealOut(env, choices).map(({ name, env: own }) => [name, own.PORT, own.OPS_PORT]);

test('without ports each app has its own of the reference, and further workers follow', () => {
  expect(portsOf({}, { workers: 2 })).toEqual([
    ['ingress', undefined, '9464'],
    ['worker', undefined, '9465'],
    ['scheduler', undefined, '9466'],
    ['worker-2', undefined, '9467'],
  ]);
});

test('PORT is the ingress’s alone, and OPS_PORT the first of consecutive ports', () => {
  expect(portsOf({ PORT: '4000', OPS_PORT: '5000' }, { workers: 1, consolePort: 4002 })).toEqual([
    ['ingress', '4000', '5000'],
    ['worker', '4000', '5001'],
    ['scheduler', '4002', '5002'],
  ]);
  expect(portsOf({ PORT: '4000' }, { workers: 1 }).at(-1)).toEqual(['scheduler', undefined, '9466']);
});

test('0 is any free port for every one of them', () => {
  expect(portsOf({ PORT: '0', OPS_PORT: '0' }, { workers: 1 })).toEqual([
    ['ingress', '0', '0'],
    ['worker', '0', '0'],
    ['scheduler', '0', '0'],
  ]);
});
