import type { Scenario } from '../scenario';
import { answersCut } from './answers-cut';
import { capacityStorm } from './capacity-storm';
import { deploy } from './deploy';
import { duplicatesAndDisorder } from './duplicates-and-disorder';
import { everything } from './everything';
import { filemakerDown } from './filemaker-down';
import { filemakerHang } from './filemaker-hang';
import { plantedDouble } from './planted-double';
import { plantedLoss } from './planted-loss';
import { postgresRestarted } from './postgres-restarted';
import { recordLocked } from './record-locked';
import { redisDown } from './redis-down';
import { redisFlushed } from './redis-flushed';
import { sessionStorm } from './session-storm';
import { stripeDown } from './stripe-down';
import { workerKilled } from './worker-killed';

/** In the order in which `all` plays them; the ones that must fail are played by name only. */
export const scenarios: readonly Scenario[] = [
  filemakerDown,
  filemakerHang,
  capacityStorm,
  sessionStorm,
  recordLocked,
  answersCut,
  redisFlushed,
  redisDown,
  workerKilled,
  postgresRestarted,
  duplicatesAndDisorder,
  deploy,
  stripeDown,
  everything,
  plantedLoss,
  plantedDouble,
];
