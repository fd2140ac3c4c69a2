//! What the test card shows, as a function of its state: the same state gives the same pixels.

use super::font;
use crate::framebuffer::{Framebuffer, Rect};
use std::collections::VecDeque;

/// Places of the pointer that are remembered.
const TRAIL: usize = 24;
/// Characters of typed text and of the clipboard that are remembered.
const TEXT: usize = 2000;
const INK: u32 = 0xe8_eef5;
const DIM: u32 = 0x7d_93ab;
const ACCENT: u32 = 0x4f_c3f7;
const PANEL: u32 = 0x0b_141f;
const FRAME: u32 = 0x33_4a63;
/// Cells of a character at scale 1.
const CELL: u16 = font::WIDTH + 1;
const LINE: u16 = font::HEIGHT + 3;
const BARS: [u32; 8] = [0xffffff, 0xffd400, 0x00d5d5, 0x00c853, 0xd500d5, 0xe53935, 0x1e50e5, 0x000000];
/// 1000 times the sine of 0 to 15 sixtieths of a turn.
const SINE: [i32; 16] = [0, 105, 208, 309, 407, 500, 588, 669, 743, 809, 866, 914, 951, 978, 995, 1000];

/// Everything that decides the picture, besides the size.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Whole seconds since the beginning; `None` on a card that stands still.
    pub(super) seconds: Option<u64>,
    pub(super) typed: VecDeque<char>,
    pub(super) keys: u64,
    pub(super) last_key: &'static str,
    pub(super) clipboard: String,
    pub(super) trail: VecDeque<(u16, u16, u8)>,
}

impl State {
    pub(super) fn write(&mut self, character: char) {
        if self.typed.len() >= TEXT {
            self.typed.pop_front();
        }
        self.typed.push_back(character);
    }

    pub(super) fn point(&mut self, x: u16, y: u16, buttons: u8) {
        if self.trail.back() == Some(&(x, y, buttons)) {
            return;
        }
        if self.trail.len() >= TRAIL {
            self.trail.pop_front();
        }
        self.trail.push_back((x, y, buttons));
    }

    /// Latin-1 text from a clipboard.
    pub(super) fn cut(&mut self, text: &[u8]) {
        self.clipboard = text.iter().take(TEXT).map(|&byte| char::from(byte)).collect();
    }

    /// The line that is being typed.
    pub(super) fn line(&self) -> String {
        let typed: String = self.typed.iter().collect();
        typed.rsplit('\n').next().unwrap_or_default().to_owned()
    }
}

/// Where things are on a screen of some size.
struct Plan {
    bars: Rect,
    ramps: Rect,
    typed: Rect,
    clipboard: Rect,
    status: Rect,
    dial: Rect,
}

impl Plan {
    fn of(screen: &Framebuffer) -> Plan {
        let (width, height) = (screen.width(), screen.height());
        let margin = (width / 40).clamp(4, 24);
        let inner = width.saturating_sub(2 * margin);
        let top = 40.min(height / 6);
        let bars = Rect::new(margin, top + margin, inner, height / 4);
        let ramps = Rect::new(margin, low(&bars) + margin / 2, inner, height / 8);
        let panels = low(&ramps) + margin;
        let bottom = height.saturating_sub(LINE * 2 + margin);
        let (left, right) = (inner / 2 - margin / 2, inner - inner / 2 - margin / 2);
        let panel = bottom.saturating_sub(panels);
        Plan {
            bars,
            ramps,
            typed: Rect::new(margin, panels, left, panel),
            clipboard: Rect::new(margin + left + margin, panels, right, panel),
            status: Rect::new(margin, bottom + LINE / 2, inner, LINE),
            dial: Rect::new(
                width.saturating_sub(margin + top),
                4,
                top.saturating_sub(6),
                top.saturating_sub(6),
            ),
        }
    }
}

fn low(rect: &Rect) -> u16 {
    rect.y + rect.height
}

