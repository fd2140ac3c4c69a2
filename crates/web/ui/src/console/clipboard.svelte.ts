/**
 * The clipboard between the person and the machine, as far as the browser lets it.
 *
 * `automatic`: the browser granted reading, both directions follow the focus. `ask`: it would ask first.
 * `manual`: it refuses or has no such thing (no HTTPS, or another browser); then the panel's text field does it.
 */
import type { ConsoleSession } from './session.svelte';

export type Mode = 'automatic' | 'ask' | 'manual';

export class Sharing {
  mode: Mode = $state('manual');
  /** The machine copied something that could not be put into the person's clipboard. */
  waiting = $state(false);
  private last = '';
  private permission: PermissionStatus | undefined;

  constructor(private readonly session: () => ConsoleSession | undefined) {}

  async start(): Promise<void> {
    if (!navigator.clipboard?.readText || !navigator.permissions) return;
    try {
      this.permission = await navigator.permissions.query({ name: 'clipboard-read' as PermissionName });
    } catch {
      return; // this browser knows no such permission: it asks with every reading, which would be in the way
    }
    this.readMode();
    this.permission.onchange = () => this.readMode();
  }

  stop(): void {
    if (this.permission) this.permission.onchange = null;
  }

  private readMode(): void {
    const state = this.permission?.state;
    this.mode = state === 'granted' ? 'automatic' : state === 'prompt' ? 'ask' : 'manual';
  }

  /** The person came back to the screen: what they copied elsewhere goes to the machine. */
  async follow(): Promise<void> {
    if (this.mode !== 'automatic' || !document.hasFocus()) return;
    try {
      const text = await navigator.clipboard.readText();
      if (text !== '' && text !== this.last && text !== this.session()?.clipboard) this.send(text);
    } catch {
      // the focus left meanwhile
    }
  }

  async ask(): Promise<void> {
    try {
      await navigator.clipboard.readText();
    } catch {
      // refused: onchange has told
    }
    await this.follow();
  }

  send(text: string): void {
    const session = this.session();
    if (!session?.screen || !session.mayCopyIn) return;
    this.last = text;
    session.screen.clipboardPasteFrom(text);
  }

  /** The machine copied. */
  async receive(text: string): Promise<void> {
    this.last = text;
    this.waiting = !(await write(text));
  }

  /** By the person's own press on a button, so every browser allows it one way or the other. */
  async copy(text: string, area: HTMLTextAreaElement): Promise<boolean> {
    this.last = text;
    if (await write(text)) {
      this.waiting = false;
      return true;
    }
    area.focus();
    area.select();
    const copied = document.execCommand('copy');
    if (copied) this.waiting = false;
    return copied;
  }
}

async function write(text: string): Promise<boolean> {
  if (!navigator.clipboard?.writeText || !document.hasFocus()) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
