// Logs in to a VNC server with noVNC's own code, without a browser.
//
// noVNC takes any channel that looks like a WebSocket; here it is a TCP socket. What it wants of a
// page are objects that do nothing: nothing is drawn, so the picture's first line is read where noVNC
// hands it over.
//
// usage: node login.mjs NOVNC_DIRECTORY PORT USERNAME PASSWORD
import net from 'node:net';
import { pathToFileURL } from 'node:url';

const [directory, port, username, password] = process.argv.slice(2);

// An object of which every member is another one.
function nothing() {
    return new Proxy(function () {}, {
        get: (target, key) => {
            if (key === Symbol.toPrimitive) return () => 0;
            if (key === 'then') return undefined;
            if (!(key in target)) target[key] = nothing();
            return target[key];
        },
        apply: () => nothing(),
        construct: () => nothing(),
    });
}

class Observer {
    observe() {}
    unobserve() {}
    disconnect() {}
}

class Picture {
    constructor(data, width, height) {
        Object.assign(this, { data, width, height });
    }
}

function define(name, value) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
define('window', globalThis);
define('document', nothing());
define('navigator', { userAgent: 'node', platform: 'Linux', language: 'en' });
define('Image', class {});
define('ImageData', Picture);
define('WebSocket', class {});
define('MutationObserver', Observer);
define('ResizeObserver', Observer);
define('requestAnimationFrame', (f) => setTimeout(f, 0));
define('matchMedia', nothing());
define('addEventListener', () => {});
define('removeEventListener', () => {});

// noVNC's lines about the page that is not there.
console.warn = console.info = () => {};

const core = pathToFileURL(`${directory}/core/`);
const { default: RFB } = await import(new URL('rfb.js', core));
const { default: Display } = await import(new URL('display.js', core));

function tell(event, more = {}) {
    process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
}

Display.prototype.blitImage = function (x, y, width, height, pixels, offset) {
    const [red, green, blue] = pixels.slice(offset, offset + 3);
    tell('picture', { width, color: (red << 16) | (green << 8) | blue });
    process.exit(0);
};

const socket = net.connect(Number(port), '127.0.0.1');
const channel = {
    binaryType: 'arraybuffer',
    protocol: '',
    readyState: 'connecting',
    send: (data) => socket.write(Buffer.from(data.slice().buffer)),
    close: () => socket.destroy(),
};
for (const handler of ['onopen', 'onmessage', 'onerror', 'onclose']) channel[handler] = () => {};
socket.on('connect', () => {
    channel.readyState = 'open';
    channel.onopen();
});
socket.on('data', (data) => channel.onmessage({ data: new Uint8Array(data).buffer }));
socket.on('close', () => channel.onclose({ code: 1000, reason: '', wasClean: true }));
socket.on('error', (error) => tell('error', { reason: String(error) }));

const rfb = new RFB(nothing(), channel, { credentials: { username, password } });
rfb.addEventListener('serververification', (event) => {
    tell('key', { bytes: event.detail.publickey.length });
    rfb.approveServer();
});
rfb.addEventListener('credentialsrequired', (event) => tell('asked', event.detail));
rfb.addEventListener('securityfailure', (event) => tell('refused', event.detail));
rfb.addEventListener('disconnect', (event) => {
    tell('disconnect', { clean: event.detail.clean });
    process.exit(0);
});
