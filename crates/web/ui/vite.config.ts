import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { CSP } from './e2e/csp.ts';

const gateway = process.env.GATEHOUSE_DEV_URL ?? 'http://127.0.0.1:5000';
const proxy = {
  '/api': { target: gateway },
  '/ws': { target: gateway, ws: true },
};

export default defineConfig({
  plugins: [svelte()],
  resolve: {
    alias: {
      '@locales': fileURLToPath(new URL('../../../locales', import.meta.url)),
      // noVNC exports one module; its table of key symbols and its logging level are others.
      '@novnc/core': fileURLToPath(new URL('./node_modules/@novnc/novnc/core', import.meta.url)),
    },
    // Component tests need the browser build of Svelte.
    ...(process.env.VITEST ? { conditions: ['browser'] } : {}),
  },
  server: { proxy, fs: { allow: ['.', '../../../locales'] } },
  preview: { proxy, headers: { 'content-security-policy': CSP } },
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // A data: URL would need a wider policy than 'self'.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
});
