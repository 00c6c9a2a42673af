import type { Risk } from '../model.ts';

/** Which half of the policies a target uses. */
export const environments = ['production', 'elsewhere'] as const;
export type Environment = (typeof environments)[number];

/**
 * The asker's own yes: counts · counts once they typed the target's name and a reason · never counts. What the bot
 * proposed has no asker.
 */
export type AskerRule = 'counts' | 'typed' | 'never';

interface Cell {
  people: number;
  asker: AskerRule;
}

/** Who must approve where the configuration doesn't say. */
export const cells: Record<Environment, Record<Risk, Cell>> = {
  production: {
    low: { people: 1, asker: 'counts' },
    medium: { people: 1, asker: 'typed' },
    high: { people: 2, asker: 'never' },
    irreversible: { people: 2, asker: 'never' },
  },
  elsewhere: {
    low: { people: 1, asker: 'counts' },
    medium: { people: 1, asker: 'counts' },
    high: { people: 1, asker: 'never' },
    irreversible: { people: 1, asker: 'never' },
  },
};

/** What can't be undone is refused until the configuration allows it. */
export function isOffByDefault(risk: Risk): boolean {
  return risk === 'irreversible';
}

export function environmentOf(word: string): Environment {
  return word === 'production' ? 'production' : 'elsewhere';
}
