//! The table of connections: who is who, when one is over, and what is forgotten first.

use crate::packets::{ACK, RST, Talk, Tcp, address};
use capture::decode::{Decoded, decode};
use capture::flow::table::Bounds;
use capture::flow::{Closed, End, FlowInfo, Interest, Side, Table, Tracker};
use capture::source::{LinkType, Packet};

/// Writes down what it is told.
struct Log(String);

impl Tracker for Log {
    fn opened(_: &FlowInfo) -> Self {
        Log(String::new())
    }
    fn bytes(&mut self, side: Side, bytes: &[u8]) -> Interest {
        let mark = if side == Side::Initiator { '>' } else { '<' };
        self.0.push(mark);
        self.0.push_str(std::str::from_utf8(bytes).unwrap());
        if bytes == b"boring" { Interest::None } else { Interest::More }
    }
    fn gap(&mut self, _: Side, bytes: u64) -> Interest {
        self.0.push_str(&format!("[{bytes}]"));
        Interest::More
    }
}

fn run(bounds: Bounds, packets: &[Tcp]) -> Vec<(u64, End, Option<String>)> {
    let mut table: Table<Log> = Table::new(bounds);
    let mut closed = Vec::new();
    let mut keep = |c: Closed<Log>| closed.push((c.info.number, c.end, c.tracker.map(|t| t.0)));
    for packet in packets {
        let bytes = packet.ip();
        let Decoded::Segment(segment) = decode(&Packet { time: None, link: LinkType::RAW, bytes: &bytes })
        else {
            panic!()
        };
        table.handle_segment(&segment, None, &mut keep);
        assert!(table.len() <= bounds.flows);
    }
    table.finish(&mut keep);
    closed
}

fn talk() -> Talk {
    Talk::open("10.0.0.1:40000", "10.0.0.2:5900", [100, u32::MAX - 2])
}

fn log(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_whole_connection_over_the_wrap() {
    let mut talk = talk();
    talk.say(1, b"hello");
    talk.say(0, b"hi");
    talk.close(0);
    let closed = End::ClosedBy(Side::Initiator);
    assert_eq!(run(Bounds::default(), &talk.packets), [(0, closed, log("<hello>hi"))]);
}

#[test]
fn late_copies_open_nothing_and_a_new_syn_does() {
    let mut first = talk();
    first.say(0, b"one");
    first.close(1);
    let mut packets = first.packets.clone();
    packets.extend(first.packets.clone());
    let mut second = Talk::open("10.0.0.1:40000", "10.0.0.2:5900", [5_000_000, 7]);
    second.say(0, b"two");
    packets.extend(second.packets);
    let closed = run(Bounds::default(), &packets);
    let first = (0, End::ClosedBy(Side::Responder), log(">one"));
    assert_eq!(closed, [first, (1, End::CaptureEnded(None), log(">two"))]);
}

#[test]
fn a_syn_in_an_open_connection_replaces_it() {
    let mut packets = talk().packets;
    packets.extend(Talk::open("10.0.0.1:40000", "10.0.0.2:5900", [77, 88]).packets);
    let ends: Vec<End> = run(Bounds::default(), &packets).into_iter().map(|(_, end, _)| end).collect();
    assert_eq!(ends, [End::Replaced, End::CaptureEnded(None)]);
}

#[test]
fn a_reset_is_believed_only_near_the_stream() {
    let mut talk = talk();
    talk.say(0, b"a");
    let (from, to) = (address("10.0.0.2:5900"), address("10.0.0.1:40000"));
    let forged = Tcp { from, to, sequence: 1 << 30, acknowledgment: 0, flags: RST, payload: Vec::new() };
    talk.packets.push(forged);
    talk.say(1, b"b");
    talk.push(1, RST, b"");
    talk.say(0, b"c");
    let end = End::ResetBy(Side::Responder);
    assert_eq!(run(Bounds::default(), &talk.packets), [(0, end, log(">a<b"))]);
}

#[test]
fn without_a_syn_the_first_segment_begins_and_the_answer_names_the_caller() {
    let mut middle = Talk::in_the_middle("10.0.0.1:40000", "10.0.0.2:5900", [9, 9]);
    middle.say(1, b"x");
    middle.say(0, b"y");
    assert_eq!(run(Bounds::default(), &middle.packets), [(0, End::CaptureEnded(None), log(">x<y"))]);
    let mut answered = talk();
    answered.packets.remove(0);
    answered.say(1, b"x");
    assert_eq!(run(Bounds::default(), &answered.packets)[0].2, log("<x"));
}

#[test]
fn bare_acknowledgements_and_resets_open_nothing() {
    let mut middle = Talk::in_the_middle("10.0.0.1:40000", "10.0.0.2:5900", [9, 9]);
    middle.push(0, ACK, b"");
    middle.push(1, RST, b"");
    assert_eq!(run(Bounds::default(), &middle.packets), []);
}

#[test]
fn the_flow_that_was_silent_for_longest_makes_room() {
    let bounds = Bounds { flows: 2, ..Bounds::default() };
    let open = |port: u16| Talk::open(&format!("10.0.0.1:{port}"), "10.0.0.2:5900", [1, 1]);
    let (mut a, b, c) = (open(1000), open(2000), open(3000));
    let mut packets = a.packets.split_off(0);
    packets.extend(b.packets);
    a.say(0, b"still here");
    packets.extend(a.packets);
    packets.extend(c.packets);
    let order: Vec<(u64, End)> = run(bounds, &packets).into_iter().map(|(n, end, _)| (n, end)).collect();
    assert_eq!(order, [(1, End::Evicted), (0, End::CaptureEnded(None)), (2, End::CaptureEnded(None))]);
}

#[test]
fn all_flows_together_hold_no_more_than_the_bound() {
    let bounds = Bounds { held: 300, ..Bounds::default() };
    let mut packets = Vec::new();
    for port in 1000..1010 {
        let mut talk = Talk::open(&format!("10.0.0.1:{port}"), "10.0.0.2:5900", [1, 1]);
        talk.say(0, b"lost");
        talk.packets.pop();
        talk.say(0, b"kept");
        packets.extend(talk.packets);
    }
    let texts: Vec<String> = run(bounds, &packets).into_iter().filter_map(|(_, _, text)| text).collect();
    assert_eq!(texts, vec!["[4]>kept".to_owned(); 10]);
}

#[test]
fn nothing_is_held_for_a_flow_that_bores() {
    let mut talk = talk();
    talk.say(0, b"boring");
    talk.say(1, b"never read");
    talk.packets.remove(3);
    talk.say(1, b"nor this");
    talk.close(1);
    assert_eq!(run(Bounds::default(), &talk.packets), [(0, End::ClosedBy(Side::Responder), None)]);
}

#[test]
fn what_the_other_side_has_and_the_capture_has_not_is_a_gap_at_its_place() {
    let mut talk = talk();
    talk.say(1, b"seen");
    talk.say(1, b"lost");
    talk.packets.pop();
    talk.say(1, b"held");
    for word in [b"a", b"b", b"c", b"d"] {
        talk.say(0, word);
    }
    let expected = log("<seen>a>b[4]<held>c>d");
    assert_eq!(run(Bounds::default(), &talk.packets), [(0, End::CaptureEnded(None), expected)]);
}
