const units = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** "12.4 GB"; 1 kB is 1,024 bytes, as PostgreSQL counts. */
export function inBytes(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const figure = bytes / 1024 ** power;
  return `${figure < 10 && power > 0 ? figure.toFixed(1) : Math.round(figure)} ${units[power]}`;
}
