/**
 * The server under test: `GATEHOUSE_E2E_URL` with a fresh `GATEHOUSE_E2E_LINK`, or the program
 * `GATEHOUSE_TEST_BINARY`, started here on free ports with a data directory of its own and ended afterwards.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export default async function start(): Promise<(() => Promise<void>) | undefined> {
  const binary = process.env.GATEHOUSE_TEST_BINARY;
  if (process.env.GATEHOUSE_E2E_URL || !binary) return undefined;
  const data = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  const server = spawn(binary, ['--data', data, 'serve', '--listen', '127.0.0.1:0', '--native', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      const gone = once(server, 'exit');
      server.kill('SIGTERM');
      await gone;
    }
    await rm(data, { recursive: true, force: true });
  };
  // Workers inherit the environment as it is when they are made, which is after this.
  for await (const line of createInterface({ input: server.stdout })) {
    const [, name, value] = /^\s+(address|log in)\s+(\S+)/.exec(line) ?? [];
    if (name === 'address' && value) process.env.GATEHOUSE_E2E_URL = value;
    if (name === 'log in' && value) {
      process.env.GATEHOUSE_E2E_LINK = value;
      // What it prints from here on must not fill the pipe.
      server.stdout.resume();
      return stop;
    }
  }
  await stop();
  throw new Error(`${binary} ended before it printed its address and its link`);
}
