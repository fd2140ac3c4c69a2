use super::*;
use proptest::prelude::*;

const LIMIT: u64 = 1 << 20;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

/// Payload, control frames and fault of a stream shown in pieces cut at `cuts`.
fn decode(stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<Seen>, Option<Violation>) {
    let mut decoder = Decoder::new(LIMIT);
    let (mut payload, mut seen, mut fault) = (Vec::new(), Vec::new(), None);
    let mut from = 0;
    for to in cuts.iter().copied().chain([stream.len()]) {
        let mut piece = stream[from..to].to_vec();
        from = to;
        let unframed = decoder.unframe(&mut piece, |control| {
            seen.push(match control {
                Control::Ping(p) => Seen::Ping(p.to_vec()),
                Control::Pong(p) => Seen::Pong(p.to_vec()),
                Control::Close(code) => Seen::Close(code),
            });
        });
        payload.extend_from_slice(&piece[..unframed.payload]);
        fault = fault.or(unframed.fault);
    }
    (payload, seen, fault)
}

fn whole(stream: &[u8]) -> (Vec<u8>, Vec<Seen>, Option<Violation>) {
    decode(stream, &[])
}

fn client_frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..=125 => frame.push(0x80 | u8::try_from(n).unwrap()),
        n @ 126..=65_535 => {
            frame.push(0xfe);
            frame.extend(u16::try_from(n).unwrap().to_be_bytes());
        }
        n => {
            frame.push(0xff);
            frame.extend(u64::try_from(n).unwrap().to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    frame
}

/// [5.7] The specification's masked text message, as binary: all else is its bytes.
#[test]
fn the_masked_example_of_the_specification() {
    let frame = [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(whole(&frame), (b"Hello".to_vec(), vec![], None));
    let ping = [0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(whole(&ping), (vec![], vec![Seen::Ping(b"Hello".to_vec())], None));
}

/// [5.7] Unmasked frames of a server, with all three length forms.
#[test]
fn frames_are_written_as_the_specification_shows() {
    let mut out = Vec::new();
    put_pong(&mut out, b"Hello");
    assert_eq!(out, [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    for (len, expected) in [
        (0, vec![0x82, 0]),
        (125, vec![0x82, 125]),
        (126, vec![0x82, 126, 0, 126]),
        (256, vec![0x82, 0x7e, 0x01, 0x00]),
        (65_535, vec![0x82, 0x7e, 0xff, 0xff]),
        (65_536, vec![0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut room = [0xee; 16];
        let at = put_header(&mut room, len);
        assert_eq!(room[at..], expected[..], "{len}");
        assert!(room[..at].iter().all(|&b| b == 0xee));
        let mut framed = Vec::new();
        put_binary(&mut framed, &vec![7; len]);
        assert_eq!(framed[..expected.len()], expected[..]);
        assert_eq!(framed.len(), expected.len() + len);
    }
}

#[test]
fn control_frames_pass_between_fragments() {
    let mut stream = client_frame(0x02, [1, 2, 3, 4], b"abc");
    stream.extend(client_frame(0x89, [9, 9, 9, 9], b"x"));
    stream.extend(client_frame(0x00, [5, 6, 7, 8], b""));
    stream.extend(client_frame(0x8a, [0; 4], b""));
    stream.extend(client_frame(0x80, [5, 6, 7, 8], b"defgh"));
    stream.extend(client_frame(0x88, [5, 6, 7, 8], &[0x03, 0xe9, b'o', b'k']));
    stream.extend(b"ignored after the close");
    let seen = vec![Seen::Ping(b"x".to_vec()), Seen::Pong(vec![]), Seen::Close(Some(1001))];
    assert_eq!(whole(&stream), (b"abcdefgh".to_vec(), seen, None));
}

#[test]
fn violations_have_their_close_codes() {
    let limit = usize::try_from(LIMIT).unwrap();
    let m = [1, 2, 3, 4];
    let in_message = |frame: Vec<u8>| [client_frame(0x02, m, b"ab"), frame].concat();
    let fragments = [client_frame(0x02, m, &vec![0; limit]), client_frame(0x00, m, b"x")].concat();
    for (stream, violation, code) in [
        (client_frame(0xc2, m, b""), Violation::ReservedBits, 1002),
        (client_frame(0xa2, m, b""), Violation::ReservedBits, 1002),
        (client_frame(0x92, m, b""), Violation::ReservedBits, 1002),
        (client_frame(0x83, m, b""), Violation::Opcode, 1002),
        (client_frame(0x8b, m, b""), Violation::Opcode, 1002),
        (vec![0x82, 0x05, 1, 2, 3, 4, 5], Violation::Unmasked, 1002),
        (client_frame(0x80, m, b""), Violation::Fragmentation, 1002),
        (in_message(client_frame(0x82, m, b"")), Violation::Fragmentation, 1002),
        (client_frame(0x09, m, b""), Violation::Control, 1002),
        (client_frame(0x89, m, &[0; 126]), Violation::Control, 1002),
        (vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], Violation::Length, 1002),
        (client_frame(0x88, m, &[3]), Violation::CloseCode, 1002),
        (client_frame(0x88, m, &1005_u16.to_be_bytes()), Violation::CloseCode, 1002),
        (client_frame(0x88, m, &[3, 232, 0xff]), Violation::CloseReason, 1007),
        (client_frame(0x81, m, b"text"), Violation::Text, 1003),
        (client_frame(0x82, m, &vec![0; limit + 1]), Violation::TooBig, 1009),
        (fragments, Violation::TooBig, 1009),
    ] {
        let (_, _, fault) = whole(&stream);
        assert_eq!(fault, Some(violation), "{:02x?}", &stream[..stream.len().min(20)]);
        assert_eq!(violation.close_code(), code);
    }
    let codes: std::collections::HashSet<_> = Violation::ALL.iter().map(|v| v.code()).collect();
    assert_eq!(codes.len(), Violation::ALL.len());
}

#[test]
fn what_came_before_a_violation_counts() {
    let mut stream = client_frame(0x82, [1, 2, 3, 4], b"before");
    stream.extend([0xff, 0xff]);
    assert_eq!(whole(&stream), (b"before".to_vec(), vec![], Some(Violation::ReservedBits)));
}

#[test]
fn a_close_reason_is_cut_between_characters() {
    let mut out = Vec::new();
    put_close(&mut out, 4008, &"é".repeat(100));
    assert_eq!(out[..4], [0x88, 124, 0x0f, 0xa8]);
    assert_eq!(std::str::from_utf8(&out[4..]).unwrap(), "é".repeat(61));
}

proptest! {
    #[test]
    fn masks_turn_with_the_offset(bytes in proptest::collection::vec(any::<u8>(), 0..200), mask: [u8; 4], cut in 0_usize..200) {
        let mut masked: Vec<u8> = bytes.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        let (head, tail) = masked.split_at_mut(cut.min(bytes.len()));
        let turned = unmask(head, mask);
        unmask(tail, turned);
        prop_assert_eq!(masked, bytes);
    }

    /// The split property: any chunking of the input gives the same output.
    #[test]
    fn cutting_changes_nothing(stream in streams(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(decode(&stream, &cuts), whole(&stream));
    }

    #[test]
    fn any_bytes_end_without_panic(stream in proptest::collection::vec(any::<u8>(), 0..400)) {
        let every: Vec<_> = (0..stream.len()).collect();
        prop_assert_eq!(decode(&stream, &every), whole(&stream));
    }
}

/// Mostly legal streams of client frames, now and then with a broken one.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..300);
    let first = prop_oneof![
        6 => Just(0x82_u8),
        2 => Just(0x02),
        2 => Just(0x00),
        2 => Just(0x80),
        2 => Just(0x89),
        1 => Just(0x8a),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let frame = (first, any::<[u8; 4]>(), payload).prop_map(|(first, mask, mut payload)| {
        if first & 0x0f >= 8 {
            payload.truncate(125);
        }
        client_frame(first, mask, &payload)
    });
    proptest::collection::vec(frame, 0..12).prop_map(|frames| frames.concat())
}
