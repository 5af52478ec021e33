import type { Tone } from './output';

const TONES: Readonly<Record<string, Tone>> = {
  parked: 'waits',
  unknown: 'note',
  done: 'fine',
  processed: 'fine',
  ignored: 'quiet',
  cancelled: 'quiet',
};

export const toneOfState = (state: string): Tone | undefined => TONES[state];
