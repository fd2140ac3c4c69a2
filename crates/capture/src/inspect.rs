//! `gatehouse inspect`: everything that a capture says about RFB sessions, without pixels, keys or secrets.
//!
//! The schema of [`Report`] is documented in `docs/inspect.md`; a field is added freely, and changes or
//! goes away only with a new major version.

mod report;
mod text;
mod track;

pub use report::{
    AuthOutcome, EndCause, ErrorReport, FileReport, InnerSecurity, Joined, PixelFormatReport, Reading,
    Report, SessionReport, Size, Transport,
};

use crate::decode::{Decoded, decode};
use crate::flow::table::Bounds;
use crate::flow::{Closed, Table};
use crate::limits;
use crate::source::{PcapFile, SourceError};
use model::Coded;
use std::io::Read;
use track::SessionTracker;

/// Why a file cannot be inspected at all. Damage further on does not prevent a report, see
/// [`FileReport::error`].
#[derive(thiserror::Error, Debug, Clone, Copy, PartialEq, Eq)]
#[error(transparent)]
pub struct InspectError(#[from] pub SourceError);

impl Coded for InspectError {
    fn code(&self) -> &'static str {
        self.0.code()
    }
}

/// Reads a pcap or pcapng file to its end, and reports its RFB sessions in the order in which their
/// connections began.
pub fn inspect(reader: impl Read + Send) -> Result<Report, InspectError> {
    inspect_within(reader, Bounds::default())
}

/// As [`inspect`], with other bounds on the flow table.
pub fn inspect_within(reader: impl Read + Send, bounds: Bounds) -> Result<Report, InspectError> {
    let mut file = PcapFile::open(reader)?;
    let mut table: Table<SessionTracker> = Table::new(bounds);
    let mut counts = FileReport::default();
    let mut sessions = Vec::new();
    let mut keep = |closed: Closed<SessionTracker>| {
        let number = closed.info.number;
        if let Some(session) = track::report(closed) {
            sessions.push((number, session));
        }
    };
    let mut unreported = 0;
    let read = file.for_each(|packet| {
        counts.packets += 1;
        match decode(&packet) {
            Decoded::Segment(segment) => {
                counts.tcp_segments += 1;
                table.handle_segment(&segment, packet.time, &mut keep);
            }
            Decoded::Fragment => counts.ip_fragments += 1,
            Decoded::Other => {}
            Decoded::UnknownLink(link) => {
                counts.undecodable += 1;
                counts.unknown_link_type = Some(link.0);
            }
            Decoded::Malformed => counts.undecodable += 1,
        }
    });
    table.finish(&mut keep);
    counts.undecodable += file.strays();
    counts.error = read.err().map(|error| error.code());
    sessions.sort_by_key(|(number, _)| *number);
    if sessions.len() > limits::SESSIONS {
        unreported = u64::try_from(sessions.len() - limits::SESSIONS).unwrap_or(u64::MAX);
        sessions.truncate(limits::SESSIONS);
    }
    counts.sessions_not_reported = unreported;
    Ok(Report { file: counts, sessions: sessions.into_iter().map(|(_, session)| session).collect() })
}
