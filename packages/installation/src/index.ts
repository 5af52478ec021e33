import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export {
  adoptPeers,
  confirmPeer,
  fingerprint,
  type Installation,
  OtherPeerError,
  type Peer,
  readInstallation,
} from './installation';

export const installationMigrations: MigrationSource = {
  owner: 'installation',
  directory: join(__dirname, '../migrations'),
};
