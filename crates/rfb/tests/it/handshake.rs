//! Handshakes against golden bytes, against each other, and against peers that mean no good.

use crate::shell::{Answers, Shell, Stand};
use model::Coded;
use model::target::{Credentials, Strength};
use proptest::prelude::*;
use rfb::client::{ClientConfig, ClientHandshake, ClientResult};
use rfb::handshake::{HandshakeError, RefusalKind};
use rfb::security::ra2::Ra2Key;
use rfb::security_type::Subtype;
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes, server_init_bytes};
use rfb::{Misbehavior, PixelFormat, SecurityType, ServerInit};
use std::sync::{Arc, OnceLock};

fn server_key() -> Arc<Ra2Key> {
    static KEY: OnceLock<Arc<Ra2Key>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(Ra2Key::generate([1; 32]))))
}

fn client_key() -> Arc<Ra2Key> {
    static KEY: OnceLock<Arc<Ra2Key>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(Ra2Key::generate([2; 32]))))
}

fn screen() -> ServerInit {
    ServerInit { width: 800, height: 600, pixel_format: PixelFormat::RGB888, name: b"card".to_vec() }
}

fn config() -> ClientConfig {
    ClientConfig {
        shared: true,
        has_username: true,
        has_password: true,
        ra2_key: Some(client_key()),
        ..ClientConfig::default()
    }
}

fn anonymous() -> ClientConfig {
    let mut config = config();
    config.security.anonymous_tls = true;
    config
}

/// A client that hears `script`: what it found, and what it said. `|` bytes of TLS are masked by
/// [`masked`].
fn hear(config: ClientConfig, script: &[u8]) -> Result<(ClientResult, Vec<u8>), HandshakeError> {
    let mut shell = Shell::new(ClientHandshake::new(config, [7; 32]), Answers::RIGHT);
    match shell.receive(script)? {
        Stand::Done => {}
        Stand::Waits => return Err(shell.machine.handle_end()),
    }
    assert_eq!(shell.leftover()?, b"", "a byte was left over");
    Ok((shell.machine.into_result().unwrap(), shell.out))
}

fn masked(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ 0x5a).collect()
}

