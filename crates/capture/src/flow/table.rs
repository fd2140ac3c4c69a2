//! All TCP connections of a capture, by their addresses; bounded.
//!
//! VLAN tags are not part of a connection's identity: mirrored ports show the two directions, or both
//! copies of a routed packet, with different tags, and copies are harmless to the reassembly.

use super::reassembly::{Chunk, Oddities, Stream};
use crate::decode::Segment;
use crate::{Time, limits};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

/// The two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Who sent the first SYN; where that was not captured, who sent the first segment that was.
    Initiator,
    /// The other one.
    Responder,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::Initiator => Side::Responder,
            Side::Responder => Side::Initiator,
        }
    }
}

/// Why a connection is over, for the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Both sides closed, this one first.
    ClosedBy(Side),
    /// This side reset it.
    ResetBy(Side),
    /// The capture ended first; with the side that had closed, if one had.
    CaptureEnded(Option<Side>),
    /// A new connection uses the same addresses and ports.
    Replaced,
    /// It was silent for longest when the table was full.
    Evicted,
}

/// Who talks to whom, and since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowInfo {
    /// Counts connections in the order in which they appeared.
    pub number: u64,
    /// Who opened it.
    pub initiator: SocketAddr,
    /// Who was called.
    pub responder: SocketAddr,
    /// Whether its beginning was captured.
    pub from_start: bool,
    /// The first packet.
    pub started: Option<Time>,
    /// The last packet so far.
    pub last: Option<Time>,
}

/// Whether a tracker wants more of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Go on.
    More,
    /// Nothing of this flow is of interest; hold nothing for it.
    None,
}

/// What reads the streams of one flow.
pub trait Tracker {
    /// Called once, before everything else.
    fn opened(info: &FlowInfo) -> Self;
    /// Bytes in order, for each side.
    fn bytes(&mut self, side: Side, bytes: &[u8]) -> Interest;
    /// So many bytes of a side were not captured.
    fn gap(&mut self, side: Side, bytes: u64) -> Interest;
}

/// A flow that is over.
#[derive(Clone, Debug)]
pub struct Closed<T> {
    /// Who and when.
    pub info: FlowInfo,
    /// Why.
    pub end: End,
    /// The tracker with what it learned; gone if it had lost interest.
    pub tracker: Option<T>,
    /// What was odd about the initiator's and the responder's segments.
    pub oddities: [Oddities; 2],
}

/// What a table may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Flows, closed ones included until they are forgotten.
    pub flows: usize,
    /// Bytes held for one direction of a flow.
    pub held_per_direction: usize,
    /// Bytes held over all flows.
    pub held: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { flows: limits::FLOWS, held_per_direction: limits::HELD_PER_DIRECTION, held: limits::HELD }
    }
}

/// The connections of a capture.
pub struct Table<T> {
    bounds: Bounds,
    // Looked up, never iterated in its own order: the order of eviction and of the end is that of `recency`.
    flows: HashMap<Key, Flow<T>>,
    recency: BTreeMap<u64, Key>,
    clock: u64,
    opened: u64,
    held: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key(SocketAddr, SocketAddr);

struct Flow<T> {
    info: FlowInfo,
    tracker: Option<T>,
    streams: [Stream; 2],
    first_to_close: Option<Side>,
    /// A closed flow stays for a while, so that late copies of its segments open no new one.
    over: bool,
    touched: u64,
}

impl<T: Tracker> Table<T> {
    /// An empty table.
    pub fn new(bounds: Bounds) -> Table<T> {
        Table { bounds, flows: HashMap::new(), recency: BTreeMap::new(), clock: 0, opened: 0, held: 0 }
    }

    /// Takes one segment; flows that end with it go to `closed`.
    pub fn handle_segment(
        &mut self,
        segment: &Segment<'_>,
        time: Option<Time>,
        closed: &mut impl FnMut(Closed<T>),
    ) {
        let key = Key(segment.source.min(segment.destination), segment.source.max(segment.destination));
        if self.flows.get(&key).is_some_and(|flow| flow.is_replaced_by(segment)) {
            self.remove(key, End::Replaced, closed);
        }
        if !self.flows.contains_key(&key) && !self.open(key, segment, time, closed) {
            return;
        }
        self.touch(key);
        let Some(flow) = self.flows.get_mut(&key) else { return };
        if flow.over {
            return;
        }
        flow.info.last = time.or(flow.info.last);
        let before = flow.held();
        let end = flow.handle_segment(segment);
        self.held = (self.held + flow.held()).saturating_sub(before);
        if let Some(end) = end {
            self.close(key, end, closed);
        } else if self.held > self.bounds.held {
            self.give_up_waiting(key);
        }
    }

    /// The capture is over: every flow is.
    pub fn finish(&mut self, closed: &mut impl FnMut(Closed<T>)) {
        let keys: Vec<Key> = self.recency.values().copied().collect();
        for key in keys {
            let first = self.flows.get(&key).and_then(|flow| flow.first_to_close);
            self.remove(key, End::CaptureEnded(first), closed);
        }
    }

