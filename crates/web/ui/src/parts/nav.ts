/** Where the navigation leads, and who sees it. */
import type { IconName } from './Icon.svelte';
import type { Route } from '../router.svelte';
import type { Right } from '../portal';

export interface Place {
  /** Its message. */
  id: string;
  path: string;
  icon: IconName;
  /** Any one of these opens it; none is for everybody. */
  rights: readonly Right[];
  pages: readonly Route['page'][];
}

/** At most five: they are the bar of a phone too. */
export const PLACES: readonly Place[] = [
  { id: 'nav-targets', path: '/', icon: 'screen', rights: ['see_targets', 'open_console'], pages: ['targets'] },
  {
    id: 'nav-sessions',
    path: '/sessions',
    icon: 'pulse',
    rights: ['see_sessions'],
    pages: ['sessions'],
  },
  {
    id: 'nav-people',
    path: '/users',
    icon: 'people',
    rights: ['see_people'],
    pages: ['users', 'groups'],
  },
  { id: 'nav-audit', path: '/audit', icon: 'audit', rights: ['read_audit'], pages: ['audit'] },
  { id: 'nav-settings', path: '/settings', icon: 'settings', rights: [], pages: ['settings', 'api-docs'] },
];
