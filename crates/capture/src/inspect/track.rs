//! One connection on its way into a report: sniffed, unframed where it is a WebSocket, read as RFB.

use super::Skeleton;
use super::report::{
    AuthOutcome, EndCause, ErrorReport, InnerSecurity, Joined, PixelFormatReport, Reading, SessionReport,
    Size, Transport,
};
use crate::flow::{Closed, End, FlowInfo, Interest, Side, Tracker};
use crate::limits;
use crate::sniff::{Guess, Sniffer};
use crate::websocket::Unframer;
use model::Coded;
use model::event::{ClipboardAction, Event, Origin, Sink};
use rfb::passive::{AuthResult, PassiveSession, Progress};
use rfb::{Misbehavior, PixelFormat};
use std::collections::BTreeMap;

/// Reads the two streams of one connection; with `TRACE` it keeps their skeleton.
pub(super) struct SessionTracker<const TRACE: bool> {
    stage: Stage,
    transport: Transport,
    web: Option<Box<[Unframer; 2]>>,
    /// The frames of a WebSocket could not be followed any further.
    deaf: bool,
}

enum Stage {
    Sniffing(Sniffer),
    Reading(Box<Session>),
}

struct Session {
    server: Side,
    rfb: PassiveSession,
    facts: Facts,
    bytes: Both<u64>,
    lost: Both<u64>,
    /// None if nobody wants it, or if it grew over its limit.
    skeleton: Option<String>,
}

/// One of something for each end.
#[derive(Clone, Copy, Default)]
struct Both<T> {
    viewer: T,
    target: T,
}

impl<T> Both<T> {
    fn of(&mut self, from: Origin) -> &mut T {
        match from {
            Origin::Viewer => &mut self.viewer,
            Origin::Target => &mut self.target,
        }
    }
}

/// What events leave behind.
#[derive(Default)]
struct Facts {
    messages: Both<BTreeMap<u8, u64>>,
    rectangles: BTreeMap<i32, u64>,
    encodings: Vec<Vec<i32>>,
    resizes: Vec<Size>,
    keys: u64,
    pointers: u64,
    clipboards: Both<u64>,
    files: u64,
}

impl<const TRACE: bool> Tracker for SessionTracker<TRACE> {
    fn opened(info: &FlowInfo) -> Self {
        let ports = [(Side::Initiator, info.initiator.port()), (Side::Responder, info.responder.port())];
        let vnc = ports.into_iter().find(|(_, port)| Sniffer::is_vnc_port(*port)).map(|(side, _)| side);
        SessionTracker {
            stage: Stage::Sniffing(Sniffer::new(info.from_start, vnc)),
            transport: Transport::Tcp,
            web: None,
            deaf: false,
        }
    }

    fn bytes(&mut self, side: Side, bytes: &[u8]) -> Interest {
        if self.deaf {
            return Interest::More;
        }
        let Some(sides) = self.web.as_deref_mut() else { return self.content(side, bytes) };
        let [initiator, responder] = sides;
        let unframer = if side == Side::Initiator { initiator } else { responder };
        let mut content = Vec::new();
        // A broken frame ends the reading of a WebSocket; what came before it counts.
        let readable = unframer.handle_bytes(bytes, &mut content).is_ok();
        let interest = if content.is_empty() { Interest::More } else { self.content(side, &content) };
        if readable { interest } else { self.give_up() }
    }

    fn gap(&mut self, side: Side, bytes: u64) -> Interest {
        if let Stage::Reading(session) = &mut self.stage {
            let from = session.origin(side);
            *session.lost.of(from) += bytes;
        }
        if self.web.is_some() {
            // Where the next frame begins is unknown.
            return self.give_up();
        }
        match &mut self.stage {
            Stage::Sniffing(sniffer) => sniffer.handle_gap(),
            Stage::Reading(session) => session.rfb.handle_gap(),
        }
        Interest::More
    }
}

impl<const TRACE: bool> SessionTracker<TRACE> {
    fn content(&mut self, side: Side, bytes: &[u8]) -> Interest {
        match &mut self.stage {
            Stage::Reading(session) => {
                session.handle_bytes(side, bytes);
                Interest::More
            }
            Stage::Sniffing(sniffer) => {
                let guess = sniffer.handle_bytes(side, bytes);
                self.handle_guess(guess)
            }
        }
    }

