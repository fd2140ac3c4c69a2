import { describe, expect, it } from 'vitest';
import { mayCopyIn, rulesDiffer, rulesOf } from './rules';

const policy = {
  view_only: false,
  frozen: false,
  clipboard_to_target: { allow: { max_bytes: 1024 } },
  clipboard_to_viewer: 'deny' as const,
  resize: true,
  power: false,
  max_duration: 900,
  max_idle: null,
};

const allowed = (rules: ReturnType<typeof rulesOf>) => rules.filter(({ on }) => on).map(({ id }) => id);

describe('the rules of a session', () => {
  it('are told by what may be done', () => {
    expect(allowed(rulesOf(policy))).toEqual(['rule-input', 'policy-clipboard-in', 'policy-resize']);
  });

  it('leave nothing but the clipboard outwards to those who only look', () => {
    const watching = { ...policy, view_only: true, power: true, clipboard_to_viewer: { allow: { max_bytes: 1 } } };
    expect(allowed(rulesOf(watching))).toEqual(['policy-clipboard-out']);
  });

  it('are none before the server told them, and then nothing is forbidden', () => {
    expect(rulesOf(undefined)).toEqual([]);
    expect(mayCopyIn(undefined)).toBe(true);
  });

  it('differ by what people may, not by the time that is left or by a freeze', () => {
    expect(rulesDiffer(policy, { ...policy, max_duration: 1800, frozen: true })).toBe(false);
    expect(rulesDiffer(policy, { ...policy, max_idle: 60 })).toBe(true);
    expect(rulesDiffer(policy, { ...policy, view_only: true })).toBe(true);
    expect(rulesDiffer(undefined, policy)).toBe(false);
  });
});