    /// Flows in the table, closed ones that are remembered included.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether no flow is in the table.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Bytes held over all flows.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether the segment opened a flow: a SYN or payload does, a bare acknowledgement does not.
    fn open(
        &mut self,
        key: Key,
        segment: &Segment<'_>,
        time: Option<Time>,
        closed: &mut impl FnMut(Closed<T>),
    ) -> bool {
        let syn = segment.flags.syn;
        if segment.flags.rst || (!syn && segment.payload.is_empty()) {
            return false;
        }
        while self.flows.len() >= self.bounds.flows {
            let Some((_, &oldest)) = self.recency.first_key_value() else { break };
            self.remove(oldest, End::Evicted, closed);
        }
        let answered = syn && segment.flags.ack;
        let (initiator, responder) = if answered {
            (segment.destination, segment.source)
        } else {
            (segment.source, segment.destination)
        };
        let info = FlowInfo {
            number: self.opened,
            initiator,
            responder,
            from_start: syn,
            started: time,
            last: time,
        };
        self.opened += 1;
        let stream = || Stream::new(self.bounds.held_per_direction);
        let flow = Flow {
            info,
            tracker: Some(T::opened(&info)),
            streams: [stream(), stream()],
            first_to_close: None,
            over: false,
            // No tick is zero: it is in `recency` only once touched.
            touched: 0,
        };
        self.flows.insert(key, flow);
        true
    }

    fn touch(&mut self, key: Key) {
        let Some(flow) = self.flows.get_mut(&key) else { return };
        self.clock += 1;
        self.recency.remove(&flow.touched);
        flow.touched = self.clock;
        self.recency.insert(self.clock, key);
    }

    fn give_up_waiting(&mut self, key: Key) {
        if let Some(flow) = self.flows.get_mut(&key) {
            let before = flow.held();
            flow.flush();
            self.held = (self.held + flow.held()).saturating_sub(before);
        }
    }

    /// Reports the end of a flow, and keeps its place.
    fn close(&mut self, key: Key, end: End, closed: &mut impl FnMut(Closed<T>)) {
        self.give_up_waiting(key);
        let Some(flow) = self.flows.get_mut(&key) else { return };
        if !std::mem::replace(&mut flow.over, true) {
            let [initiator, responder] = &flow.streams;
            let oddities = [initiator.oddities(), responder.oddities()];
            closed(Closed { info: flow.info, end, tracker: flow.tracker.take(), oddities });
        }
    }

    fn remove(&mut self, key: Key, end: End, closed: &mut impl FnMut(Closed<T>)) {
        self.close(key, end, closed);
        if let Some(flow) = self.flows.remove(&key) {
            self.recency.remove(&flow.touched);
        }
    }
}

impl<T: Tracker> Flow<T> {
    /// A SYN that is no copy of the one that opened this flow opens another.
    fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        if !segment.flags.syn {
            return false;
        }
        let stream = match self.side(segment) {
            Side::Initiator => &self.streams[0],
            Side::Responder => &self.streams[1],
        };
        // The answer of a responder whose stream began is a copy, or belongs to a SYN that was lost.
        stream.has_started() && !stream.began_at(segment.sequence.wrapping_add(1))
    }

    fn side(&self, segment: &Segment<'_>) -> Side {
        if segment.source == self.info.initiator { Side::Initiator } else { Side::Responder }
    }

    fn held(&self) -> usize {
        self.streams.iter().map(Stream::held).sum()
    }

    fn handle_segment(&mut self, segment: &Segment<'_>) -> Option<End> {
        let side = self.side(segment);
        let Flow { tracker, streams: [initiator, responder], .. } = self;
        let (stream, opposite) = match side {
            Side::Initiator => (initiator, responder),
            Side::Responder => (responder, initiator),
        };
        if segment.flags.rst {
            let believed = tracker.is_none() || stream.is_near(segment.sequence);
            return believed.then_some(End::ResetBy(side));
        }
        let first = segment.sequence.wrapping_add(u32::from(segment.flags.syn));
        if segment.flags.syn {
            stream.handle_start(first);
        }
        let length = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX).wrapping_add(segment.missing);
        if segment.flags.fin {
            stream.handle_end(first.wrapping_add(length));
            self.first_to_close.get_or_insert(side);
        }
        if tracker.is_some() {
            // What is acknowledged was there before this segment was sent.
            if let Some(sequence) = segment.acknowledgment {
                opposite.handle_acknowledgment(sequence, &mut |chunk| feed(tracker, side.other(), chunk));
            }
            stream.handle_segment(first, segment.payload, segment.missing, &mut |chunk| {
                feed(tracker, side, chunk);
            });
        }
        if tracker.is_none() {
            // Nobody reads: follow the positions, hold nothing.
            stream.flush(&mut |_| {});
        }
        self.is_closed().then_some(End::ClosedBy(self.first_to_close.unwrap_or(side)))
    }

    /// Whether both sides closed and everything before that came out, or will not be read.
    fn is_closed(&self) -> bool {
        let unread = self.tracker.is_none();
        self.streams.iter().all(|stream| stream.is_finished() || (unread && stream.is_closing()))
    }

    fn flush(&mut self) {
        let Flow { tracker, streams: [initiator, responder], .. } = self;
        initiator.flush(&mut |chunk| feed(tracker, Side::Initiator, chunk));
        responder.flush(&mut |chunk| feed(tracker, Side::Responder, chunk));
    }
}

fn feed<T: Tracker>(tracker: &mut Option<T>, side: Side, chunk: Chunk<'_>) {
    let interest = match (tracker.as_mut(), chunk) {
        (None, _) => return,
        (Some(tracker), Chunk::Bytes(bytes)) => tracker.bytes(side, bytes),
        (Some(tracker), Chunk::Gap(bytes)) => tracker.gap(side, bytes),
    };
    if interest == Interest::None {
        *tracker = None;
    }
}
