/**
 * The server under test: `GATEHOUSE_E2E_URL` with a fresh `GATEHOUSE_E2E_LINK`, or the program
 * `GATEHOUSE_TEST_BINARY`, started here and ended afterwards.
 */
import { Program } from './program.ts';

export default async function start(): Promise<(() => Promise<void>) | undefined> {
  const binary = process.env.GATEHOUSE_TEST_BINARY;
  if (process.env.GATEHOUSE_E2E_URL || !binary) return undefined;
  const program = await Program.start(binary);
  // Workers inherit the environment as it is when they are made, which is after this.
  process.env.GATEHOUSE_E2E_URL = program.url;
  process.env.GATEHOUSE_E2E_LINK = program.link;
  return () => program.end();
}
