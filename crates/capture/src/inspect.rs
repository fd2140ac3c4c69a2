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
use crate::flow::{Closed, Table, Tracker};
use crate::limits;
use crate::source::{PcapFile, SourceError};
use model::Coded;
use std::io::Read;

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

/// A session and its skeleton, see [`rfb::trace`].
#[derive(Clone, PartialEq, Debug)]
pub struct Skeleton {
    /// What [`inspect`] says of it.
    pub session: SessionReport,
    /// None if its beginning was not captured, or if it is over [`limits::SKELETON`].
    pub text: Option<String>,
    /// Bytes that it has more than the server sent, because compressed lengths are made coarse.
    pub padding: i64,
}

/// Reads a pcap or pcapng file to its end, and reports its RFB sessions in the order in which their
/// connections began.
pub fn inspect(reader: impl Read + Send) -> Result<Report, InspectError> {
    inspect_within(reader, Bounds::default())
}

/// As [`inspect`], with other bounds on the flow table.
pub fn inspect_within(reader: impl Read + Send, bounds: Bounds) -> Result<Report, InspectError> {
    let (file, sessions) = read(reader, bounds, track::report::<false>)?;
    Ok(Report { file, sessions })
}

/// As [`inspect`], with the skeleton of each session.
pub fn trace(reader: impl Read + Send) -> Result<Vec<Skeleton>, InspectError> {
    read(reader, Bounds::default(), track::trace).map(|(_, skeletons)| skeletons)
}

/// Reads a file to its end, and keeps what `keep` makes of its connections.
fn read<T: Tracker, S>(
    reader: impl Read + Send,
    bounds: Bounds,
    keep: fn(Closed<T>) -> Option<S>,
) -> Result<(FileReport, Vec<S>), InspectError> {
    let mut file = PcapFile::open(reader)?;
    let mut table: Table<T> = Table::new(bounds);
    let mut counts = FileReport::default();
    let mut sessions = Vec::new();
    let mut keep = |closed: Closed<T>| {
        let number = closed.info.number;
        sessions.extend(keep(closed).map(|session| (number, session)));
    };
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
    let unreported = sessions.len().saturating_sub(limits::SESSIONS);
    counts.sessions_not_reported = u64::try_from(unreported).unwrap_or(u64::MAX);
    sessions.truncate(limits::SESSIONS);
    Ok((counts, sessions.into_iter().map(|(_, session)| session).collect()))
}
