/** The program under test: started on a data directory, ended, and started again where it was. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class Program {
  url = '';
  link = '';
  private child: ChildProcess | undefined;

  private constructor(
    private readonly binary: string,
    private readonly data: string,
    private readonly options: readonly string[],
  ) {}

  /** Starts `GATEHOUSE_TEST_BINARY` on free ports with a data directory of its own. */
  static async start(binary: string, options: readonly string[] = []): Promise<Program> {
    const program = new Program(binary, await mkdtemp(join(tmpdir(), 'gatehouse-e2e-')), options);
    await program.resume();
    return program;
  }

  /** Starts it again with the same data at the same address. */
  async resume(): Promise<void> {
    const listen = this.url === '' ? '127.0.0.1:0' : new URL(this.url).host;
    const args = ['--data', this.data, 'serve', '--listen', listen, '--native', '127.0.0.1:0', ...this.options];
    const child = spawn(this.binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      const [, name, value] = /^\s+(address|log in|memory)\s+(\S+)/.exec(line) ?? [];
      if (name === 'address' && value) this.url = value;
      if (name === 'log in' && value) this.link = value;
      if (name === 'memory' || (this.url !== '' && name === 'log in')) {
        // What it prints from here on must not fill the pipe.
        child.stdout.resume();
        return;
      }
    }
    await this.end();
    throw new Error(`${this.binary} ended before it printed its address and its link`);
  }

  /** Ends the process, in order or as a crash does; the data stay. */
  async halt(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async end(): Promise<void> {
    await this.halt();
    await rm(this.data, { recursive: true, force: true });
  }
}