    fn handle_guess(&mut self, guess: Guess) -> Interest {
        let session = match guess {
            Guess::Undecided => return Interest::More,
            Guess::Other => return Interest::None,
            Guess::WebSocket { .. } if self.web.is_some() => return Interest::None,
            Guess::WebSocket { .. } => return self.enter_websocket(),
            Guess::Rfb { server } => Session::new(server, PassiveSession::new(), TRACE),
            Guess::RfbLate { server } => Session::new(server, PassiveSession::joined_late(), false),
        };
        let before = std::mem::replace(&mut self.stage, Stage::Reading(Box::new(session)));
        if let (Stage::Sniffing(sniffer), Stage::Reading(session)) = (before, &mut self.stage) {
            for side in [Side::Initiator, Side::Responder] {
                let from = session.origin(side);
                *session.bytes.of(from) += sniffer.dropped(side);
            }
            for (side, bytes) in sniffer.into_pieces() {
                session.handle_bytes(side, &bytes);
            }
        }
        Interest::More
    }

    /// Reads again what was sniffed, now as HTTP and frames; sniffs what is inside.
    fn enter_websocket(&mut self) -> Interest {
        self.transport = Transport::WebSocket;
        self.web = Some(Box::default());
        let before = std::mem::replace(&mut self.stage, Stage::Sniffing(Sniffer::new(true, None)));
        if let Stage::Sniffing(sniffer) = before {
            for (side, bytes) in sniffer.into_pieces() {
                if self.bytes(side, &bytes) == Interest::None {
                    return Interest::None;
                }
            }
        }
        Interest::More
    }

    /// Nothing more can be read, but what was read is kept.
    fn give_up(&mut self) -> Interest {
        match &mut self.stage {
            Stage::Sniffing(_) => Interest::None,
            Stage::Reading(session) => {
                session.rfb.handle_gap();
                self.deaf = true;
                Interest::More
            }
        }
    }
}

impl Session {
    fn new(server: Side, mut rfb: PassiveSession, trace: bool) -> Session {
        if trace {
            rfb.keep_skeleton();
        }
        Session {
            server,
            rfb,
            facts: Facts::default(),
            bytes: Both::default(),
            lost: Both::default(),
            skeleton: trace.then(String::new),
        }
    }

    fn origin(&self, side: Side) -> Origin {
        if side == self.server { Origin::Target } else { Origin::Viewer }
    }

    fn handle_bytes(&mut self, side: Side, bytes: &[u8]) {
        let from = self.origin(side);
        *self.bytes.of(from) += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.rfb.handle(from, bytes, &mut self.facts);
        if let Some(skeleton) = &mut self.skeleton {
            skeleton.push_str(&self.rfb.take_skeleton());
            if skeleton.len() > limits::SKELETON {
                self.skeleton = None;
            }
        }
    }
}

impl Sink for Facts {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message { from, kind } => *self.messages.of(from).entry(kind).or_default() += 1,
            Event::Rectangle { encoding, .. } if self.counts_encoding(encoding) => {
                *self.rectangles.entry(encoding).or_default() += 1;
            }
            Event::Encodings { offered, .. } if self.encodings.len() < limits::ENCODING_LISTS => {
                self.encodings.push(offered.to_vec());
            }
            Event::Resize { width, height } if self.resizes.len() < limits::RESIZES => {
                self.resizes.push(Size { width, height });
            }
            Event::Key { .. } => self.keys += 1,
            Event::Pointer { .. } => self.pointers += 1,
            Event::Clipboard(clipboard) if clipboard.action == ClipboardAction::Content => {
                *self.clipboards.of(clipboard.from) += 1;
            }
            Event::File(_) => self.files += 1,
            _ => {}
        }
    }
}

impl Facts {
    /// A peer that invents numbers does not fill the memory.
    fn counts_encoding(&self, encoding: i32) -> bool {
        self.rectangles.len() < limits::ENCODING_KINDS || self.rectangles.contains_key(&encoding)
    }
}

/// The skeleton and the report of a connection that is over, if it was RFB.
pub(super) fn trace(mut closed: Closed<SessionTracker<true>>) -> Option<Skeleton> {
    let (mut text, mut padding) = (None, 0);
    if let Some(SessionTracker { stage: Stage::Reading(session), .. }) = &mut closed.tracker {
        text = session.skeleton.take().map(|skeleton| skeleton + &session.rfb.finish_skeleton());
        padding = session.rfb.skeleton_padding();
    }
    report(closed).map(|session| Skeleton { session, text, padding })
}

