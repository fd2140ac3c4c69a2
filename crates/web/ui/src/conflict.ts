/** Two people change the same thing: what the other one changed, so that nobody overwrites it unseen. */

export interface Difference<K extends string = string> {
  field: K;
  /** As it was when the form was opened. */
  before: unknown;
  /** As the other person left it. */
  theirs: unknown;
  /** As it stands in the form. */
  mine: unknown;
  /** Both changed it, to different things. */
  clash: boolean;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** The fields that changed between what the form began with and what is stored now. */
export function differences<T extends object>(before: T, theirs: T, mine: T): Difference<keyof T & string>[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(theirs)])] as (keyof T & string)[];
  return fields
    .filter((field) => !same(before[field], theirs[field]))
    .map((field) => ({
      field,
      before: before[field],
      theirs: theirs[field],
      mine: mine[field],
      clash: !same(mine[field], before[field]) && !same(mine[field], theirs[field]),
    }));
}

/** What the other person changed, with what the form changes on top. */
export function merged<T extends object>(before: T, theirs: T, mine: T): T {
  const result: T = { ...theirs };
  for (const field of Object.keys(mine) as (keyof T)[]) {
    if (!same(mine[field], before[field])) result[field] = mine[field];
  }
  return result;
}