fn script(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn init() -> Vec<u8> {
    server_init_bytes(&screen())
}

/// DES under "s3cret" of sixteen zeros; computed with OpenSSL.
const RESPONSE: [u8; 16] =
    [0x33, 0xa9, 0x03, 0xbf, 0x6a, 0xff, 0x44, 0xce, 0x33, 0xa9, 0x03, 0xbf, 0x6a, 0xff, 0x44, 0xce];
const CHALLENGE: [u8; 16] = [0; 16];
const PLAIN: &[u8] = b"\0\0\0\x04\0\0\0\x06kates3cret";

#[test]
fn golden_none() {
    for (version, list, result, said) in [
        (b"RFB 003.003\n", &b"\0\0\0\x01"[..], &b""[..], &b"RFB 003.003\n\x01"[..]),
        (b"RFB 003.006\n", b"\0\0\0\x01", b"", b"RFB 003.003\n\x01"),
        (b"RFB 003.007\n", b"\x01\x01", b"", b"RFB 003.007\n\x01\x01"),
        (b"RFB 003.008\n", b"\x01\x01", b"\0\0\0\0", b"RFB 003.008\n\x01\x01"),
        (b"RFB 003.889\n", b"\x01\x01", b"\0\0\0\0", b"RFB 003.008\n\x01\x01"),
        (b"RFB 005.000\n", b"\x02\x21\x01", b"\0\0\0\0", b"RFB 003.008\n\x01\x01"),
    ] {
        let (found, sent) = hear(config(), &script(&[version, list, result, &init()])).unwrap();
        assert_eq!(sent, said);
        assert_eq!((found.security_type, found.strength), (SecurityType::NONE, Strength::Open));
        assert_eq!(found.init, screen());
    }
}

#[test]
fn golden_vnc_auth() {
    for (version, list, said) in [
        (b"RFB 003.003\n", &b"\0\0\0\x02"[..], &b"RFB 003.003\n"[..]),
        (b"RFB 003.007\n", b"\x01\x02", b"RFB 003.007\n\x02"),
        (b"RFB 003.008\n", b"\x03\x10\x01\x02", b"RFB 003.008\n\x02"),
    ] {
        let heard = script(&[version, list, &CHALLENGE, b"\0\0\0\0", &init()]);
        let (found, sent) = hear(config(), &heard).unwrap();
        assert_eq!(sent, script(&[said, &RESPONSE, b"\x01"]));
        assert_eq!((found.security_type, found.strength), (SecurityType::VNC_AUTH, Strength::Authenticated));
    }
}

#[test]
fn golden_vencrypt() {
    let start = b"RFB 003.008\n\x02\x13\x02\0\x02\0";
    let spoken = b"RFB 003.008\n\x13\0\x02";
    for (subtype, inside, strength) in [
        (Subtype::X509_NONE, (&b""[..], &b""[..]), Strength::EncryptedVerified),
        (Subtype::X509_VNC, (&CHALLENGE, &RESPONSE), Strength::EncryptedVerified),
        (Subtype::X509_PLAIN, (b"", PLAIN), Strength::EncryptedVerified),
        (Subtype::TLS_NONE, (b"", b""), Strength::EncryptedAnonymous),
        (Subtype::TLS_VNC, (&CHALLENGE, &RESPONSE), Strength::EncryptedAnonymous),
        (Subtype::TLS_PLAIN, (b"", PLAIN), Strength::EncryptedAnonymous),
        (
            Subtype::TLS_SASL,
            (b"\0\0\0\x05PLAIN\0\0\0\0\x01", b"\0\0\0\x05PLAIN\0\0\0\x0d\0kate\0s3cret\0"),
            Strength::EncryptedAnonymous,
        ),
        (
            Subtype::X509_SASL,
            (b"\0\0\0\x05PLAIN\0\0\0\0\x01", b"\0\0\0\x05PLAIN\0\0\0\x0d\0kate\0s3cret\0"),
            Strength::EncryptedVerified,
        ),
    ] {
        let number = subtype.0.to_be_bytes();
        let inner = masked(&script(&[inside.0, b"\0\0\0\0", &init()]));
        let heard = script(&[start, &[1], &number, &[1], &inner]);
        let (found, sent) = hear(anonymous(), &heard).unwrap();
        assert_eq!(sent, script(&[spoken, &number, &masked(&script(&[inside.1, b"\x01"]))]), "{subtype:?}");
        assert_eq!((found.subtype, found.strength), (Some(subtype), strength));
        assert_eq!(found.offered, [SecurityType::VENCRYPT, SecurityType::VNC_AUTH]);
    }
}

/// Plain (256) has no TLS and no acknowledgement.
#[test]
fn golden_vencrypt_plain() {
    let heard = script(&[b"RFB 003.008\n\x01\x13\0\x02\0\x01\0\0\x01\0\0\0\0\0", &init()]);
    let (found, sent) = hear(config(), &heard).unwrap();
    assert_eq!(sent, script(&[b"RFB 003.008\n\x13\0\x02\0\0\x01\0", PLAIN, b"\x01"]));
    assert_eq!((found.subtype, found.strength), (Some(Subtype::PLAIN), Strength::Open));
    let mut local = config();
    local.host_is_local = true;
    assert_eq!(hear(local, &heard).unwrap().0.strength, Strength::Authenticated);
}

/// Type 18: TLS at once, a list inside.
#[test]
fn golden_tls() {
    for (list, inside) in [
        (&b"\x02\x01\x02"[..], (script(&[&CHALLENGE, b"\0\0\0\0"]), script(&[b"\x02", &RESPONSE]))),
        (b"\x01\x01", (b"\0\0\0\0".to_vec(), b"\x01".to_vec())),
    ] {
        let inner = masked(&script(&[list, &inside.0, &init()]));
        let heard = script(&[b"RFB 003.008\n\x01\x12", &inner]);
        let (found, sent) = hear(anonymous(), &heard).unwrap();
        assert_eq!(sent, script(&[b"RFB 003.008\n\x12", &masked(&script(&[&inside.1, b"\x01"]))]));
        assert_eq!((found.security_type, found.strength), (SecurityType::TLS, Strength::EncryptedAnonymous));
        assert_eq!(hear(config(), &heard).map_err(|e| e.code()).err(), Some("target.below_floor"));
    }
}

const NO_TUNNEL: &[u8] = b"\0\0\0\0TGHTNOTUNNEL";
const CAP_NONE: &[u8] = b"\0\0\0\x01STDVNOAUTH__";
const CAP_VNC: &[u8] = b"\0\0\0\x02STDVVNCAUTH_";
const CAP_UNIX: &[u8] = b"\0\0\0\x81TGHTULGNAUTH";

#[test]
fn golden_tight() {
    let tail = script(&[b"\0\x01\0\x02\0\x01\0\0", &[0; 64]]);
    let no_user = || ClientConfig { has_username: false, ..config() };
    let nobody = || ClientConfig { has_password: false, ..no_user() };
    let unix = script(&[b"\0\0\0\x81", PLAIN]);
    let vnc = script(&[b"\0\0\0\x02", &RESPONSE]);
    for (client, tunnels, methods, challenge, said) in [
        (nobody(), &b"\0\0\0\0"[..], script(&[b"\0\0\0\0"]), &b""[..], b"".to_vec()),
        (nobody(), b"\0\0\0\0", script(&[b"\0\0\0\x02", CAP_NONE, CAP_VNC]), b"", b"\0\0\0\x01".to_vec()),
        (no_user(), b"\0\0\0\0", script(&[b"\0\0\0\x02", CAP_NONE, CAP_VNC]), &CHALLENGE, vnc),
        (config(), b"\0\0\0\0", script(&[b"\0\0\0\x01", CAP_UNIX]), b"", unix),
    ] {
        let heard =
            script(&[b"RFB 003.008\n\x01\x10", tunnels, &methods, challenge, b"\0\0\0\0", &init(), &tail]);
        let (found, sent) = hear(client, &heard).unwrap();
        assert_eq!(sent, script(&[b"RFB 003.008\n\x10", &said, b"\x01"]));
        assert_eq!(found.security_type, SecurityType::TIGHT);
        assert_eq!(found.init, screen());
    }
}

#[test]
fn tight_takes_no_tunnel_or_leaves() {
    let rest = script(&[b"\0\0\0\0\0\0\0\0", &init(), &[0; 8]]);
    let heard = script(&[b"RFB 003.008\n\x01\x10\0\0\0\x01", NO_TUNNEL, &rest]);
    assert_eq!(hear(config(), &heard).unwrap().1, b"RFB 003.008\n\x10\0\0\0\0\x01");
    let siemens = script(&[b"RFB 003.008\n\x01\x10\0\0\0\x01\0\0\0\x01SICRSCHANNEL", &rest]);
    assert_eq!(hear(config(), &siemens).unwrap().1, b"RFB 003.008\n\x10\0\0\0\0\x01");
    let strange = script(&[b"RFB 003.008\n\x01\x10\0\0\0\x01\0\0\0\x05ABCDTUNNEL__", &rest]);
    assert_eq!(hear(config(), &strange).map_err(|e| e.code()).err(), Some("target.no_common_type"));
}

/// Before 3.8 None has no SecurityResult, be it inside Tight.
#[test]
fn tight_none_in_three_seven_has_no_result() {
    let heard = script(&[b"RFB 003.007\n\x01\x10\0\0\0\0\0\0\0\0", &init(), &[0; 8]]);
    assert!(hear(config(), &heard).is_ok());
}

#[test]
fn golden_repeater() {
    let heard = script(&[b"RFB 000.000\nRFB 003.008\n\x01\x01\0\0\0\0", &init()]);
    let known = ClientConfig { repeater_id: Some("1234".to_owned()), ..config() };
    let (_, sent) = hear(known.clone(), &heard).unwrap();
    assert_eq!(sent.len(), 250 + 12 + 2);
    assert!(sent.starts_with(b"ID:1234\0"));
    assert!(sent[7..250].iter().all(|b| *b == 0));
    assert_eq!(&sent[250..], b"RFB 003.008\n\x01\x01");
    assert_eq!(hear(config(), &heard).map_err(|e| e.code()).err(), Some("target.repeater"));
    let circle = b"RFB 000.000\nRFB 000.000\n";
    assert_eq!(hear(known, circle).map_err(|e| e.code()).err(), Some("target.repeater"));
}

#[test]
fn refusals_are_told_apart() {
    let result = |tail: &[u8]| {
        let heard = script(&[b"RFB 003.008\n\x01\x02", &CHALLENGE, tail]);
        hear(config(), &heard).unwrap_err()
    };
    let reason = |text: &str| {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&length, text.as_bytes()].concat()
    };
    for (tail, kind) in [
        (script(&[b"\0\0\0\x01", &reason("Authentication failed")]), RefusalKind::WrongPassword),
        (script(&[b"\0\0\0\x01", &reason("password check failed!\n")]), RefusalKind::WrongPassword),
        (script(&[b"\0\0\0\x01", &reason("Too many security failures")]), RefusalKind::TooManyFailures),
        (script(&[b"\0\0\0\x02", &reason("")]), RefusalKind::TooManyFailures),
        (script(&[b"\0\0\0\x03", &reason("no")]), RefusalKind::WrongPassword),
        (script(&[b"\0\0\0\x01", &reason("Connection rejected by user")]), RefusalKind::Other),
    ] {
        assert!(matches!(result(&tail), HandshakeError::Refused { kind: k, .. } if k == kind), "{kind:?}");
    }
    for (heard, kind) in [
        (script(&[b"RFB 003.008\n\0", &reason("Too many security failures")]), RefusalKind::TooManyFailures),
        (
            script(&[b"RFB 003.003\n\0\0\0\0", &reason("Too many authentication failures")]),
            RefusalKind::TooManyFailures,
        ),
        (script(&[b"RFB 003.008\n\0", &reason("go away")]), RefusalKind::Other),
        (script(&[b"RFB 003.007\n\x01\x02", &CHALLENGE, b"\0\0\0\x01"]), RefusalKind::WrongPassword),
        (script(&[b"RFB 003.007\n\x01\x02", &CHALLENGE, b"\0\0\0\x02"]), RefusalKind::TooManyFailures),
        (script(&[b"RFB 003.008\n\x01\x01\0\0\0\x01", &reason("no")]), RefusalKind::Other),
        // QEMU's SASL closes without a word.
        (script(&[b"RFB 003.008\n\x01\x14\0\0\0\x05PLAIN"]), RefusalKind::WrongPassword),
    ] {
        let refused = hear(config(), &heard).unwrap_err();
        assert!(
            matches!(&refused, HandshakeError::Refused { kind: k, .. } if *k == kind),
            "{kind:?}: {refused:?}"
        );
    }
}

