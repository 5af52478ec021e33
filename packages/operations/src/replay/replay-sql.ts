import { type SQL, sql } from 'drizzle-orm';

export const json = (value: unknown): SQL => sql`${JSON.stringify(value)}::jsonb`;
export const date = (text: string | null): Date | null => (text === null ? null : new Date(text));
