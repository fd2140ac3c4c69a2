/**
 * A console's connection, opened before the page that shows it is there: the gateway reaches the machine while the
 * browser still loads the viewer.
 */
import { Channel } from './channel';
import { resumeKey, websocketUrl } from './resume';

export interface Line {
  socket: WebSocket;
  channel: Channel;
  /** How it ended, where it ended before anybody listened. */
  closed?: CloseEvent;
}

let early: { token: string; line: Line } | undefined;

export function openLine(token: string): Line {
  const socket = new WebSocket(websocketUrl(token, location), ['binary', `resume.${resumeKey(token)}`]);
  return { socket, channel: new Channel(socket) };
}

/** Opens a line for the page that comes next. */
export function openEarly(token: string): void {
  if (early?.token === token) return;
  early?.line.socket.close(1000);
  const line = openLine(token);
  line.socket.addEventListener('close', (event) => (line.closed = event));
  early = { token, line };
}

/** The line that was opened early, once; or a new one. */
export function takeLine(token: string): Line {
  const line = early?.token === token ? early.line : undefined;
  if (line) early = undefined;
  return line ?? openLine(token);
}