#[test]
fn hostile_servers() {
    let misbehaves = |heard: &[u8]| match hear(anonymous(), heard) {
        Err(HandshakeError::Misbehavior(misbehavior)) => misbehavior,
        other => panic!("{other:?}"),
    };
    let vnc = script(&[b"RFB 003.008\n\x01\x02", &CHALLENGE]);
    let sasl = b"RFB 003.008\n\x01\x14";
    for (heard, expected) in [
        (b"SSH-2.0-Open".to_vec(), Misbehavior::VersionString),
        (b"RFB 003.008\n\0\xff\xff\xff\xff".to_vec(), Misbehavior::ReasonTooLong),
        (script(&[&vnc, b"\0\0\0\x01\xff\xff\xff\xff"]), Misbehavior::ReasonTooLong),
        (script(&[&vnc, b"\0\0\0\x01\0\x01\0\x01"]), Misbehavior::ReasonTooLong),
        (script(&[&vnc, b"\0\0\0\x04"]), Misbehavior::SecurityExchange),
        (script(&[&vnc, b"\xff\xff\xff\xff"]), Misbehavior::SecurityExchange),
        (b"RFB 003.008\n\x01\x13\0\x02\0\0".to_vec(), Misbehavior::SecurityList),
        (b"RFB 003.008\n\x01\x10\xff\xff\xff\xff".to_vec(), Misbehavior::SecurityList),
        (b"RFB 003.008\n\x01\x10\0\0\0\0\0\0\x02\x01".to_vec(), Misbehavior::SecurityList),
        (
            script(&[b"RFB 003.008\n\x01\x10\0\0\0\0\0\0\0\0\0\0\0\0", &init(), b"\xff\xff"]),
            Misbehavior::SecurityList,
        ),
        (script(&[sasl, b"\xff\xff\xff\xff"]), Misbehavior::SecurityExchange),
        (script(&[sasl, b"\0\0\0\x05PLAIN\xff\xff\xff\xff"]), Misbehavior::SecurityExchange),
        (b"RFB 003.008\n\x01\x05\xff\xff\xff\xff".to_vec(), Misbehavior::PublicKey),
        (b"RFB 003.008\n\x01\x05\0\0\x10\x01".to_vec(), Misbehavior::PublicKey),
        (b"RFB 003.008\n\x01\x05\0\0\x02\0".to_vec(), Misbehavior::PublicKey),
        (script(&[b"RFB 003.008\n\x01\x81\0\0\x08\0", &[0; 512]]), Misbehavior::PublicKey),
        (script(&[b"RFB 003.008\n\x01\x82\0\0\x08\0", &[0xff; 512]]), Misbehavior::PublicKey),
        (b"RFB 003.008\n\x01\x1e\0\x02\xff\xff".to_vec(), Misbehavior::PublicKey),
        (script(&[b"RFB 003.008\n\x01\x71", &[0; 24]]), Misbehavior::PublicKey),
        (script(&[b"RFB 003.008\n\x01\x01\0\0\0\0", &[0xff; 24]]), Misbehavior::PixelFormat),
        (b"RFB 003.008\n".to_vec(), Misbehavior::Truncated),
    ] {
        assert_eq!(misbehaves(&heard), expected, "{heard:?}");
    }
}

