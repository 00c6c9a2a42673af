import { type CheckResult, type Finding, isCovered, type Severity } from '../model.ts';

/** An alert that is not resolved, as track needs it. */
export interface OpenAlert {
  id: number;
  node: string;
  database: string | null;
  fingerprint: string;
  state: 'pending' | 'firing';
  severity: Severity;
  firstSeenAt: Date;
  clearCount: number;
  isStale: boolean;
  /** A run for it has been verified: it need not be gone for several checks to be believed. */
  isFixed: boolean;
}

export type Transition =
  /** Seen for the first time, not yet for long enough. */
  | { reason: 'noticed'; finding: Finding }
  | { reason: 'waiting'; id: number; finding: Finding }
  | { reason: 'opened'; id: number | null; finding: Finding }
  | { reason: 'worsened' | 'improved' | 'unchanged'; id: number; finding: Finding }
  /** Below the threshold, but not below the clearing level. */
  | { reason: 'lingering'; id: number }
  | { reason: 'clearing'; id: number; clearCount: number }
  | { reason: 'resolved'; id: number }
  /** Was never shown, and is gone. */
  | { reason: 'forgotten'; id: number }
  /** Could not be looked at: resolves nothing. */
  | { reason: 'stale'; id: number; why: string };

export interface TrackInput {
  alerts: readonly OpenAlert[];
  result: CheckResult;
  afterSeconds: number;
  clearSamples: number;
  now: Date;
}

/** What a check's result does to the alerts of its job on its target. Pure. */
export function track(input: TrackInput): Transition[] {
  const found = byFingerprint(input.result.findings);
  const known = new Set(input.alerts.map((alert) => alert.fingerprint));
  const opened = [...found.values()]
    .filter((finding) => !known.has(finding.fingerprint))
    .map(
      (finding): Transition =>
        input.afterSeconds === 0 ? { reason: 'opened', id: null, finding } : { reason: 'noticed', finding },
    );
  return [...input.alerts.map((alert) => trackAlert(alert, found, input)), ...opened];
}

/** Two findings of one fingerprint are one trouble: the worse one speaks. */
function byFingerprint(findings: readonly Finding[]): Map<string, Finding> {
  const map = new Map<string, Finding>();
  for (const finding of findings) {
    const other = map.get(finding.fingerprint);
    if (!other || rank(finding.severity) > rank(other.severity)) map.set(finding.fingerprint, finding);
  }
  return map;
}

function trackAlert(alert: OpenAlert, found: Map<string, Finding>, input: TrackInput): Transition {
  const finding = found.get(alert.fingerprint);
  if (finding) return trackFound(alert, finding, input);
  const { id } = alert;
  if (!isCovered(input.result.covered, alert)) return { reason: 'stale', id, why: whyUncovered(alert, input.result) };
  if (alert.state === 'pending') return { reason: 'forgotten', id };
  if (input.result.lingering.some((one) => one.fingerprint === alert.fingerprint)) return { reason: 'lingering', id };
  const clearCount = alert.clearCount + 1;
  const isClear = alert.isFixed || clearCount >= input.clearSamples;
  return isClear ? { reason: 'resolved', id } : { reason: 'clearing', id, clearCount };
}

function trackFound(alert: OpenAlert, finding: Finding, input: TrackInput): Transition {
  const { id } = alert;
  if (alert.state === 'pending') {
    const seconds = (input.now.getTime() - alert.firstSeenAt.getTime()) / 1000;
    return { reason: seconds >= input.afterSeconds ? 'opened' : 'waiting', id, finding };
  }
  const change = rank(finding.severity) - rank(alert.severity);
  return { reason: change > 0 ? 'worsened' : change < 0 ? 'improved' : 'unchanged', id, finding };
}

function whyUncovered(alert: OpenAlert, result: CheckResult): string {
  const { unjudged } = result;
  const ofDatabase = unjudged.find(({ database }) => database !== undefined && database === alert.database);
  const blind = ofDatabase ?? unjudged.find((one) => one.node === alert.node) ?? unjudged[0];
  return blind?.reason ?? result.reason ?? 'it was not checked';
}

function rank(severity: Severity): number {
  return { info: 0, warning: 1, critical: 2 }[severity];
}
