export {
  changed,
  createDatabase,
  type Database,
  type DatabaseOptions,
  type Executor,
  oneRow,
  quickCommit,
  rows,
  type Transaction,
  TransactionOverError,
  TransactionRolledBackError,
} from './database';
export {
  assertMigrated,
  type Migration,
  MigrationError,
  type MigrationSource,
  migrate,
  pendingMigrations,
  readMigrations,
} from './migrate';
