import './styles/tokens.css';
import './styles/fonts.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { router } from './router.svelte';

// The viewer is the largest part of a console page: its download starts with the page, not after it.
if (router.route.page === 'console') void import('./console/screen').catch(() => undefined);

const target = document.getElementById('app');
if (target) mount(App, { target });
