/** The part of noVNC 1.7.0 that this interface uses. The version is pinned; names with an underscore are its own. */
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(
      target: Element,
      channel: import('./channel').Channel | WebSocket | string,
      options?: { shared?: boolean; credentials?: object; wsProtocols?: string[] },
    );
    viewOnly: boolean;
    focusOnClick: boolean;
    clipViewport: boolean;
    dragViewport: boolean;
    scaleViewport: boolean;
    resizeSession: boolean;
    showDotCursor: boolean;
    background: string;
    qualityLevel: number;
    compressionLevel: number;
    readonly clippingViewport: boolean;
    disconnect(): void;
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    sendCtrlAltDel(): void;
    focus(options?: FocusOptions): void;
    blur(): void;
    clipboardPasteFrom(text: string): void;
    protected _canvas: HTMLCanvasElement;
    /** Draws the pointer on touch screens, on a canvas of its own at the end of the page. */
    protected _cursor: { _canvas: HTMLCanvasElement };
    protected _keyboard: { _allKeysUp(): void };
    protected _clipboardServerCapabilitiesFormats: Record<number, boolean>;
    protected _framebufferUpdate(): boolean;
    protected _fbWidth: number;
    protected _fbHeight: number;
    protected _supportsSetDesktopSize: boolean;
  }
}

declare module '@novnc/core/util/logging.js' {
  export function initLogging(level: 'none' | 'error' | 'warn' | 'info' | 'debug'): void;
}

declare module '@novnc/core/input/keysymdef.js' {
  const keysyms: { lookup(codepoint: number): number };
  export default keysyms;
}
