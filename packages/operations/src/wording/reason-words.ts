/** Reasons that are stored as a code alone, since they are given for many rows, in words. */
const WORDS: Readonly<Record<string, string>> = {
  UNWANTED_TYPE: 'No flow that is on wants this type',
  OTHER_LIVEMODE: 'It belongs to the other mode, live or test',
};

/** Why a row stands as it does, for people: its own sentence, else what its code means, else the code. */
export const reasonText = (reason: string | null, code: string | null): string =>
  reason ?? (code === null ? '' : (WORDS[code] ?? code));