/// The parts that no state changes.
pub(super) fn background(screen: &mut Framebuffer) {
    let (width, height) = (screen.width(), screen.height());
    for (y, row) in (0u32..).zip(screen.rows_mut(Rect::new(0, 0, width, height))) {
        let shade = y * 14 / u32::from(height.max(1));
        for (x, pixel) in (0u32..).zip(row) {
            let grid = if x % 32 == 0 || y % 32 == 0 { 0x06_0808 } else { 0 };
            *pixel = 0x12_2030 + shade * 0x01_0101 + grid;
        }
    }
    let plan = Plan::of(screen);
    fill(screen, Rect::new(0, 0, width, 40.min(height / 6)), PANEL);
    fill(screen, Rect::new(0, 40.min(height / 6), width, 1), ACCENT);
    text(screen, 12, 12, 2, INK, "Gatehouse test card");
    bars(screen, plan.bars);
    ramps(screen, plan.ramps);
    panel(screen, plan.typed, "Type here");
    panel(screen, plan.clipboard, "Clipboard");
    for edge in [
        Rect::new(0, 0, width, 1),
        Rect::new(0, height.saturating_sub(1), width, 1),
        Rect::new(0, 0, 1, height),
        Rect::new(width.saturating_sub(1), 0, 1, height),
    ] {
        fill(screen, edge, ACCENT);
    }
}

fn bars(screen: &mut Framebuffer, rect: Rect) {
    let count = u16::try_from(BARS.len()).unwrap_or(1);
    for (n, color) in (0..count).zip(BARS) {
        let (start, end) = (share(rect.width, n, count), share(rect.width, n + 1, count));
        fill(screen, Rect { x: rect.x + start, width: end - start, ..rect }, color);
    }
}

/// Red, green, blue and gray from dark to bright.
fn ramps(screen: &mut Framebuffer, rect: Rect) {
    for (n, mask) in (0..4).zip([0xff_0000, 0x00_ff00, 0x00_00ff, 0xff_ffff]) {
        let (start, end) = (share(rect.height, n, 4), share(rect.height, n + 1, 4));
        let stripe = Rect { y: rect.y + start, height: end - start, ..rect }.intersection(&screen.bounds());
        for row in screen.rows_mut(stripe) {
            for (x, pixel) in (0u32..).zip(row) {
                let level = (x * 255 / u32::from(rect.width.max(2) - 1)).min(255);
                *pixel = (level * 0x01_0101) & mask;
            }
        }
    }
}

fn share(whole: u16, part: u16, of: u16) -> u16 {
    u16::try_from(u32::from(whole) * u32::from(part) / u32::from(of.max(1))).unwrap_or(0)
}

fn panel(screen: &mut Framebuffer, rect: Rect, title: &str) {
    fill(screen, rect, FRAME);
    fill(screen, inset(rect, 1), PANEL);
    text(screen, rect.x + 8, rect.y + 7, 1, DIM, title);
    fill(screen, Rect::new(rect.x + 8, rect.y + 7 + LINE, rect.width.saturating_sub(16), 1), FRAME);
}

/// The parts that follow the state, over a copy of the background.
pub(super) fn foreground(screen: &mut Framebuffer, state: &State) {
    let plan = Plan::of(screen);
    let typed: String = state.typed.iter().chain(std::iter::once(&'_')).collect();
    paragraph(screen, plan.typed, &typed, ACCENT);
    paragraph(screen, plan.clipboard, &state.clipboard, INK);
    status(screen, plan.status, state);
    if let Some(seconds) = state.seconds {
        let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let left = plan.dial.x.saturating_sub(CELL * 2 * 9);
        text(screen, left, 12, 2, INK, &clock);
        dial(screen, plan.dial, usize::try_from(seconds % 60).unwrap_or(0));
    }
    pointer(screen, &state.trail);
}

fn status(screen: &mut Framebuffer, rect: Rect, state: &State) {
    let size = format!("{} x {}", screen.width(), screen.height());
    let pointer =
        state.trail.back().map_or("-".to_owned(), |(x, y, buttons)| format!("{x},{y} {buttons:08b}"));
    let line = format!("Size {size}   Pointer {pointer}   Keys {} {}", state.keys, state.last_key);
    text(screen, rect.x, rect.y, 1, DIM, &line);
}

