export type { Books, BooksSummary, LoginEntry, ScriptRun, WaitCondition } from './books';
export { createFileMakerSimulator, type FileMakerSimulator } from './filemaker-simulator';
export type { SimulatorSettings, SimulatorSettingsPatch } from './settings';
export type { TroubleRequest } from './trouble';
