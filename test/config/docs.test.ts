import { describe, expect, it } from 'vitest';
import { configReference } from '../../src/config/docs.ts';

describe('the reference', () => {
  const rows = configReference().trim().split('\n');

  it('is one table with four columns', () => {
    for (const row of rows) expect(row.replaceAll('\\|', '').match(/\|/g)).toHaveLength(5);
  });

  it.each([
    '| `slack.mode` | socket or http | `socket` | `socket` needs no public address; `http` is called by Slack |',
    '| `slack.signingSecret` | text | required | mode http: signing secret of the Slack app |',
    '| `approvers.<group>` | list of Slack user ids | none | a group: the people who may approve, by Slack user id |',
    '| `policies.production.high` | off, or a mapping of people, of, asker | { people: 2, asker: never } | who must approve a runbook of risk high; off: none is run |',
    '| `targets[].nodes[].url` | postgres:// URL | required | connection for looking: read-only, never used to act |',
    "| `jobs.<job>.after` | duration such as 15m | the job's own | found for this long before an alert fires |",
  ])('has the row %s', (row) => {
    expect(rows).toContain(row);
  });

  it('says of every key what it does, and each key once', () => {
    const cells = rows.slice(2).map((row) => row.split(' | '));
    for (const [, type, byDefault, does] of cells) {
      expect([type, byDefault, does?.replace(' |', '')]).not.toContain('');
    }
    expect(new Set(cells.map(([key]) => key)).size).toBe(cells.length);
  });
});