#[test]
fn hostile_lists_of_types() {
    for (heard, code) in [
        (&b"RFB 003.008\n\x01\x00"[..], "target.no_common_type"),
        (b"RFB 003.008\n\x03\x21\x23\x24", "target.no_common_type"),
        (b"RFB 003.003\n\0\0\0\x16", "target.no_common_type"),
        (b"RFB 003.003\nnope", "target.no_common_type"),
        (b"RFB 003.008\n\x01\x13\0\x01", "target.no_common_type"),
        (b"RFB 003.008\n\x01\x13\0\x02\x01", "target.no_common_type"),
        (b"RFB 003.008\n\x01\x13\0\x02\0\x01\0\0\0\x13", "target.no_common_type"),
        (b"RFB 003.008\n\x01\x13\0\x02\0\x01\0\0\x01\x04\0", "target.refused"),
    ] {
        assert_eq!(hear(config(), heard).map_err(|e| e.code()).err(), Some(code), "{heard:?}");
    }
}

/// What a default TigerVNC server offers: VeNCrypt with anonymous TLS only, and VncAuth.
#[test]
fn a_dead_end_inside_vencrypt_leads_to_the_next_type() {
    let heard = b"RFB 003.008\n\x02\x13\x02\0\x02\0\x01\0\0\x01\x02";
    let retry = hear(config(), heard).unwrap_err();
    assert_eq!(retry, HandshakeError::Retry { avoid: SecurityType::VENCRYPT });
    let again = ClientConfig { avoid: vec![SecurityType::VENCRYPT], ..config() };
    let heard = script(&[b"RFB 003.008\n\x02\x13\x02", &CHALLENGE, b"\0\0\0\0", &init()]);
    assert_eq!(hear(again, &heard).unwrap().0.security_type, SecurityType::VNC_AUTH);
}

