import { spawnSync } from 'node:child_process';
import { chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { Account } from '../../src/demo/binaries.ts';
import type { Server } from '../../src/demo/server.ts';

/** Contents a standby must not start from; the folders themselves stay. */
const emptied = ['pg_replslot', 'pg_stat_tmp', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_subtrans'];

/** An online base backup of `primary` into `data`, on a connection that stays open meanwhile. */
export async function takeBackup(
  client: pg.Client,
  { primary, data, account }: { primary: Server; data: string; account: Account },
): Promise<void> {
  const isOld = primary.major < 15;
  await client.query(
    isOld ? "select pg_start_backup('standby', true, false)" : "select pg_backup_start('standby', true)",
  );
  const copied = spawnSync('cp', ['-a', primary.data, data], { ...account, cwd: '/', encoding: 'utf8' });
  const { rows } = await client.query(
    isOld ? 'select (pg_stop_backup(false, false)).labelfile' : 'select labelfile from pg_backup_stop(false)',
  );
  if (copied.status !== 0 && !/No such file/.test(copied.stderr)) throw new Error(`cp failed: ${copied.stderr}`);
  for (const file of ['postmaster.pid', 'postmaster.opts']) rmSync(join(data, file), { force: true });
  for (const name of emptied) {
    const folder = join(data, name);
    spawnSync('find', [folder, '-mindepth', '1', '-delete'], { cwd: '/' });
  }
  write(join(data, 'backup_label'), rows[0].labelfile, account);
  write(join(data, 'standby.signal'), '', account);
}

function write(file: string, text: string, { uid, gid }: Account): void {
  writeFileSync(file, text);
  if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
}
