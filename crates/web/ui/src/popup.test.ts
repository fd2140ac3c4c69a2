import { describe, expect, it, vi } from 'vitest';
import { features, popUp, popupName } from './popup';

describe('a console in its own window', () => {
  it('is 1280 by 800 in the middle of the window it comes from, on whichever screen that is', () => {
    const from = { screenX: 1920, screenY: 0, outerWidth: 1920, outerHeight: 1080 };
    expect(features(from)).toBe('popup,width=1280,height=800,left=2240,top=140');
    expect(features({ ...from, screenX: 0, outerWidth: 800 })).toContain('left=0');
  });

  it('is opened once for each target, and then only brought to the front', () => {
    const focus = vi.fn();
    const assign = vi.fn();
    const opened = { location: { href: 'about:blank', assign }, focus };
    const open = vi.spyOn(window, 'open').mockReturnValue(opened as unknown as Window);
    expect(popUp('7')).toBe(true);
    expect(open.mock.calls[0]?.[1]).toBe(popupName('7'));
    expect(assign).toHaveBeenCalledWith('/open/7');
    opened.location.href = 'https://gate.example/console/abc';
    expect(popUp('7')).toBe(true);
    expect(assign).toHaveBeenCalledTimes(1);
    expect(focus).toHaveBeenCalledTimes(2);
    open.mockReturnValue(null);
    expect(popUp('7')).toBe(false);
    open.mockRestore();
  });
});