#[test]
fn a_failed_machine_stays_failed() {
    let mut machine = ClientHandshake::new(config(), [0; 32]);
    assert!(machine.handle_bytes(b"SSH-2.0-Open").is_err());
    assert!(machine.handle_bytes(b"RFB 003.008\n").is_err());
    assert!(machine.poll_step().is_err());
    assert_eq!(machine.handle_end(), Misbehavior::VersionString.into());
}

#[test]
fn answers_out_of_order_are_misuse() {
    let mut machine = ClientHandshake::new(config(), [0; 32]);
    assert_eq!(machine.handle_secret(Credentials::default()), Err(HandshakeError::Misuse));
    let mut machine = ServerHandshake::new(ServerConfig::default(), [0; 32]);
    assert_eq!(machine.handle_tls_started(), Err(HandshakeError::Misuse));
}

/// A viewer that says `said` to a server with these types.
fn serve(types: ServerTypes, said: &[u8]) -> (Result<Stand, HandshakeError>, Vec<u8>) {
    let config = ServerConfig { offered: types, ra2_key: Some(server_key()), ..ServerConfig::default() };
    let mut shell = Shell::new(ServerHandshake::new(config, [9; 32]), Answers::RIGHT);
    let stand = shell.receive(said);
    (stand, shell.out)
}

fn all_types() -> ServerTypes {
    ServerTypes {
        none: true,
        vencrypt_x509_plain: true,
        vencrypt_tls_plain: true,
        vnc_auth: true,
        ra2_256: true,
        ra2ne_256: true,
    }
}

#[test]
fn golden_server() {
    let none = ServerTypes { none: true, ..ServerTypes::default() };
    for (said, heard) in [
        (&b"RFB 003.008\n\x01\xc1"[..], &b"RFB 003.008\n\x01\x01\0\0\0\0"[..]),
        (b"RFB 003.889\n\x01\x00", b"RFB 003.008\n\x01\x01\0\0\0\0"),
        (b"RFB 003.007\n\x01\x01", b"RFB 003.008\n\x01\x01"),
        (b"RFB 003.003\n\x01", b"RFB 003.008\n\0\0\0\x01"),
        (b"RFB 003.005\n\x01", b"RFB 003.008\n\0\0\0\x01"),
    ] {
        let (stand, out) = serve(none, said);
        assert_eq!((stand, out.as_slice()), (Ok(Stand::Done), heard));
    }
    let (stand, out) = serve(all_types(), b"RFB 003.008\n");
    assert_eq!((stand, out.as_slice()), (Ok(Stand::Waits), &b"RFB 003.008\n\x05\x13\x81\x82\x02\x01"[..]));
    let (stand, out) = serve(all_types(), b"RFB 003.008\n\x13\0\x02\0\0\x01\x06");
    assert_eq!(stand, Ok(Stand::Waits));
    assert!(out.ends_with(b"\0\x02\0\x02\0\0\x01\x06\0\0\x01\x03\x01"), "{out:?}");
    let plain = masked(&script(&[PLAIN, b"\x01"]));
    let (stand, out) = serve(all_types(), &script(&[b"RFB 003.008\n\x13\0\x02\0\0\x01\x06", &plain]));
    assert_eq!(stand, Ok(Stand::Done));
    assert!(out.ends_with(&masked(b"\0\0\0\0")));
}

