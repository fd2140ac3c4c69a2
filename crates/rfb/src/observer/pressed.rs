//! Keys and buttons that are down at the target, so that they can be let go.

use crate::message::viewer;
use crate::wire::Put;

/// More keys than a person has fingers. A viewer that presses more has the oldest released for it, so
/// that the list is bounded and still complete.
const MOST: usize = 64;

/// One key, as it was pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PressedKey {
    /// X11 key symbol.
    pub(super) keysym: u32,
    /// QEMU's key code, if the extended event was used.
    pub(super) keycode: Option<u32>,
}

impl PressedKey {
    /// Whether a release of `other` lets this key go: by code where there is one, as the symbol may
    /// have changed with a modifier meanwhile.
    fn is_released_by(self, other: PressedKey) -> bool {
        match (self.keycode, other.keycode) {
            (Some(a), Some(b)) => a == b,
            (None, None) => self.keysym == other.keysym,
            _ => false,
        }
    }

    fn write_release(self, out: &mut Vec<u8>) {
        match self.keycode {
            None => {
                out.put(&[viewer::KEY_EVENT, 0, 0, 0]);
                out.put_u32(self.keysym);
            }
            Some(keycode) => {
                out.put(&[viewer::QEMU, viewer::QEMU_KEY, 0, 0]);
                out.put_u32(self.keysym);
                out.put_u32(keycode);
            }
        }
    }
}

/// What is down.
pub(super) struct Pressed {
    keys: [PressedKey; MOST],
    count: usize,
    buttons: u16,
    place: (u16, u16),
}

impl Pressed {
    pub(super) fn new() -> Pressed {
        let keys = [PressedKey { keysym: 0, keycode: None }; MOST];
        Pressed { keys, count: 0, buttons: 0, place: (0, 0) }
    }

    /// A key event passes. A release that must go out for the oldest key is appended to `out`.
    pub(super) fn key(&mut self, down: bool, key: PressedKey, out: &mut Vec<u8>) {
        let held = self.keys.get(..self.count).unwrap_or_default();
        let found = held.iter().position(|k| k.is_released_by(key));
        match (down, found) {
            (true, None) => {
                if self.count == MOST {
                    self.remove(0).write_release(out);
                }
                if let Some(slot) = self.keys.get_mut(self.count) {
                    *slot = key;
                    self.count += 1;
                }
            }
            (false, Some(at)) => {
                self.remove(at);
            }
            _ => {}
        }
    }

    fn remove(&mut self, at: usize) -> PressedKey {
        let end = self.count;
        self.count = end.saturating_sub(1);
        if let Some(tail) = self.keys.get_mut(at..end) {
            tail.rotate_left(1);
        }
        self.keys.get(self.count).copied().unwrap_or(PressedKey { keysym: 0, keycode: None })
    }

    /// A pointer event passes.
    #[inline]
    pub(super) fn pointer(&mut self, buttons: u16, x: u16, y: u16) {
        self.buttons = buttons;
        self.place = (x, y);
    }

    /// Lets everything go, the last pressed first, and forgets it.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        while self.count > 0 {
            let key = self.remove(self.count - 1);
            key.write_release(out);
        }
        if std::mem::take(&mut self.buttons) != 0 {
            out.put(&[viewer::POINTER_EVENT, 0]);
            out.put_u16(self.place.0);
            out.put_u16(self.place.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PressedKey = PressedKey { keysym: 0x61, keycode: None };
    const CODE: PressedKey = PressedKey { keysym: 0x62, keycode: Some(0x30) };

    #[test]
    fn everything_down_is_let_go_once_in_reverse_order() {
        let mut pressed = Pressed::new();
        let mut out = Vec::new();
        pressed.key(true, A, &mut out);
        pressed.key(true, A, &mut out);
        pressed.key(true, CODE, &mut out);
        pressed.pointer(1, 3, 4);
        pressed.release(&mut out);
        let expected = [
            &[255, 0, 0, 0, 0, 0, 0, 0x62, 0, 0, 0, 0x30][..],
            &[4, 0, 0, 0, 0, 0, 0, 0x61],
            &[5, 0, 0, 3, 0, 4],
        ];
        assert_eq!(out, expected.concat());
        out.clear();
        pressed.release(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_code_is_released_even_if_its_symbol_changed() {
        let mut pressed = Pressed::new();
        let mut out = Vec::new();
        pressed.key(true, CODE, &mut out);
        pressed.key(false, PressedKey { keysym: 0x42, keycode: Some(0x30) }, &mut out);
        pressed.release(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn the_oldest_of_too_many_is_released_at_once() {
        let mut pressed = Pressed::new();
        let mut out = Vec::new();
        for keysym in 0..65 {
            pressed.key(true, PressedKey { keysym, keycode: None }, &mut out);
        }
        assert_eq!(out, [4, 0, 0, 0, 0, 0, 0, 0]);
    }
}