/// The last lines of a text that fit into a panel below its title.
fn paragraph(screen: &mut Framebuffer, panel: Rect, content: &str, color: u32) {
    let scale = if panel.width >= 320 { 2 } else { 1 };
    let columns = usize::from(panel.width.saturating_sub(16) / (CELL * scale));
    let rows = usize::from(panel.height.saturating_sub(LINE * 2 + 8) / (LINE * scale));
    if columns == 0 || rows == 0 {
        return;
    }
    let mut lines = Vec::new();
    for line in content.split('\n') {
        let characters: Vec<char> = line.chars().collect();
        lines.extend(characters.chunks(columns).map(String::from_iter));
        if characters.is_empty() {
            lines.push(String::new());
        }
    }
    let top = panel.y + 7 + LINE + 8;
    for (n, line) in (0..).zip(lines.iter().skip(lines.len().saturating_sub(rows))) {
        text(screen, panel.x + 8, top + n * LINE * scale, scale, color, line);
    }
}

fn dial(screen: &mut Framebuffer, rect: Rect, second: usize) {
    let radius = i32::from(rect.width.min(rect.height)) / 2;
    let (x, y) = (i32::from(rect.x) + radius, i32::from(rect.y) + radius);
    for hour in 0..12 {
        let (dx, dy) = direction(hour * 5);
        dot(screen, x + dx * (radius - 1) / 1000, y + dy * (radius - 1) / 1000, 2, DIM);
    }
    let (dx, dy) = direction(second);
    for step in 0..radius - 4 {
        dot(screen, x + dx * step / 1000, y + dy * step / 1000, 2, ACCENT);
    }
}

/// 1000 times the direction of a dial's hand, from noon clockwise, downwards positive.
fn direction(sixtieth: usize) -> (i32, i32) {
    let sine = |n: usize| SINE.get(n).copied().unwrap_or(0);
    let n = sixtieth % 15;
    match sixtieth / 15 % 4 {
        0 => (sine(n), -sine(15 - n)),
        1 => (sine(15 - n), sine(n)),
        2 => (-sine(n), sine(15 - n)),
        _ => (-sine(15 - n), -sine(n)),
    }
}

/// A cross where the pointer is, and smaller dots where it was.
fn pointer(screen: &mut Framebuffer, trail: &VecDeque<(u16, u16, u8)>) {
    for &(x, y, buttons) in trail {
        dot(screen, x.into(), y.into(), 3, if buttons == 0 { ACCENT } else { 0xff_7043 });
    }
    let Some(&(x, y, buttons)) = trail.back() else { return };
    let color = if buttons == 0 { 0xff_ffff } else { 0xff_7043 };
    for (dx, dy) in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
        for step in 4..14 {
            dot(screen, i32::from(x) + dx * step, i32::from(y) + dy * step, 1, color);
        }
    }
}

/// A square around a place; what is outside of the screen is left out.
fn dot(screen: &mut Framebuffer, x: i32, y: i32, size: u16, color: u32) {
    let half = i32::from(size / 2);
    if let (Ok(x), Ok(y)) = (u16::try_from(x - half), u16::try_from(y - half)) {
        fill(screen, Rect::new(x, y, size, size), color);
    }
}

fn text(screen: &mut Framebuffer, x: u16, y: u16, scale: u16, color: u32, text: &str) {
    for (n, character) in (0u16..).zip(text.chars()) {
        for (column, row) in font::pixels(character) {
            let left = x.saturating_add((n.saturating_mul(CELL) + column).saturating_mul(scale));
            fill(screen, Rect::new(left, y.saturating_add(row * scale), scale, scale), color);
        }
    }
}

fn inset(rect: Rect, by: u16) -> Rect {
    let (width, height) = (rect.width.saturating_sub(2 * by), rect.height.saturating_sub(2 * by));
    Rect { x: rect.x + by, y: rect.y + by, width, height }
}

fn fill(screen: &mut Framebuffer, rect: Rect, color: u32) {
    let rect = rect.intersection(&screen.bounds());
    screen.fill(rect, color);
}
