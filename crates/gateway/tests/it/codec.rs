//! Our WebSocket codec beside tungstenite's: what one writes the other reads, what one refuses the other does.

use futures_util::{SinkExt, StreamExt};
use gateway::ws::codec::{self, Control, Decoder, Unframed};
use proptest::prelude::*;
use std::io::Cursor;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes, WebSocket};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

/// Payload, control frames, and whether the stream was refused.
type Outcome = (Vec<u8>, Vec<Seen>, bool);

fn ours(stream: &[u8]) -> Outcome {
    let mut bytes = stream.to_vec();
    let mut seen = Vec::new();
    let Unframed { payload, fault } = Decoder::new(1 << 20).unframe(&mut bytes, |control| {
        seen.push(match control {
            Control::Ping(p) => Seen::Ping(p.to_vec()),
            Control::Pong(p) => Seen::Pong(p.to_vec()),
            Control::Close(code) => Seen::Close(code),
        });
    });
    (bytes[..payload].to_vec(), seen, fault.is_some())
}

/// A stream that only reads: what tungstenite wants to answer is thrown away.
struct Reading(Cursor<Vec<u8>>);

impl std::io::Read for Reading {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl std::io::Write for Reading {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn theirs(stream: &[u8]) -> Outcome {
    let config = WebSocketConfig::default().max_message_size(Some(1 << 20)).max_frame_size(Some(1 << 20));
    let mut socket =
        WebSocket::from_raw_socket(Reading(Cursor::new(stream.to_vec())), Role::Server, Some(config));
    let (mut payload, mut seen) = (Vec::new(), Vec::new());
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => payload.extend_from_slice(&bytes),
            Ok(Message::Ping(bytes)) => seen.push(Seen::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => seen.push(Seen::Pong(bytes.to_vec())),
            // How it passes on a code that may not be sent.
            Ok(Message::Close(Some(frame))) if frame.reason == "Protocol violation" => {
                return (payload, seen, true);
            }
            Ok(Message::Close(frame)) => {
                seen.push(Seen::Close(frame.map(|f| f.code.into())));
                return (payload, seen, false);
            }
            Ok(_) => return (payload, seen, true),
            // The stream just ends: that is for the layer above.
            Err(Error::Io(_) | Error::ConnectionClosed) => return (payload, seen, false),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (payload, seen, false);
            }
            Err(_) => return (payload, seen, true),
        }
    }
}

fn client_frame(is_final: bool, opcode: u8, mask: [u8; 4], payload: Vec<u8>) -> Vec<u8> {
    let header =
        FrameHeader { is_final, opcode: OpCode::from(opcode), mask: Some(mask), ..FrameHeader::default() };
    let mut out = Vec::new();
    Frame::from_payload(header, payload.into()).format(&mut out).unwrap();
    out
}

/// Legal and illegal client frames; whole messages only at the end, since tungstenite reports no parts.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![5 => Just(2_u8), 4 => Just(0), 2 => Just(9), 1 => Just(10), 1 => Just(8)];
    let payload = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..120),
        1 => proptest::collection::vec(any::<u8>(), 120..70_000),
    ];
    let frame =
        (any::<bool>(), opcode, any::<[u8; 4]>(), payload).prop_map(|(fin, opcode, mask, payload)| {
            let payload = match opcode {
                8 => [&1000_u16.to_be_bytes()[..], b"bye"].concat(),
                9 | 10 => payload.into_iter().take(125).collect(),
                _ => payload,
            };
            client_frame(fin || opcode >= 8, opcode, mask, payload)
        });
    proptest::collection::vec(frame, 0..8).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Both read the same bytes and refuse the same streams. tungstenite collects messages, so at a
    /// refusal or in the middle of a message it has seen at most what we have.
    #[test]
    fn streams_mean_the_same_to_both(stream in streams()) {
        let (our_payload, our_seen, our_fault) = ours(&stream);
        let (their_payload, their_seen, their_fault) = theirs(&stream);
        prop_assert!(our_payload.starts_with(&their_payload));
        prop_assert_eq!(our_seen, their_seen);
        prop_assert_eq!(our_fault, their_fault);
    }

    /// A broken bit in a header is seen by both.
    #[test]
    fn broken_headers_are_refused_by_both(stream in streams(), first: u8, second in 0x80_u8..0xfe) {
        let broken = [stream, vec![first, second]].concat();
        let whole = [broken, vec![0; 4 + 126 + 2]].concat();
        let (ours, theirs) = (ours(&whole), theirs(&whole));
        // Text is a fault of consoles only; tungstenite reports it as a message.
        prop_assert_eq!(ours.2, theirs.2);
    }

    /// What we write is what tungstenite's client reads.
    #[test]
    fn a_client_of_theirs_reads_what_we_write(
        payload in proptest::collection::vec(any::<u8>(), 0..70_000),
        control in proptest::collection::vec(any::<u8>(), 0..=125),
        code in prop_oneof![Just(1000_u16), 4000_u16..4012],
    ) {
        let mut stream = Vec::new();
        codec::put_ping(&mut stream, &control);
        codec::put_binary(&mut stream, &payload);
        codec::put_pong(&mut stream, &control);
        codec::put_close(&mut stream, code, "session.killed");
        let mut socket = WebSocket::from_raw_socket(Reading(Cursor::new(stream)), Role::Client, None);
        prop_assert_eq!(socket.read().unwrap(), Message::Ping(control.clone().into()));
        prop_assert_eq!(socket.read().unwrap(), Message::Binary(payload.into()));
        prop_assert_eq!(socket.read().unwrap(), Message::Pong(control.into()));
        let close = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static("session.killed") };
        prop_assert_eq!(socket.read().unwrap(), Message::Close(Some(close)));
    }
}

/// The codec as a stream, against their client over a pipe.
#[tokio::test]
async fn a_stream_of_ours_talks_to_a_client_of_theirs() {
    let (near, far) = tokio::io::duplex(1000);
    let mut server = gateway::ws::stream::WsStream::new(near, Vec::new());
    let mut client = tokio_tungstenite::WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    client.send(Message::Ping("?".into())).await.unwrap();
    client.send(Message::Binary("hello".into())).await.unwrap();
    let mut got = Vec::new();
    server.receive(&mut got).await.unwrap();
    assert_eq!(got, b"hello");
    server.send(b"world").await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("?".into()));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Binary("world".into()));
    let closing = tokio::spawn(server.close(4003, "session.killed", std::time::Duration::from_secs(5)));
    let Some(Ok(Message::Close(Some(frame)))) = client.next().await else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4003, "session.killed"));
    drop(client);
    closing.await.unwrap();
}