#[test]
fn hostile_viewers() {
    let refuses = |types: ServerTypes, said: &[u8]| serve(types, said).0.unwrap_err();
    let ticket = ServerTypes { vencrypt_x509_plain: true, ..ServerTypes::default() };
    for (said, expected) in [
        (&b"GET / HTTP/1.1"[..], Misbehavior::VersionString),
        (b"RFB 000.000\n", Misbehavior::VersionString),
        // CVE-2006-2369: None was never offered.
        (b"RFB 003.008\n\x01", Misbehavior::TypeNotOffered),
        (b"RFB 003.008\n\x00", Misbehavior::TypeNotOffered),
        (b"RFB 003.008\n\x82", Misbehavior::TypeNotOffered),
        (b"RFB 003.008\n\x13\0\x02\0\0\x01\x03", Misbehavior::TypeNotOffered),
        (b"RFB 003.008\n\x13\0\x02\0\0\x01\x04", Misbehavior::TypeNotOffered),
    ] {
        assert_eq!(refuses(ticket, said), expected.into(), "{said:?}");
    }
    let long = masked(b"\0\0\0\x04\0\0\x10\0");
    let said = script(&[b"RFB 003.008\n\x13\0\x02\0\0\x01\x06", &long]);
    assert_eq!(refuses(ticket, &said), Misbehavior::CredentialTooLong.into());
    for key in [&b"\xff\xff\xff\xff"[..], b"\0\0\x01\0"] {
        let said = script(&[b"RFB 003.008\n\x81", key]);
        assert_eq!(refuses(all_types(), &said), Misbehavior::PublicKey.into());
    }
    for version in [b"RFB 003.003\n", b"RFB 003.005\n"] {
        let (stand, out) = serve(ticket, version);
        assert!(matches!(stand, Err(HandshakeError::Refused { kind: RefusalKind::NoCommonType, .. })));
        assert!(out.starts_with(b"RFB 003.008\n\0\0\0\0\0\0\0"), "the viewer is told");
    }
    let (stand, out) = serve(ticket, b"RFB 003.008\n\x13\0\x01");
    assert!(matches!(stand, Err(HandshakeError::Refused { kind: RefusalKind::NoCommonType, .. })));
    assert!(out.ends_with(&[0, 2, 1]));
}

/// Where our two machines met.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Meeting {
    client: Result<ClientResult, HandshakeError>,
    server: Result<rfb::server::ServerResult, HandshakeError>,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    /// What the viewer sent behind its handshake, as the server read it.
    after: Vec<u8>,
}

/// Lets our client and our server meet over a wire that delivers `chunks` bytes at a time.
fn meet(types: ServerTypes, config: ClientConfig, judge: Answers, chunks: &[usize]) -> Meeting {
    let server = ServerConfig { offered: types, ra2_key: Some(server_key()), ..ServerConfig::default() };
    let mut server = Shell::new(ServerHandshake::new(server, [3; 32]), judge);
    let mut client = Shell::new(ClientHandshake::new(config, [4; 32]), Answers::RIGHT);
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    let (mut seen_client, mut seen_server) = (0, 0);
    let (mut client_end, mut server_end) = (None, None);
    let mut sizes = chunks.iter().copied().cycle();
    server_end = server_end.or(server.receive(b"").err().map(Err));
    loop {
        to_client.append(&mut server.out);
        to_server.append(&mut client.out);
        let chunk = sizes.next().unwrap_or(usize::MAX);
        let next = |all: &[u8], seen: &mut usize| {
            let end = seen.saturating_add(chunk).min(all.len());
            let bytes = all[*seen..end].to_vec();
            *seen = end;
            bytes
        };
        let (for_client, for_server) =
            (next(&to_client, &mut seen_client), next(&to_server, &mut seen_server));
        if for_client.is_empty() && for_server.is_empty() {
            break;
        }
        if client_end.is_none() {
            match client.receive(&for_client) {
                Ok(Stand::Waits) => {}
                Ok(Stand::Done) => {
                    client.write(b"\x03viewer speaks");
                    client_end = Some(Ok(()));
                }
                Err(e) => client_end = Some(Err(e)),
            }
        }
        if server_end.is_none() {
            match server.receive(&for_server) {
                Ok(Stand::Waits) => {}
                Ok(Stand::Done) => {
                    server.write(&init());
                    server_end = Some(Ok(()));
                }
                Err(e) => server_end = Some(Err(e)),
            }
        } else {
            server.receive(&for_server).ok();
        }
    }
    let after = server.leftover().unwrap_or_default();
    let truncated = || Err(Misbehavior::Truncated.into());
    Meeting {
        client: client_end.unwrap_or_else(truncated).map(|()| client.machine.into_result().unwrap()),
        server: server_end.unwrap_or_else(truncated).map(|()| server.machine.into_result().unwrap()),
        to_client,
        to_server,
        after,
    }
}

