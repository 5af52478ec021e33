import { createFileMakerSimulator, type SimulatorSettingsPatch } from '@bridge/filemaker-simulator';
import { playFileMakerSimulator } from '../play-simulator';
import { answersOf, type Report } from '../run-suite';
import { createControl } from '../simulator-control';
import { OTHER_SETTINGS, SWITCH_SETTINGS } from './switch-settings';

// Sixty cases a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

type Settings = Readonly<Record<string, unknown>>;

const QUICK = { loginMs: 0, scriptMs: 0 };
let defaults: Settings;
/** Runs by the settings that they were played under: what is a switch's default already is played once for all. */
const played = new Map<string, Promise<Report>>();

async function withSimulator<T>(patch: Settings, use: (url: string) => Promise<T>): Promise<T> {
  const simulator = createFileMakerSimulator({ ...QUICK, ...patch } as SimulatorSettingsPatch);
  const { url } = await simulator.listen();
  try {
    return await use(url);
  } finally {
    await simulator.close();
  }
}

function playUnder(patch: Settings): Promise<Report> {
  const changed = Object.entries(patch).filter(
    ([name, value]) => JSON.stringify(defaults[name]) !== JSON.stringify(value),
  );
  const key = JSON.stringify(changed);
  const report = played.get(key) ?? withSimulator(patch, (url) => playFileMakerSimulator({ url, run: 'contract-1' }));
  played.set(key, report);
  return report;
}

function faultsOf(report: Report): string[] {
  return report.cases.flatMap(({ id, deviations, reason }) =>
    [...deviations, ...(reason === null ? [] : [reason])].map((fault) => `${id}: ${fault}`),
  );
}

beforeAll(async () => {
  defaults = await withSimulator({}, (url) => createControl(url)<Settings>('GET', '/settings'));
});

test.each(SWITCH_SETTINGS)('$switch $value is what a run shows, and every case holds', async ({ patch, shows }) => {
  const report = await playUnder(patch);
  expect(faultsOf(report)).toEqual([]);
  const answers = answersOf(report);
  for (const [question, answer] of Object.entries(shows))
    expect([question, answers.get(question)]).toEqual([question, [answer]]);
});

test.each(OTHER_SETTINGS)('$switch $value changes nothing that a case looks at', async ({ patch }) => {
  expect(faultsOf(await playUnder(patch))).toEqual([]);
});
