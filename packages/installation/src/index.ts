export {
  adoptPeers,
  confirmPeer,
  fingerprint,
  type Installation,
  livesElsewhere,
  noteFirstLive,
  noticeRestore,
  OtherPeerError,
  type Peer,
  type RecoveryStart,
  readInstallation,
  readRecoveryStart,
  setLiveFrom,
} from './installation';
export { installationMigrations } from './migrations';
