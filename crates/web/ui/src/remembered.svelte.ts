/** A choice that this browser remembers, such as cards or a table. The first of its values is the usual one. */
export class Remembered<T extends string> {
  value: T = $state() as T;

  constructor(
    private readonly key: string,
    values: readonly [T, ...T[]],
  ) {
    let stored: string | null = null;
    try {
      stored = localStorage.getItem(key);
    } catch {
      // storage is denied: the choice lasts as long as the page
    }
    this.value = values.find((value) => value === stored) ?? values[0];
  }

  choose(value: T): void {
    this.value = value;
    try {
      localStorage.setItem(this.key, value);
    } catch {
      // see above
    }
  }
}

export function remembered<T extends string>(key: string, values: readonly [T, ...T[]]): Remembered<T> {
  return new Remembered(key, values);
}
