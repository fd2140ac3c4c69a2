/** What the cards, the table and the panel of targets share. */
import type { Strength } from '../api';
import type { IconName } from '../parts/Icon.svelte';
import type { Target } from '../portal';

/** What a click on a target asks its list for. */
export interface Asks {
  open: (target: Target) => void;
  popUp: (target: Target) => void;
  native: (target: Target) => void;
  remove: (target: Target) => void;
}

export const STRENGTH_ICONS: Record<Strength, IconName> = {
  open: 'open',
  authenticated: 'key',
  encrypted_anonymous: 'lock',
  encrypted_verified: 'lock',
};

/** What a form of a target holds. */
export interface TargetFields {
  name: string;
  url: string;
  username: string;
  floor: Strength;
  anonymous_tls: boolean;
  tags: string[];
  description: string;
  thumbnails: boolean;
}

export const FIELDS: readonly (keyof TargetFields)[] = [
  'name',
  'url',
  'username',
  'floor',
  'anonymous_tls',
  'tags',
  'description',
  'thumbnails',
];

export function fieldsOf(target: Target | undefined): TargetFields {
  return {
    name: target?.name ?? '',
    url: target ? addressOf(target.address) : '',
    username: target?.username ?? '',
    floor: target?.security.floor ?? 'open',
    anonymous_tls: target?.security.anonymous_tls ?? false,
    tags: target?.tags ?? [],
    description: target?.description ?? '',
    thumbnails: target?.thumbnails ?? false,
  };
}

/** A stored address as it is typed: `192.0.2.1:5900` becomes `vnc://192.0.2.1:5900`. */
export function addressOf(text: string): string {
  const typed = text.trim();
  return typed === '' || typed.includes(':/') ? typed : `vnc://${typed}`;
}

/** "lab, second floor" as tags: none empty, none twice. */
export function readTags(text: string): string[] {
  const tags = text
    .split(/[,،]/)
    .map((tag) => tag.trim())
    .filter(Boolean);
  return [...new Set(tags)];
}
