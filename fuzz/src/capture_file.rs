//! Capture files: containers, link layers, reassembly, sniffing, WebSocket, passive reading, in one.
//!
//! Input: the bounds of the flow table, then a file.

use crate::input::settings;
use capture::flow::table::Bounds;
use capture::inspect::inspect_within;
use std::io::Read;

/// See the module's text.
pub fn capture(data: &[u8]) {
    let ([flows, held], file) = settings::<2>(data);
    let bounds = Bounds {
        flows: usize::from(flows % 16) + 1,
        held_per_direction: usize::from(held) * 64,
        held: usize::from(held) * 100,
    };
    let whole = inspect_within(file, bounds);
    let trickled = inspect_within(Trickle(file), bounds);
    assert_eq!(whole, trickled, "the report depends on how the file is read");
    let Ok(report) = whole else { return };
    for session in &report.sessions {
        assert!(session.client_bytes_framed <= session.client_bytes);
        assert!(session.server_bytes_framed <= session.server_bytes);
    }
    // A report for people never writes to their terminal.
    let text = report.to_string();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(61);
        self.0.read(out.get_mut(..most).unwrap_or_default())
    }
}
