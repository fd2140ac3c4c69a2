/** The rules of a session as the person in front of it meets them. */
import type { ConsoleInfo } from '../api';

type Policy = ConsoleInfo['policy'];

/** A message, and whether it is so. */
export interface Rule {
  id: string;
  on: boolean;
}

export function mayCopyIn(policy: Policy | undefined): boolean {
  return policy?.clipboard_to_target !== 'deny';
}

export function mayCopyOut(policy: Policy | undefined): boolean {
  return policy?.clipboard_to_viewer !== 'deny';
}

/** What may be done here, in the order in which people ask. Files and sound are nothing that a browser's console has. */
export function rulesOf(policy: Policy | undefined): Rule[] {
  if (!policy) return [];
  const typing = policy.view_only !== true;
  return [
    { id: 'rule-input', on: typing },
    { id: 'policy-clipboard-in', on: typing && mayCopyIn(policy) },
    { id: 'policy-clipboard-out', on: mayCopyOut(policy) },
    { id: 'policy-resize', on: typing && policy.resize !== false },
    { id: 'policy-power', on: typing && policy.power === true },
  ];
}

/** Whether somebody changed what may be done. Time and frozen input are told elsewhere. */
export function rulesDiffer(one: Policy | undefined, other: Policy | undefined): boolean {
  const shape = (policy: Policy | undefined) =>
    JSON.stringify([
      rulesOf(policy),
      policy?.max_idle ?? null,
      policy?.clipboard_to_target,
      policy?.clipboard_to_viewer,
    ]);
  return one !== undefined && other !== undefined && shape(one) !== shape(other);
}
