import './styles/tokens.css';
import './styles/fonts.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { watchAttendance } from './attendance';
import { openEarly } from './console/early';
import { install } from './install';
import { router } from './router.svelte';

watchAttendance(window);

// All that a console needs starts at once: the way to the machine, the viewer, the page around it.
if (router.route.page === 'console') {
  openEarly(router.route.token);
  void import('./console/screen').catch(() => undefined);
  void import('./pages/Console.svelte').catch(() => undefined);
}

if ('serviceWorker' in navigator && import.meta.env.PROD) install();

const target = document.getElementById('app');
if (target) mount(App, { target });
