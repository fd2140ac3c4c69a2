import { defineConfig } from '@playwright/test';
import tests from './playwright.config.ts';

/** `npm run bench`: the same browser as in the tests, one program, one page at a time. */
export default defineConfig({
  testDir: 'bench',
  testMatch: '*.bench.ts',
  outputDir: 'test-results/bench',
  workers: 1,
  timeout: 600_000,
  reporter: [['list']],
  use: { ...tests.use, actionTimeout: 30_000, navigationTimeout: 30_000 },
});
