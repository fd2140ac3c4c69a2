//! Every security type's bytes as a script of both sides, read in all sorts of pieces.

use super::{AuthResult, PassiveSession, Progress, Seen};
use crate::security_type::Subtype;
use crate::trace::{Replay, Trace};
use crate::wire::Put;
use crate::{Misbehavior, PixelFormat, SecurityType, ServerInit};
use model::event::{Event, Origin};

const S: Origin = Origin::Target;
const V: Origin = Origin::Viewer;

/// What both sides say, in order.
#[derive(Clone, Default)]
struct Script(Vec<(Origin, Vec<u8>)>);

impl Script {
    fn version(line: &[u8; 12]) -> Script {
        Script::default().says(S, line).says(V, line)
    }

    /// 3.8, and one security type is offered and taken.
    fn security(kind: u8) -> Script {
        Script::version(b"RFB 003.008\n").says(S, &[1, kind]).says(V, &[kind])
    }

    fn says(mut self, from: Origin, bytes: &[u8]) -> Script {
        self.0.push((from, bytes.to_vec()));
        self
    }

    fn zeros(self, from: Origin, count: usize) -> Script {
        self.says(from, &vec![0; count])
    }

    /// Acceptance in so many words, both inits, and one message of each side.
    fn accepted(self) -> Script {
        self.says(S, &[0; 4]).begins()
    }

    fn begins(self) -> Script {
        self.inits().messages()
    }

    fn inits(self) -> Script {
        let mut init = Vec::new();
        ServerInit { width: 64, height: 48, pixel_format: PixelFormat::RGB888, name: b"box".to_vec() }
            .write(&mut init);
        self.says(V, &[1]).says(S, &init)
    }

    fn messages(self) -> Script {
        self.says(V, &[4, 1, 0, 0, 0, 0, 0, 0x61]).says(S, &[2])
    }

    fn total(&self, from: Origin) -> u64 {
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap();
        self.0.iter().filter(|(o, _)| *o == from).map(|(_, bytes)| length(bytes)).sum()
    }
}

/// Everything a reading says, to be compared between pieces.
#[derive(PartialEq, Debug, Clone)]
struct Reading {
    seen: Seen,
    progress: Progress,
    framed: [u64; 2],
    messages: Vec<(Origin, u8)>,
}

fn read_pieces<'a>(pieces: impl Iterator<Item = (Origin, &'a [u8])>) -> Reading {
    let mut session = PassiveSession::new();
    let mut messages = Vec::new();
    for (from, bytes) in pieces {
        session.handle(from, bytes, &mut |event: Event<'_>| {
            if let Event::Message { from, kind } = event {
                messages.push((from, kind));
            }
        });
    }
    messages.sort_by_key(|(from, _)| *from == V);
    Reading {
        seen: session.seen().clone(),
        progress: session.progress(),
        framed: [session.framed(V), session.framed(S)],
        messages,
    }
}

/// Reads the script as it is, byte by byte, and with one side's bytes all before the other's: in a
/// capture the directions may come apart that far.
#[track_caller]
fn read(script: &Script) -> Reading {
    let whole = read_pieces(script.0.iter().map(|(from, bytes)| (*from, bytes.as_slice())));
    let bytes = script.0.iter().flat_map(|(from, bytes)| bytes.chunks(1).map(|b| (*from, b)));
    assert_eq!(read_pieces(bytes), whole);
    for first in [S, V] {
        let of = |side: Origin| script.0.iter().filter(move |(from, _)| *from == side);
        let apart = of(first).chain(of(first.other())).map(|(from, bytes)| (*from, bytes.as_slice()));
        assert_eq!(read_pieces(apart), whole);
    }
    assert_skeleton(script, &whole);
    whole
}

