/** For what appears below the fold of a form: whoever pressed its button must not have to look for the answer. */
export function seen(node: HTMLElement): void {
  node.scrollIntoView({ block: 'nearest' });
}
