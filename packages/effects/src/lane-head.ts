import { sql } from 'drizzle-orm';

/**
 * No older effect of the lane is alive, and none is on its way or unsettled. An unknown one is always the head: a person
 * may release an older one while it is being asked about, and each would wait for the other.
 */
export const isHead = sql`(e.lane is null or e.state = 'unknown' or not exists (
  select 1 from effects.effects o where o.lane = e.lane and o.id <> e.id
    and ((o.id < e.id and o.state in ('planned', 'sending', 'unknown')) or o.state in ('sending', 'unknown'))))`;
