/** A machine to open: a real Xvnc with a terminal that writes down every byte that its keyboard makes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open as openFile, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Runs a program in the machine and returns what it prints. */
function run(display: string, program: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { env: { ...process.env, DISPLAY: display } }, (_error, out) => resolve(out));
  });
}

/** Arabic letters as X11 key symbols [keysymdef.h]: ا ب ة ت ج ح ر س ص ط ع ل م ن ي. */
// prettier-ignore
const LETTERS = [0x5c7, 0x5c8, 0x5c9, 0x5ca, 0x5cc, 0x5cd, 0x5d1, 0x5d3, 0x5d5, 0x5d7, 0x5d9, 0x5e4, 0x5e5, 0x5e6, 0x5ea];

/**
 * Gives the machine's keyboard Arabic letters, as an installed layout would. Xvnc adds a letter that it lacks when it
 * is first typed, but a program that just starts to read keys misses that very press.
 */
async function addLetters(display: string): Promise<void> {
  const free = [...(await run(display, 'xmodmap', ['-pke'])).matchAll(/^keycode\s+(\d+) =\s*$/gm)].map((m) => m[1]);
  if (free.length < LETTERS.length) throw new Error('xmodmap (Debian package x11-xserver-utils) shows no free keys');
  for (const [n, letter] of LETTERS.entries()) {
    await run(display, 'xmodmap', ['-e', `keycode ${free[n]} = 0x${letter.toString(16)}`]);
  }
}

/** A line to the machine that can be cut, as a cable can. */
class Line {
  readonly server = createServer((near) => {
    const far = connect(this.to, '127.0.0.1');
    for (const [a, b] of [
      [near, far],
      [far, near],
    ] as const) {
      this.ends.add(a);
      a.on('error', () => undefined);
      a.on('close', () => {
        this.ends.delete(a);
        b.destroy();
      });
      a.pipe(b);
    }
  });
  private readonly ends = new Set<Socket>();

  constructor(private readonly to: number) {}

  cut(): void {
    for (const end of this.ends) end.resetAndDestroy();
  }
}

export class Guest {
  private readonly line: Line;

  private constructor(
    readonly port: number,
    private readonly display: string,
    private readonly folder: string,
    private readonly children: ChildProcess[],
  ) {
    this.line = new Line(port);
  }

  static async start(): Promise<Guest> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-guest-'));
    const port = await freePort();
    const server = spawn(
      'Xvnc',
      // prettier-ignore
      ['-displayfd', '3', '-rfbport', String(port), '-localhost', '-SecurityTypes', 'None', '-AlwaysShared',
       '-geometry', '1024x768', '-depth', '24', '-nolisten', 'tcp', '-AcceptSetDesktopSize'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
    );
    const failed = once(server, 'error').then(([error]: unknown[]) => {
      throw new Error(`Xvnc does not start (Debian package tigervnc-standalone-server): ${String(error)}`);
    });
    const lines = createInterface({ input: server.stdio[3] as NodeJS.ReadableStream });
    const [number] = (await Promise.race([once(lines, 'line'), failed])) as [string];
    const display = `:${number.trim()}`;
    await addLetters(display);
    const typed = join(folder, 'typed');
    await writeFile(typed, '');
    // Raw mode: Ctrl+C is a byte like any other, so that it can be read back.
    const terminal = spawn(
      'xterm',
      ['-u8', '-geometry', '160x60+0+0', '-e', 'sh', '-c', `stty raw -echo; printf 'ready\\r\\n'; exec cat > ${typed}`],
      { env: { ...process.env, DISPLAY: display, LC_ALL: 'C.UTF-8' }, stdio: 'ignore' },
    );
    const guest = new Guest(port, display, folder, [terminal, server]);
    guest.line.server.listen(0, '127.0.0.1');
    await once(guest.line.server, 'listening');
    return guest;
  }

  get name(): string {
    return `Guest ${this.port}`;
  }

  get url(): string {
    const address = this.line.server.address();
    if (address === null || typeof address === 'string') throw new Error('the line to the machine is gone');
    return `vnc://127.0.0.1:${address.port}`;
  }

  /** Breaks the connections to the machine; new ones are possible at once. */
  cut(): void {
    this.line.cut();
  }

  /** All that was typed so far. */
  typed(): Promise<string> {
    return readFile(join(this.folder, 'typed'), 'utf8');
  }

  /** What a program in the machine would paste. */
  clipboard(): Promise<string> {
    return run(this.display, 'xclip', ['-selection', 'clipboard', '-o']);
  }

  /** Where the machine's pointer is: "x y". */
  async pointer(): Promise<string> {
    const place = await run(this.display, 'xdotool', ['getmouselocation']);
    return /x:(\d+) y:(\d+)/.exec(place)?.slice(1).join(' ') ?? '';
  }

  /** How large the machine's desktop is: "width height". */
  async size(): Promise<string> {
    return (await run(this.display, 'xdotool', ['getdisplaygeometry'])).trim();
  }

  /** Covers the desktop with a window that writes down which buttons are pressed; returns how to read it. */
  async watchButtons(): Promise<{ presses: () => Promise<string[]>; stop: () => Promise<void> }> {
    const file = join(this.folder, `buttons-${this.children.length}`);
    const out = await openFile(file, 'w');
    const xev = spawn('stdbuf', ['-oL', 'xev', '-geometry', '2000x1500+0+0', '-event', 'button'], {
      env: { ...process.env, DISPLAY: this.display },
      stdio: ['ignore', out.fd, 'ignore'],
    });
    await out.close();
    this.children.unshift(xev);
    // It is there once the machine's pointer is over it.
    while (!(await run(this.display, 'xdotool', ['search', '--onlyvisible', '--name', 'Event Tester'])).trim()) {
      if (xev.exitCode !== null) throw new Error('xev does not start (Debian package x11-utils)');
    }
    return {
      presses: async () =>
        [...(await readFile(file, 'utf8')).matchAll(/^ButtonPress event[^]*?state 0x([0-9a-f]+), button (\d)/gm)].map(
          ([, state, button]) => `${parseInt(state!, 16) & 4 ? 'Control+' : ''}${button}`,
        ),
      stop: () => end(xev),
    };
  }

  /** Fills the desktop behind all windows. */
  async paint(color: string): Promise<void> {
    await run(this.display, 'xsetroot', ['-solid', color]);
  }

  /** Copies in the machine. */
  copy(text: string): void {
    const child = spawn('xclip', ['-selection', 'clipboard', '-i'], {
      env: { ...process.env, DISPLAY: this.display },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.children.unshift(child);
    child.stdin.end(text);
  }

  async stop(): Promise<void> {
    this.line.cut();
    this.line.server.close();
    for (const child of this.children) await end(child);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Ends a program that a test started, and waits for it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
