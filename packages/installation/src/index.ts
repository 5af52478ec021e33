export {
  adoptPeers,
  confirmPeer,
  fingerprint,
  type Installation,
  OtherPeerError,
  type Peer,
  readInstallation,
} from './installation';
export { installationMigrations } from './migrations';