/// The report on a connection that is over, if it was RFB.
pub(super) fn report<const TRACE: bool>(closed: Closed<SessionTracker<TRACE>>) -> Option<SessionReport> {
    let SessionTracker { stage: Stage::Reading(session), transport, .. } = closed.tracker? else {
        return None;
    };
    let info = closed.info;
    let (client, server) = match session.server {
        Side::Responder => (info.initiator, info.responder),
        Side::Initiator => (info.responder, info.initiator),
    };
    let errors = errors(&session.rfb);
    let contradicted = closed.oddities.iter().map(|odd| odd.contradicted).sum();
    let Session { rfb, facts, bytes, lost, .. } = *session;
    let seen = rfb.seen();
    Some(SessionReport {
        client_ip: client.ip(),
        client_port: client.port(),
        server_ip: server.ip(),
        server_port: server.port(),
        reverse: session.server == Side::Initiator,
        transport,
        start_time: info.started,
        end_time: info.last,
        joined: if rfb.is_late() { Joined::Late } else { Joined::FromStart },
        reading: reading(rfb.progress()),
        client_version: seen.viewer_version.map(|line| line.to_string()),
        server_version: seen.server_version.map(|line| line.to_string()),
        security_types_offered: seen.offered.iter().map(|kind| kind.0).collect(),
        security_type: seen.security_type.map(|kind| kind.0),
        security_inner: (!seen.inner_offered.is_empty())
            .then(|| InnerSecurity { offered: seen.inner_offered.clone(), chosen: seen.inner }),
        auth_result: seen.auth_result.map(auth_outcome),
        auth_reason: seen.reason.as_deref().map(text),
        shared: seen.shared,
        desktop_name: seen.init.as_ref().map(|init| text(&init.name)),
        width: seen.init.as_ref().map(|init| init.width),
        height: seen.init.as_ref().map(|init| init.height),
        resizes: facts.resizes,
        pixel_format: seen.init.as_ref().map(|init| pixel_format(&init.pixel_format)),
        encodings: facts.encodings,
        client_messages: facts.messages.viewer,
        server_messages: facts.messages.target,
        rectangles: facts.rectangles,
        client_bytes: bytes.viewer,
        server_bytes: bytes.target,
        client_bytes_framed: rfb.framed(Origin::Viewer),
        server_bytes_framed: rfb.framed(Origin::Target),
        client_bytes_lost: lost.viewer,
        server_bytes_lost: lost.target,
        bytes_contradicted: contradicted,
        key_events: facts.keys,
        pointer_events: facts.pointers,
        client_clipboards: facts.clipboards.viewer,
        server_clipboards: facts.clipboards.target,
        file_operations: facts.files,
        end_reason: end_cause(closed.end, session.server),
        errors,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn errors(rfb: &PassiveSession) -> Vec<ErrorReport> {
    let mut found = rfb.seen().violations.clone();
    match rfb.progress() {
        Progress::Broken(from, what) => found.push((from, what)),
        Progress::Opening | Progress::Session => {
            let cut = [Origin::Viewer, Origin::Target].into_iter().filter(|&from| !rfb.at_boundary(from));
            found.extend(cut.map(|from| (from, Misbehavior::Truncated)));
        }
        _ => {}
    }
    let name = |from| if from == Origin::Viewer { "client" } else { "server" };
    found
        .iter()
        .take(limits::ERRORS)
        .map(|(from, what)| ErrorReport { code: what.code(), from: name(*from) })
        .collect()
}

fn reading(progress: Progress) -> Reading {
    match progress {
        Progress::Opening => Reading::Handshake,
        Progress::Session => Reading::Session,
        Progress::Opaque => Reading::Opaque,
        Progress::Refused => Reading::Refused,
        _ => Reading::Broken,
    }
}

fn auth_outcome(result: AuthResult) -> AuthOutcome {
    match result {
        AuthResult::Accepted => AuthOutcome::Ok,
        AuthResult::Failed => AuthOutcome::Failed,
        AuthResult::TooManyFailures => AuthOutcome::TooManyFailures,
    }
}

fn end_cause(end: End, server: Side) -> EndCause {
    let pick = |side: Side, of_client, of_server| if side == server { of_server } else { of_client };
    match end {
        End::ClosedBy(side) | End::CaptureEnded(Some(side)) => {
            pick(side, EndCause::ClientClosed, EndCause::ServerClosed)
        }
        End::ResetBy(side) => pick(side, EndCause::ClientReset, EndCause::ServerReset),
        End::CaptureEnded(None) => EndCause::CaptureEnded,
        End::Replaced => EndCause::Replaced,
        End::Evicted => EndCause::Evicted,
    }
}

fn pixel_format(format: &PixelFormat) -> PixelFormatReport {
    PixelFormatReport {
        bits_per_pixel: format.bits_per_pixel,
        depth: format.depth,
        big_endian: format.big_endian,
        true_color: format.true_color,
        red_max: format.red_max,
        green_max: format.green_max,
        blue_max: format.blue_max,
        red_shift: format.red_shift,
        green_shift: format.green_shift,
        blue_shift: format.blue_shift,
    }
}
