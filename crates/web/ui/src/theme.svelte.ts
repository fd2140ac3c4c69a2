/** Light, dark, or as the system says. */
export type Theme = 'system' | 'light' | 'dark';

export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

class Appearance {
  theme: Theme = $state('system');

  constructor() {
    try {
      const stored = localStorage.getItem('theme');
      if (stored === 'light' || stored === 'dark') this.theme = stored;
    } catch {
      // storage is denied: the system decides
    }
  }

  choose(theme: Theme): void {
    this.theme = theme;
    try {
      localStorage.setItem('theme', theme);
    } catch {
      // lasts as long as the page
    }
  }
}

export const appearance = new Appearance();
