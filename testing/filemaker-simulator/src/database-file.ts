import { z } from 'zod';
import { Table } from './table';

const validation = z.enum(['always', 'entry']);
const fieldDefinition = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['text', 'number', 'timestamp']).default('text'),
  unique: validation.optional(),
  required: validation.optional(),
});
export const databaseDefinition = z.strictObject({
  tables: z.record(z.string(), z.array(fieldDefinition)),
  /** A layout shows one table; without `fields` all of its fields. */
  layouts: z.record(z.string(), z.strictObject({ table: z.string(), fields: z.array(z.string()).optional() })),
});
export type DatabaseDefinition = z.input<typeof databaseDefinition>;

/** A window onto one table: only the fields placed on it can be seen (Claris: Data API guide, URL and data format notes). */
export interface Layout {
  readonly name: string;
  readonly table: Table;
  readonly fields: readonly string[];
}

/** One hosted file. `closedWith` is the code that logins get while it is closed (100 or 802). */
export class DatabaseFile {
  readonly name: string;
  readonly tables: ReadonlyMap<string, Table>;
  readonly layouts: ReadonlyMap<string, Layout>;
  closedWith: string | null = null;

  constructor(name: string, definition: unknown) {
    const { tables, layouts } = databaseDefinition.parse(definition);
    this.name = name;
    this.tables = new Map(Object.entries(tables).map(([table, fields]) => [table, new Table(table, fields)]));
    this.layouts = new Map(
      Object.entries(layouts).map(([layoutName, { table: tableName, fields }]) => {
        const table = this.tables.get(tableName);
        if (table === undefined)
          throw new Error(`Layout ${layoutName} shows table ${tableName}, which does not exist.`);
        return [layoutName, { name: layoutName, table, fields: fields ?? [...table.fields.keys()] }];
      }),
    );
  }

  table(name: string): Table {
    const table = this.tables.get(name);
    if (table === undefined) throw new Error(`Database ${this.name} has no table ${name}.`);
    return table;
  }
}
