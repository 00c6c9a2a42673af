import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const statement = /^(?:import|export)\s(?!type\s)(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;

export interface Imports {
  /** Files of the project, absolute. */
  files: Set<string>;
  packages: Set<string>;
}

/** Everything that is loaded with a file: static imports, followed through the project. Types are not loaded. */
export function followImports(file: string, into: Imports = { files: new Set(), packages: new Set() }): Imports {
  if (into.files.has(file)) return into;
  into.files.add(file);
  if (!existsSync(file)) return into;
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(statement)) {
    if (specifier.startsWith('.')) followImports(resolve(dirname(file), specifier), into);
    else into.packages.add(specifier);
  }
  return into;
}