fn pairs() -> Vec<(ServerTypes, SecurityType, Option<Subtype>, Strength)> {
    let off = ServerTypes::default();
    vec![
        (ServerTypes { none: true, ..off }, SecurityType::NONE, None, Strength::Open),
        (ServerTypes { vnc_auth: true, ..off }, SecurityType::VNC_AUTH, None, Strength::Authenticated),
        (
            ServerTypes { vencrypt_x509_plain: true, ..off },
            SecurityType::VENCRYPT,
            Some(Subtype::X509_PLAIN),
            Strength::EncryptedVerified,
        ),
        (
            ServerTypes { vencrypt_tls_plain: true, ..off },
            SecurityType::VENCRYPT,
            Some(Subtype::TLS_PLAIN),
            Strength::EncryptedAnonymous,
        ),
        (ServerTypes { ra2_256: true, ..off }, SecurityType::RA2_256, None, Strength::EncryptedVerified),
        (ServerTypes { ra2ne_256: true, ..off }, SecurityType::RA2NE_256, None, Strength::Authenticated),
    ]
}

#[test]
fn our_client_meets_our_server() {
    for (types, security_type, subtype, strength) in pairs() {
        let met = meet(types, anonymous(), Answers::RIGHT, &[usize::MAX]);
        let client = met.client.unwrap();
        assert_eq!(
            (client.security_type, client.subtype, client.strength),
            (security_type, subtype, strength)
        );
        assert_eq!(client.init, screen());
        let server = met.server.unwrap();
        assert_eq!((server.security_type, server.subtype, server.shared), (security_type, subtype, true));
        assert_eq!(met.after, b"\x03viewer speaks");
        let visible = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
        let encrypted = strength >= Strength::EncryptedAnonymous;
        assert_eq!(visible(&met.to_server, b"viewer speaks"), !encrypted, "{security_type:?}");
        assert!(!visible(&met.to_server, b"s3cret"), "{security_type:?}");
        let ra2 = matches!(security_type, SecurityType::RA2_256 | SecurityType::RA2NE_256);
        let key = ra2.then(|| server_key().public().identity().sha256);
        assert_eq!(client.peer_identity, key);
    }
}

#[test]
fn a_wrong_password_is_told_to_both() {
    for (types, ..) in pairs().into_iter().skip(1) {
        let met = meet(types, anonymous(), Answers::WRONG, &[usize::MAX]);
        let Err(HandshakeError::Refused { kind, reason }) = met.client else { panic!("{:?}", met.client) };
        assert_eq!((kind, reason.as_str()), (RefusalKind::WrongPassword, "wrong name or password"));
        let judged = HandshakeError::Refused { kind: RefusalKind::Judged, reason };
        assert_eq!(met.server, Err(judged));
    }
}

#[test]
fn an_unknown_key_ends_the_handshake_before_any_secret() {
    let types = ServerTypes { ra2_256: true, ..ServerTypes::default() };
    let server = ServerConfig { offered: types, ra2_key: Some(server_key()), ..ServerConfig::default() };
    let mut server = Shell::new(ServerHandshake::new(server, [3; 32]), Answers::RIGHT);
    let stranger = Answers { accept_identity: false, ..Answers::RIGHT };
    let mut client = Shell::new(ClientHandshake::new(config(), [4; 32]), stranger);
    server.receive(b"").unwrap();
    client.receive(&std::mem::take(&mut server.out)).unwrap();
    server.receive(&std::mem::take(&mut client.out)).unwrap();
    client.receive(&std::mem::take(&mut server.out)).unwrap();
    server.receive(&std::mem::take(&mut client.out)).unwrap();
    let refused = client.receive(&std::mem::take(&mut server.out)).unwrap_err();
    assert_eq!(refused.code(), "target.identity_unknown");
    assert_eq!(client.out, b"");
}

