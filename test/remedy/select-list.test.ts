import { expect, test } from 'vitest';
import { columnsOf } from '../../src/remedy/runbook/select-list.ts';

test.each<[string, (string | null)[] | null]>([
  ['select 1 as a, b, c.d', ['a', 'b', 'd']],
  ['SELECT DISTINCT x.Y, "Z", "p"."a ""b"""', ['y', 'Z', 'a "b"']],
  ["select c.oid::text as index_oid, coalesce(a, ',') as b from c", ['index_oid', 'b']],
  ['select (select x from y) as z, extract(epoch from q) as e from t', ['z', 'e']],
  ["select a is distinct from b as c, 'from' as d from t", ['c', 'd']],
  ['with w as (select 1 as n) select n as m from w', ['m']],
  ['select a as b -- as c\n, /* , */ d union select e as f', ['b', 'd']],
  ['select :\'x\' as y, :"x".z from q', ['y', 'z']],
  ['select a.*, now(), 1 + 2, x y, 5, array[1, 2] as l', [null, null, null, null, null, 'l']],
  ['select from t', []],
  ['values (1)', null],
])('%s has the columns %j', (sql, columns) => {
  expect(columnsOf(sql)).toEqual(columns);
});
