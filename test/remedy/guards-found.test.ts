import { describe, expect, it } from 'vitest';
import { pidOf } from '../runbooks/ward.ts';
import { planOf } from '../support/remedy.ts';
import { newest } from '../support/servers.ts';
import { refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

describe('the job that found it is asked again', () => {
  const ward = useGuardWard(newest);

  it('and must offer what was approved: the plan may know more than the offer, and never other than it', async () => {
    const idle = await ward.session();
    await idle.query('begin; select 1');
    const [run] = await ward.remedy.propose('long-transactions', pidOf(idle));
    if (!run) throw new Error('nothing was proposed');
    const { params } = planOf(run);
    const still = await ward.judge(run, { plan: { params: { ...params, read_later: '1' } } });
    expect(refusalOf(still)).toBeNull();
    expect(saysOf(still)).toContain('long-transactions still finds it');
    const other = await ward.judge(run, { plan: { params: { ...params, least_waiters: '7' } } });
    expect(refusalOf(other)).toBe('long-transactions was asked again and no longer finds this trouble');
    const elsewhere = await ward.judge(run, { plan: { database: 'postgres' }, into: ward.database.name });
    expect(refusalOf(elsewhere)).toBe('long-transactions was asked again and no longer finds this trouble');
  });
});