#[test]
fn a_forged_record_ends_the_handshake() {
    let types = ServerTypes { ra2_256: true, ..ServerTypes::default() };
    let good = meet(types, config(), Answers::RIGHT, &[usize::MAX]);
    // Version, choice, both keys and the encrypted random come in clear; the first record follows.
    let clear = 12 + 1 + (4 + 512) + (2 + 256);
    let mut said = good.to_server;
    said[clear + 2] ^= 1;
    let server = ServerConfig { offered: types, ra2_key: Some(server_key()), ..ServerConfig::default() };
    let mut server = Shell::new(ServerHandshake::new(server, [3; 32]), Answers::RIGHT);
    assert_eq!(server.receive(&said), Err(Misbehavior::RecordForged.into()));
    said[clear + 2] ^= 1;
    // A broken RSA block is not told apart from a forged record.
    said[clear - 1] ^= 1;
    let config = ServerConfig { offered: types, ra2_key: Some(server_key()), ..ServerConfig::default() };
    let mut server = Shell::new(ServerHandshake::new(config, [3; 32]), Answers::RIGHT);
    assert_eq!(server.receive(&said), Err(Misbehavior::RecordForged.into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The split property: the wire's chunks change nothing.
    #[test]
    fn chunks_change_nothing(which in 0usize..6, chunks in proptest::collection::vec(1usize..40, 1..12)) {
        let (types, ..) = pairs()[which];
        let whole = meet(types, anonymous(), Answers::RIGHT, &[usize::MAX]);
        prop_assert_eq!(meet(types, anonymous(), Answers::RIGHT, &chunks), whole);
    }
}

/// Beginnings that lead deep into each exchange, for random bytes to follow.
const DEPTHS: &[&[u8]] = &[
    b"",
    b"RFB 003.003\n",
    b"RFB 003.008\n\x01\x01",
    b"RFB 003.008\n\x01\x02",
    b"RFB 003.008\n\x01\x05",
    b"RFB 003.008\n\x01\x82\0\0\x04\0",
    b"RFB 003.008\n\x01\x10",
    b"RFB 003.008\n\x01\x10\0\0\0\0\0\0\0\0\0\0\0\0",
    b"RFB 003.008\n\x01\x12",
    b"RFB 003.008\n\x01\x13\0\x02\0",
    b"RFB 003.008\n\x01\x13\0\x02\0\x01\0\0\x01\x06\x01",
    b"RFB 003.008\n\x01\x14\0\0\0\x0dSCRAM-SHA-256",
    b"RFB 003.008\n\x01\x14\0\0\0\x05PLAIN",
    b"RFB 003.008\n\x01\x1e\0\x02\0\x80",
    b"RFB 003.008\n\x01\x71",
];

const VIEWER_DEPTHS: &[&[u8]] =
    &[b"", b"RFB 003.008\n", b"RFB 003.008\n\x13\0\x02\0\0\x01\x06", b"RFB 003.008\n\x81\0\0\x04\0"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_never_panic_the_client(
        depth in 0..DEPTHS.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        chunk in 1usize..80,
    ) {
        let mut shell = Shell::new(ClientHandshake::new(anonymous(), [5; 32]), Answers::RIGHT);
        let heard = script(&[DEPTHS[depth], &bytes]);
        for part in heard.chunks(chunk) {
            if shell.receive(part).is_err() {
                break;
            }
        }
    }

    #[test]
    fn random_bytes_never_panic_the_server(
        depth in 0..VIEWER_DEPTHS.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        chunk in 1usize..80,
    ) {
        let config = ServerConfig { offered: all_types(), ra2_key: Some(server_key()), ..ServerConfig::default() };
        let mut shell = Shell::new(ServerHandshake::new(config, [5; 32]), Answers::RIGHT);
        for part in script(&[VIEWER_DEPTHS[depth], &bytes]).chunks(chunk) {
            if shell.receive(part).is_err() {
                break;
            }
        }
    }

    /// A whole script, cut or with one byte changed, in any chunks: the same end as in one piece.
    #[test]
    fn chunks_change_no_failure(
        depth in 0..DEPTHS.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        chunk in 1usize..20,
    ) {
        let heard = script(&[DEPTHS[depth], &bytes]);
        let end = |chunk: usize| {
            let mut shell = Shell::new(ClientHandshake::new(anonymous(), [5; 32]), Answers::RIGHT);
            let failed = heard.chunks(chunk).find_map(|part| shell.receive(part).err());
            (failed, shell.out)
        };
        prop_assert_eq!(end(chunk), end(heard.len().max(1)));
    }
}
