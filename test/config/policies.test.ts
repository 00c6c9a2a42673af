// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import { describe, expect, it } from 'vitest';
import { edited, load, minimal, problemsOf } from './sample.ts';

const url = 'postgres://mon:${MON}@db1:5432/orders';
const acting = edited(url, `${url}\n        actions: { signal: "postgres://sig:\${MON}@db1:5432/orders" }`);
const actingElsewhere = acting.replace('channel:', 'environment: staging\n    channel:');
const nobody =
  '11:9: error: this node may be acted upon, and `approvers` lists nobody who could approve it (list them by Slack user id, or remove `actions`: then the bot only observes)';
const mend = '(what the bot proposes has no asker; one more person mends it)';
const others = (setting: string, people: string) =>
  `warning: policies.${setting} needs ${people} besides the asker: what an approver asks for, nobody else is left to approve ${mend}`;
const unmet = (setting: string, people: string, count: string) => {
  const [environment, risk] = setting.split('.');
  const hint = `(add people to \`approvers\`, ask for fewer, or write ${risk}: off under policies.${environment})`;
  return `policies.${setting} needs ${people}, and ${count} can approve ${hint}`;
};

describe('the policies', () => {
  it('are the table of defaults, with everybody who may approve', () => {
    const { config } = load(`${minimal}approvers: { dba: [U0A, U0B], ops: [U0B, U0C] }\n`);
    const all = { of: ['U0A', 'U0B', 'U0C'], groups: ['dba', 'ops'] };
    expect(config?.policies).toEqual({
      production: {
        low: { people: 1, asker: 'counts', ...all },
        medium: { people: 1, asker: 'typed', ...all },
        high: { people: 2, asker: 'never', ...all },
        irreversible: 'off',
      },
      elsewhere: {
        low: { people: 1, asker: 'counts', ...all },
        medium: { people: 1, asker: 'counts', ...all },
        high: { people: 1, asker: 'never', ...all },
        irreversible: 'off',
      },
    });
  });

  it('keep the default of what a policy leaves out', () => {
    const policies = 'policies: { production: { low: off, high: { of: [dba] }, irreversible: {} } }';
    const { config } = load(`${minimal}approvers: { dba: [U0A, U0B, U0C], ops: [U0D] }\n${policies}\n`);
    const dba = { of: ['U0A', 'U0B', 'U0C'], groups: ['dba'] };
    expect(config?.policies.production).toMatchObject({
      low: 'off',
      medium: { people: 1, asker: 'typed' },
      high: { people: 2, asker: 'never', ...dba },
      irreversible: { people: 2, asker: 'never', groups: ['dba', 'ops'] },
    });
  });

  it.each([
    ['production', 'production'],
    ['staging', 'elsewhere'],
    ['prod', 'elsewhere'],
  ])('of environment %s are those of %s', (environment, policies) => {
    const { config } = load(edited('channel:', `environment: ${environment}\n    channel:`));
    expect(config?.targets[0]).toMatchObject({ environment, policies });
  });
});

describe('a policy that cannot be met', () => {
  it.each([
    ['nobody is listed', acting, [nobody]],
    ['nobody is listed elsewhere', actingElsewhere, [nobody.replace('11', '12')]],
    [
      'there are too few for the default',
      `${acting}approvers: { dba: [U0A] }\n`,
      [`12:1: error: ${unmet('production.high', '2 people', 'only 1')}`],
    ],
    [
      'a group is too small',
      `${acting}approvers: { dba: [U0A], ops: [U0B, U0C] }\npolicies: { production: { high: { of: [dba] } } }\n`,
      [`13:27: error: ${unmet('production.high', '2 people', 'only 1')}`],
    ],
    [
      'one person is in two groups',
      `${acting}approvers: { dba: [U0A], ops: [U0A] }\n`,
      [`12:1: error: ${unmet('production.high', '2 people', 'only 1')}`],
    ],
    [
      'a group is not known',
      `${acting}approvers: { dba: [U0A, U0B, U0C] }\npolicies: { production: { low: { of: [dbb] } } }\n`,
      ['13:39: error: there is no group "dbb" in approvers (did you mean "dba"?)'],
    ],
    [
      'its numbers are wrong',
      `${minimal}policies: { production: { low: { people: 0 }, high: 2, medium: { asker: maybe } } }\n`,
      [
        '11:42: error: must be at least 1',
        '11:53: error: expected off, or a mapping of people, of, asker, found a number',
        '11:73: error: "maybe" is not one of counts, typed, never',
      ],
    ],
  ])('is an error when %s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it.each([
    [
      'the last approvers may be the ones who ask',
      `${acting}approvers: { dba: [U0A, U0B] }\n`,
      [`12:1: ${others('production.high', '2 people')}`],
    ],
    [
      'the only approver may be the one who asks',
      `${actingElsewhere}approvers: { dba: [U0A] }\n`,
      [`13:1: ${others('elsewhere.high', '1 person')}`],
    ],
    [
      'nothing is acted upon there',
      `${minimal}policies: { production: { high: { people: 3 } } }\n`,
      [`11:27: warning: ${unmet('production.high', '3 people', 'nobody')}`],
    ],
  ])('is a warning when %s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
    expect(load(text).config).not.toBeNull();
  });

  it.each([
    ['only observed', minimal],
    ['observed and has too few approvers', `${minimal}approvers: { dba: [U0A] }\n`],
    ['acted upon under no policy', `${acting}policies: { production: { low: off, medium: off, high: off } }\n`],
    ['acted upon, with three approvers', `${acting}approvers: { dba: [U0A, U0B, U0C] }\n`],
  ])('is no matter where a target is %s', (_, text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});