fn skeleton(script: &Script) -> String {
    let mut session = PassiveSession::new();
    session.keep_skeleton();
    script.0.iter().for_each(|(from, bytes)| session.handle(*from, bytes, &mut |_: Event<'_>| {}));
    session.take_skeleton() + &session.finish_skeleton()
}

/// The skeleton frames as the script does, and does not change with what is blank in it.
#[track_caller]
fn assert_skeleton(script: &Script, reading: &Reading) {
    let text = skeleton(script);
    let trace = Trace::parse(&text).unwrap();
    for piece in [1, usize::MAX] {
        let outcome = Replay::new(&trace, piece).run(&mut |_: Event<'_>| {});
        assert_eq!(trace.difference(&outcome), None, "{text}");
        assert_eq!(outcome.framed, reading.framed, "{text}");
    }
    let mut changed = script.clone();
    let mut blank = [V, S].map(|from| trace.bytes(from).into_iter());
    for (from, bytes) in &mut changed.0 {
        let blank = &mut blank[usize::from(*from == S)];
        for (byte, blank) in bytes.iter_mut().zip(blank) {
            *byte ^= if blank == 0 && *byte > 0 { 0x80 } else { 0 };
        }
    }
    assert_eq!(skeleton(&changed), text);
}

#[track_caller]
fn assert_in_clear(script: Script) -> Seen {
    let reading = read(&script);
    assert_eq!(reading.progress, Progress::Session);
    assert_eq!(reading.framed, [script.total(V), script.total(S)]);
    assert_eq!(reading.messages, [(S, 2), (V, 4)]);
    assert_eq!(reading.seen.auth_result, Some(AuthResult::Accepted));
    assert_eq!(reading.seen.shared, Some(true));
    reading.seen
}

#[track_caller]
fn assert_opaque(script: Script, readable: [u64; 2]) -> Seen {
    let reading = read(&script);
    assert_eq!((reading.progress, reading.framed), (Progress::Opaque, readable));
    assert_eq!(reading.seen.auth_result, None);
    reading.seen
}

#[test]
fn none_and_vnc_auth_in_every_version() {
    assert_in_clear(Script::security(1).accepted());
    assert_in_clear(Script::security(2).zeros(S, 16).zeros(V, 16).accepted());
    let seven = Script::version(b"RFB 003.007\n");
    assert_in_clear(seven.clone().says(S, &[2, 2, 1]).says(V, &[1]).begins());
    let seen = assert_in_clear(seven.says(S, &[2, 2, 1]).says(V, &[2]).zeros(S, 16).zeros(V, 16).accepted());
    assert_eq!(seen.offered, [SecurityType::VNC_AUTH, SecurityType::NONE]);
    let three = Script::version(b"RFB 003.003\n");
    assert_in_clear(three.clone().says(S, &[0, 0, 0, 1]).begins());
    assert_in_clear(three.says(S, &[0, 0, 0, 2]).zeros(S, 16).zeros(V, 16).accepted());
}

#[test]
fn the_lower_version_rules_and_both_are_told() {
    let mac = Script::default().says(S, b"RFB 003.008\n").says(V, b"RFB 003.003\n").says(S, &[0, 0, 0, 1]);
    let seen = assert_in_clear(mac.begins());
    assert_eq!(seen.server_version.map(|l| l.to_string()).as_deref(), Some("003.008"));
    assert_eq!(seen.viewer_version.map(|l| l.to_string()).as_deref(), Some("003.003"));
}

#[test]
fn refusals_with_and_without_words() {
    let words = [&[0, 0, 0, 9][..], b"Forbidden"].concat();
    let refused = |script: Script, result, reason: Option<&[u8]>| {
        let reading = read(&script);
        assert_eq!(reading.progress, Progress::Refused);
        assert_eq!(reading.framed, [script.total(V), script.total(S)]);
        assert_eq!((reading.seen.auth_result, reading.seen.reason.as_deref()), (Some(result), reason));
    };
    let tried = || Script::security(2).zeros(S, 16).zeros(V, 16);
    let failed = AuthResult::Failed;
    refused(tried().says(S, &[0, 0, 0, 1]).says(S, &words), failed, Some(b"Forbidden"));
    refused(tried().says(S, &[0, 0, 0, 2]).says(S, &words), AuthResult::TooManyFailures, Some(b"Forbidden"));
    let eight = Script::version(b"RFB 003.008\n");
    refused(eight.says(S, &[0]).says(S, &words), failed, Some(b"Forbidden"));
    let three = || Script::version(b"RFB 003.003\n");
    refused(three().says(S, &[0; 4]).says(S, &words), failed, Some(b"Forbidden"));
    let tried = three().says(S, &[0, 0, 0, 2]).zeros(S, 16).zeros(V, 16);
    refused(tried.says(S, &[0, 0, 0, 1]), failed, None);
}

#[test]
fn tight_with_tunnels_and_every_inner_type() {
    let capability = |n: u32| [&n.to_be_bytes()[..], b"VENDNAMED0__"].concat();
    let tail = [&[0, 1, 0, 0, 0, 2, 0, 0][..], &[7; 48]].concat();
    let begin = || Script::security(16).says(S, &[0; 4]);
    let none = begin().says(S, &[0; 4]).says(S, &[0; 4]).inits().says(S, &tail).messages();
    assert_in_clear(none);
    let offered = [&[0, 0, 0, 2][..], &capability(1), &capability(2)].concat();
    let chosen = begin().says(S, &offered).says(V, &[0, 0, 0, 2]).zeros(S, 16).zeros(V, 16);
    let seen = assert_in_clear(chosen.says(S, &[0; 4]).inits().says(S, &tail).messages());
    assert_eq!((seen.inner_offered.as_slice(), seen.inner), ([1, 2].as_slice(), Some(2)));
    let unix = [&[0, 0, 0, 1][..], &capability(129)].concat();
    let login = [&[0, 0, 0, 3, 0, 0, 0, 2][..], b"bobpw"].concat();
    let chosen = begin().says(S, &unix).says(V, &[0, 0, 0, 129]).says(V, &login);
    assert_in_clear(chosen.says(S, &[0; 4]).inits().says(S, &tail).messages());
    let tunnels = [&[0, 0, 0, 2][..], &capability(0), &capability(5)].concat();
    let tunnelled = Script::security(16).says(S, &tunnels).says(V, &[0, 0, 0, 5]).zeros(V, 99);
    assert_opaque(tunnelled, [12 + 1 + 4, 12 + 2 + 36]);
    let open = Script::security(16).says(S, &tunnels).says(V, &[0; 4]).says(S, &[0; 4]).says(S, &[0; 4]);
    assert_in_clear(open.inits().says(S, &tail).messages());
}

#[test]
fn vencrypt_is_readable_up_to_tls_and_plain_throughout() {
    let mut list = vec![0, 2];
    list.put_u32(Subtype::TLS_VNC.0);
    list.put_u32(Subtype::PLAIN.0);
    let begin = || Script::security(19).says(S, &[0, 2]).says(V, &[0, 2]).says(S, &list);
    let plain = [&[0, 0, 0, 3, 0, 0, 0, 2][..], b"bobpw"].concat();
    let seen = assert_in_clear(begin().says(V, &[0, 0, 1, 0]).says(V, &plain).accepted());
    assert_eq!(seen.inner, Some(256));
    let tls = begin().says(V, &[0, 0, 1, 2]).says(S, &[1]).zeros(V, 500).zeros(S, 900);
    let seen = assert_opaque(tls, [12 + 1 + 2 + 4, 12 + 2 + 2 + 10 + 1]);
    assert_eq!((seen.inner_offered.as_slice(), seen.inner), ([258, 256].as_slice(), Some(258)));
    let declined = read(&begin().says(V, &[0, 0, 1, 2]).says(S, &[0]));
    assert_eq!(declined.progress, Progress::Refused);
}

#[test]
fn encrypted_types_are_told_and_left_alone() {
    for kind in [5, 13, 18, 33, 36, 129, 133, 200] {
        let seen = assert_opaque(Script::security(kind).zeros(S, 80).zeros(V, 80), [13, 14]);
        assert_eq!(seen.security_type, Some(SecurityType(kind.into())));
    }
}

#[test]
fn types_that_hide_only_the_password() {
    let apple = [&[0, 2, 0, 128][..], &[9; 256]].concat();
    assert_in_clear(Script::security(30).says(S, &apple).zeros(V, 256).accepted());
    assert_in_clear(Script::security(113).zeros(S, 24).zeros(V, 328).accepted());
    assert_in_clear(Script::security(22).says(V, &[3, 0, 1, 2, 3]).zeros(S, 16).zeros(V, 16).accepted());
    let text = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let sasl = Script::security(20).says(S, &text(b"SCRAM-SHA-256,PLAIN")).says(V, &text(b"SCRAM-SHA-256"));
    let two_rounds = sasl
        .says(V, &text(b"n,,"))
        .says(S, &text(b"r="))
        .says(S, &[0])
        .says(V, &text(b"c="))
        .says(S, &text(b""));
    assert_in_clear(two_rounds.says(S, &[1]).accepted());
    let digest = Script::security(20).says(S, &text(b"DIGEST-MD5")).says(V, &text(b"DIGEST-MD5"));
    let layered = digest.says(V, &text(b"")).says(S, &text(b"")).says(S, &[1]).zeros(S, 44);
    assert_opaque(layered, [12 + 1 + 14 + 4, 12 + 2 + 14 + 4 + 1]);
}

#[test]
fn ra2ne_is_skipped_record_by_record() {
    let key = [&[0, 0, 4, 0][..], &[1; 256]].concat();
    let random = [&[0, 128][..], &[2; 128]].concat();
    let record = |n: u16| [&n.to_be_bytes()[..], &vec![3; usize::from(n) + 16]].concat();
    for (kind, hash) in [(6, 20), (130, 32)] {
        let keys = Script::security(kind).says(S, &key).says(V, &key).says(S, &random).says(V, &random);
        let hashes = keys.says(S, &record(hash)).says(V, &record(hash));
        assert_in_clear(hashes.says(S, &record(1)).says(V, &record(9)).accepted());
    }
}

#[test]
fn oddities_of_ultravnc_and_macos() {
    let repeater = Script::default().says(S, b"RFB 000.000\n").zeros(V, 250);
    let mut session = Script::security(1).accepted();
    session.0.splice(0..0, repeater.0);
    assert_in_clear(session.clone());
    session.0.truncate(2);
    let mut calling = Script::security(1).accepted();
    let mut id = b"ID:42".to_vec();
    id.resize(250, 0);
    calling.0.insert(0, (S, id));
    assert_in_clear(calling);
    let ultra = Script::security(17).says(S, &[0xff; 4]).says(S, &[1, 113]).says(V, &[113]);
    assert_in_clear(ultra.zeros(S, 24).zeros(V, 328).accepted());
    let macs = Script::version(b"RFB 003.889\n").says(S, &[1, 30]).says(V, &[30]);
    let macs =
        macs.says(S, &[&[0, 2, 0, 128][..], &[9; 256]].concat()).zeros(V, 256).says(S, &[0; 4]).inits();
    let reading = read(&macs.clone().zeros(S, 64).zeros(V, 64));
    assert_eq!((reading.progress, reading.framed), (Progress::Opaque, [macs.total(V), macs.total(S)]));
    assert_eq!(reading.seen.init.map(|init| init.name), Some(b"box".to_vec()));
}

#[test]
fn a_type_that_was_not_offered_is_noted_and_read_on() {
    let bypass = Script::version(b"RFB 003.008\n").says(S, &[1, 2]).says(V, &[1]).accepted();
    let seen = assert_in_clear(bypass);
    assert_eq!(seen.violations, [(V, Misbehavior::TypeNotOffered)]);
}

#[test]
fn lengths_that_lie_end_the_reading_at_once() {
    let huge = [0xff; 4];
    let tried = Script::security(2).zeros(S, 16).zeros(V, 16).says(S, &[0, 0, 0, 1]);
    for (script, fault) in [
        (tried.says(S, &huge), Misbehavior::ReasonTooLong),
        (Script::security(16).says(S, &huge), Misbehavior::SecurityList),
        (Script::security(20).says(S, &huge), Misbehavior::SecurityExchange),
        (Script::security(6).says(S, &huge), Misbehavior::PublicKey),
        (Script::security(30).says(S, &huge), Misbehavior::PublicKey),
    ] {
        assert_eq!(read(&script).progress, Progress::Broken(S, fault));
    }
    let chatter = Script::default().zeros(V, super::AHEAD + 1);
    assert_eq!(
        read_pieces(chatter.0.iter().map(|(o, b)| (*o, &b[..]))).progress,
        Progress::Broken(V, Misbehavior::OutOfOrder)
    );
}

/// Passwords on the wire go nowhere: neither what was seen nor what is held nor a skeleton has them.
#[test]
fn challenges_responses_and_passwords_are_not_kept() {
    let mut script = Script::security(2).says(S, b"CHALLENGECHALLEN").says(V, b"RESPONSERESPONSE").accepted();
    script.0.pop();
    let reading = read(&script);
    let shown = format!("{reading:?}");
    let as_numbers = |text: &[u8]| format!("{text:?}").trim_matches(['[', ']']).to_owned();
    for secret in [b"CHAL".as_slice(), b"RESP"] {
        assert!(
            !shown.contains(&as_numbers(secret)) && !shown.contains(std::str::from_utf8(secret).unwrap())
        );
    }
    let mut session = PassiveSession::new();
    for (from, bytes) in &script.0 {
        session.handle(*from, bytes, &mut |_: Event<'_>| {});
    }
    assert_eq!((session.held(V), session.held(S)), (0, 0));
}
