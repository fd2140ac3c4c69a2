//! Real captures, each framed to the last byte in both directions.

use capture::inspect::{Joined, Reading};
use capture::{Report, inspect};
use expect_test::{Expect, expect};

pub(crate) fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata");
    let read = |kind: &str| std::fs::read(format!("{folder}/{kind}/{name}.pcap"));
    read("rfb").or_else(|_| read("capture")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn report(name: &str) -> Report {
    let report = inspect(file(name).as_slice()).unwrap();
    assert_eq!(report.file.error, None);
    assert_eq!((report.file.undecodable, report.file.ip_fragments), (0, 0));
    report
}

/// A session in clear, read from its first byte to its last.
#[track_caller]
fn check_whole(name: &str, expected: Expect) {
    let report = report(name);
    for session in &report.sessions {
        assert_eq!((session.joined, session.reading), (Joined::FromStart, Reading::Session));
        assert_eq!(session.client_bytes_framed, session.client_bytes);
        assert_eq!(session.server_bytes_framed, session.server_bytes);
        assert_eq!(
            (session.errors.as_slice(), session.client_bytes_lost, session.server_bytes_lost),
            (&[][..], 0, 0)
        );
    }
    expected.assert_eq(&report.to_string());
}

#[test]
fn tigervnc_tight_with_jpeg() {
    check_whole(
        "tiger-tight-jpeg",
        expect![[r#"
        Session 1: viewer 127.0.0.1:48676, server 127.0.0.1:5911
          time      2026-11-21T02:12:12.440127Z to 2026-11-21T02:12:29.904950Z
          version   server 003.008, viewer 003.008
          security  VncAuth, of VncAuth
          login     accepted
          screen    "root@vm", 1024x768, 32 bits per pixel, depth 24, little-endian, true color
          encodings -314 1464686180 -239 -240 1464686182 -223 -308 -307 -224 -1063131698 -313 -312 -258 7 1 16 5 2 1 0 -254 -26
          viewer    2136 bytes (all read), messages 2: 1, 3: 2, 5: 12, 6: 5, 150: 1, 248: 143, 255: 32
          server    442253 bytes (all read), messages 0: 72, 3: 9, 150: 1, 248: 143
          rectangles: -314: 8, -308: 1, -258: 1, -224: 71, 1: 12, 7: 510
          activity  32 key events, 12 pointer events, 1 clipboards to the server, 2 clipboards to the viewer
          end       the viewer closed the connection

        287 packets, 287 TCP segments
    "#]],
    );
}

#[test]
fn tigervnc_hextile_at_8_bits() {
    check_whole(
        "tiger-hextile-lowcolor",
        expect![[r#"
        Session 1: viewer 127.0.0.1:41186, server 127.0.0.1:5911
          time      2026-11-21T02:14:13.051371Z to 2026-11-21T02:14:29.501315Z
          version   server 003.008, viewer 003.008
          security  VncAuth, of VncAuth
          login     accepted
          screen    "root@vm", 1024x768, 32 bits per pixel, depth 24, little-endian, true color
          encodings -314 1464686180 -239 -240 1464686182 -223 -308 -307 -224 -1063131698 -313 -312 -258 5 1 16 7 2 1 0 -254 -24
          viewer    1726 bytes (all read), messages 0: 1, 2: 1, 3: 2, 5: 9, 6: 4, 150: 1, 248: 103, 255: 32
          server    80650 bytes (all read), messages 0: 52, 3: 6, 150: 1, 248: 103
          rectangles: -314: 8, -308: 1, -258: 1, -224: 51, 1: 46, 5: 336, 7: 160
          activity  32 key events, 9 pointer events, 1 clipboards to the server, 1 clipboards to the viewer
          end       the viewer closed the connection

        226 packets, 226 TCP segments
    "#]],
    );
}

#[test]
fn tigervnc_by_33() {
    check_whole(
        "tiger33-tight-zrle",
        expect![[r#"
        Session 1: viewer 127.0.0.1:43764, server 127.0.0.1:5911
          time      2026-11-21T02:14:53.155908Z to 2026-11-21T02:15:04.626791Z
          version   server 003.003, viewer 003.003
          security  None, of None
          login     accepted
          screen    "root@vm", 320x240, 32 bits per pixel, depth 24, little-endian, true color
          encodings -314 1464686180 -239 -240 1464686182 -223 -308 -307 -224 -1063131698 -313 -312 -258 0 1 16 7 5 2 1 -254 -24
          viewer    1471 bytes (all read), messages 2: 1, 3: 2, 6: 4, 150: 1, 248: 125
          server    177030 bytes (all read), messages 0: 63, 3: 5, 150: 1, 248: 125
          rectangles: -314: 2, -308: 1, -258: 1, -224: 62, 1: 6, 7: 174, 16: 201
          activity  1 clipboards to the server
          end       the viewer closed the connection

        205 packets, 205 TCP segments
    "#]],
    );
}

#[test]
fn tightvnc_with_its_own_security_type() {
    check_whole(
        "tight-tight",
        expect![[r#"
        Session 1: viewer 127.0.0.1:36494, server 127.0.0.1:5913
          time      2026-11-21T02:15:09.693826Z to 2026-11-21T02:15:26.190500Z
          version   server 003.008, viewer 003.008
          security  Tight, of VncAuth, Tight; inside VncAuth
          login     accepted
          screen    "root's x11 desktop (vm:13)", 1024x768, 32 bits per pixel, depth 24, little-endian, true color
          encodings 7 1 -27 -240 -239 -232 -224
          viewer    768 bytes (all read), messages 0: 1, 2: 1, 3: 35, 4: 34, 5: 10
          server    49078 bytes (all read), messages 0: 33
          rectangles: -240: 4, -232: 1, -224: 14, 1: 2, 7: 560
          activity  34 key events, 10 pointer events
          end       the viewer closed the connection

        332 packets, 332 TCP segments
    "#]],
    );
}

#[test]
fn qemu_and_gtk() {
    check_whole(
        "qemu-gvncviewer",
        expect![[r#"
        Session 1: viewer 127.0.0.1:41416, server 127.0.0.1:5974
          time      2026-11-21T02:22:20.247582Z to 2026-11-21T02:22:33.628387Z
          version   server 003.008, viewer 003.008
          security  None, of None
          login     accepted
          screen    "QEMU", 720x400, 32 bits per pixel, depth 24, little-endian, true color
          encodings -27 7 -309 -258 -261 -308 -223 -307 -224 1464686185 -259 -314 -239 -240 -257 16 5 2 1 0
          viewer    1880 bytes (all read), messages 0: 1, 2: 1, 3: 128, 5: 6, 255: 38
          server    4844 bytes (all read), messages 0: 43
          rectangles: -308: 4, -261: 1, -259: 1, -258: 1, -257: 1, 7: 120
          activity  36 key events, 6 pointer events
          end       the viewer closed the connection

        206 packets, 206 TCP segments
    "#]],
    );
}

#[test]
fn novnc_on_tigervnc() {
    check_whole(
        "novnc17-tigervnc",
        expect![[r#"
        Session 1: viewer 127.0.0.1:36080, server 127.0.0.1:5971
          time      2026-11-21T02:24:08.204514Z to 2026-11-21T02:24:08.424972Z
          version   server 003.008, viewer 003.008
          security  VncAuth, of VncAuth
          login     accepted
          screen    "root@vm", 800x600, 32 bits per pixel, depth 24, little-endian, true color
          encodings 1 50 7 -260 16 21 5 2 6 0 -27 -254 -223 -224 -258 -261 -308 -309 -312 -313 -307 -1063131698 -316 1464686180 -239
          viewer    606 bytes (all read), messages 0: 1, 2: 1, 3: 1, 4: 28, 6: 2, 150: 2, 248: 17
          server    65820 bytes (all read), messages 0: 9, 3: 1, 150: 1, 248: 17
          rectangles: -308: 1, -261: 1, -258: 1, -224: 8, 7: 60, 1464686180: 2
          activity  28 key events
          end       the viewer closed the connection

        100 packets, 100 TCP segments
    "#]],
    );
}

#[test]
fn novnc_on_qemu() {
    check_whole(
        "novnc17-qemu-tightpng",
        expect![[r#"
        Session 1: viewer 127.0.0.1:43224, server 127.0.0.1:5974
          time      2026-11-21T02:24:59.116222Z to 2026-11-21T02:24:59.230055Z
          version   server 003.008, viewer 003.008
          security  VncAuth, of VncAuth
          login     accepted
          screen    "QEMU", 720x400, 32 bits per pixel, depth 24, little-endian, true color
          encodings 1 50 -260 16 21 5 2 6 0 -27 -254 -223 -224 -258 -261 -308 -309 -312 -313 -307 -1063131698 -316 1464686180 -239
          viewer    524 bytes (all read), messages 0: 1, 2: 1, 3: 5, 4: 28, 6: 2, 255: 6
          server    5559 bytes (all read), messages 0: 4, 3: 1
          rectangles: -308: 1, -261: 1, -260: 26, -258: 1
          activity  34 key events
          end       the viewer closed the connection

        85 packets, 85 TCP segments
    "#]],
    );
}

#[test]
fn x11vnc_and_ssvnc() {
    check_whole(
        "x11vnc-ssvnc-zrle16",
        expect![[r#"
        Session 1: viewer 127.0.0.1:46780, server 127.0.0.1:5972
          time      2026-11-21T02:22:01.559869Z to 2026-11-21T02:22:15.062542Z
          version   server 003.008, viewer 003.008
          security  None, of None
          login     accepted
          screen    "vm:72", 640x480, 32 bits per pixel, depth 24, little-endian, true color
          encodings 16 1 -255 -23 -240 -239 -232 -223
          viewer    734 bytes (all read), messages 0: 1, 2: 1, 3: 35, 4: 34, 5: 7
          server    83330 bytes (all read), messages 0: 34
          rectangles: -239: 2, -232: 1, 16: 75
          activity  34 key events, 7 pointer events
          end       the viewer closed the connection

        206 packets, 206 TCP segments
    "#]],
    );
}

#[test]
fn x11vnc_by_37_with_corre() {
    check_whole(
        "x11vnc-37-corre",
        expect![[r#"
        Session 1: viewer 127.0.0.1:59328, server 127.0.0.1:27004
          time      2026-11-21T05:03:29.011243Z to 2026-11-21T05:03:32.043596Z
          version   server 003.007, viewer 003.007
          security  VncAuth, of VncAuth
          login     accepted
          screen    "vm:172", 320x200, 16 bits per pixel, depth 16, little-endian, true color
          encodings 1 4 2 -240 -239 -232
          viewer    192 bytes (all read), messages 0: 1, 2: 1, 3: 6, 4: 6, 5: 1
          server    5789 bytes (all read), messages 0: 5
          rectangles: -239: 1, -232: 1, 4: 54
          activity  6 key events, 1 pointer events
          end       the viewer closed the connection

        53 packets, 53 TCP segments
    "#]],
    );
}

#[test]
fn x11vnc_by_33_without_password() {
    check_whole(
        "x11vnc-33-none",
        expect![[r#"
        Session 1: viewer 127.0.0.1:54762, server 127.0.0.1:27005
          time      2026-11-21T05:03:35.624642Z to 2026-11-21T05:03:38.628586Z
          version   server 003.003, viewer 003.003
          security  None, of None
          login     accepted
          screen    "vm:172", 320x200, 16 bits per pixel, depth 16, little-endian, true color
          encodings 5 -240 -239 -232
          viewer    177 bytes (all read), messages 0: 1, 2: 1, 3: 7, 4: 6, 5: 1
          server    3076 bytes (all read), messages 0: 6
          rectangles: -239: 1, -232: 1, 5: 8
          activity  6 key events, 1 pointer events
          end       the viewer closed the connection

        52 packets, 52 TCP segments
    "#]],
    );
}

#[test]
fn a_reverse_connection() {
    check_whole(
        "x11vnc-reverse",
        expect![[r#"
        Session 1: viewer 127.0.0.1:25500, server 127.0.0.1:37496, opened by the server
          time      2026-11-21T05:02:18.239993Z to 2026-11-21T05:02:21.237177Z
          version   server 003.008, viewer 003.008
          security  None, of None
          login     accepted
          screen    "vm:172", 320x200, 16 bits per pixel, depth 16, little-endian, true color
          encodings -314 1464686180 -239 -240 1464686182 -223 -308 -307 -224 -1063131698 -313 -312 -258 7 1 16 5 2 1 0 -254 -24
          viewer    266 bytes (all read), messages 0: 1, 2: 1, 3: 7, 4: 6, 5: 1, 6: 1
          server    2873 bytes (all read), messages 0: 6, 3: 1
          rectangles: -308: 1, -239: 1, -224: 2, 7: 12
          activity  6 key events, 1 pointer events
          end       the capture ended first

        61 packets, 61 TCP segments
    "#]],
    );
    assert!(report("x11vnc-reverse").sessions[0].reverse);
}

#[test]
fn ipv6_on_the_device_any() {
    check_whole(
        "tigervnc-ipv6-any",
        expect![[r#"
        Session 1: viewer [::1]:32994, server [::1]:27003
          time      2026-11-21T05:04:13.914188Z to 2026-11-21T05:04:16.461747Z
          version   server 003.008, viewer 003.008
          security  VncAuth, of VncAuth
          login     accepted
          screen    "Capture", 320x200, 16 bits per pixel, depth 16, little-endian, true color
          encodings -314 1464686180 -239 -240 1464686182 -223 -308 -307 -224 -1063131698 -313 -312 -258 16 1 7 5 2 1 0 -254 -24
          viewer    436 bytes (all read), messages 0: 1, 2: 1, 3: 2, 5: 1, 6: 1, 150: 1, 248: 17, 255: 6
          server    2471 bytes (all read), messages 0: 9, 3: 1, 150: 1, 248: 17
          rectangles: -314: 3, -308: 1, -258: 1, -224: 8, 7: 7, 16: 14
          activity  6 key events, 1 pointer events
          end       the viewer closed the connection

        54 packets, 54 TCP segments
    "#]],
    );
}

#[test]
fn a_browser_in_a_websocket() {
    check_whole(
        "novnc-websocket",
        expect![[r#"
        Session 1: viewer 127.0.0.1:47666, server 127.0.0.1:27080, in a WebSocket
          time      2026-11-21T06:21:41.253574Z to 2026-11-21T06:21:42.783882Z
          version   server 003.008, viewer 003.008
          security  VncAuth, of VncAuth
          login     accepted
          screen    "Web", 320x200, 32 bits per pixel, depth 24, little-endian, true color
          encodings 1 50 7 -260 16 21 5 2 6 0 -26 -254 -223 -224 -258 -261 -308 -309 -312 -313 -307 -1063131698 -316 1464686180 -239
          viewer    291 bytes (all read), messages 0: 1, 2: 1, 3: 1, 4: 6, 6: 2, 150: 2, 248: 3
          server    696 bytes (all read), messages 0: 2, 3: 1, 150: 1, 248: 3
          rectangles: -308: 1, -261: 1, -258: 1, -224: 1, 7: 7, 1464686180: 1
          activity  6 key events, 1 clipboards to the server
          end       the server closed the connection

        43 packets, 43 TCP segments
    "#]],
    );
}

#[test]
fn tls_is_told_by_its_handshake_and_sizes() {
    expect![[r#"
        Session 1: viewer 127.0.0.1:49300, server 127.0.0.1:27001
          time      2026-11-21T04:56:30.148207Z to 2026-11-21T04:56:31.622554Z
          version   server 003.008, viewer 003.008
          security  VeNCrypt, of VeNCrypt; inside TLSVnc
          login     not readable, encrypted
          viewer    1415 bytes (19 read)
          server    2120 bytes (23 read)
          end       the viewer closed the connection

        39 packets, 39 TCP segments
    "#]]
    .assert_eq(&report("tigervnc-vencrypt-tls").to_string());
}

#[test]
fn wrong_passwords_until_the_server_has_enough() {
    let report = report("tigervnc-wrong-password");
    let told: Vec<String> = report
        .sessions
        .iter()
        .map(|s| format!("{:?} {:?} {:?} {:?}", s.security_type, s.auth_result, s.auth_reason, s.end_reason))
        .collect();
    expect![[r#"
        [
            "Some(2) Some(Failed) Some(\"Authentication failure\") ClientClosed",
            "Some(2) Some(Failed) Some(\"Authentication failure\") ServerClosed",
            "Some(2) Some(Failed) Some(\"Authentication failure\") ServerClosed",
            "Some(2) Some(Failed) Some(\"Authentication failure\") ServerClosed",
            "Some(2) Some(Failed) Some(\"Authentication failure\") ServerClosed",
            "None Some(Failed) Some(\"Too many security failures\") ServerReset",
            "None Some(Failed) Some(\"Too many security failures\") ClientClosed",
        ]
    "#]]
    .assert_debug_eq(&told);
}

/// The schema as it is: names, nesting, nulls. `docs/inspect.md` describes it.
#[test]
fn json() {
    let report = report("tigervnc-wrong-password");
    expect![[r#"
        {
          "client_ip": "127.0.0.1",
          "client_port": 42754,
          "server_ip": "127.0.0.1",
          "server_port": 27002,
          "reverse": false,
          "transport": "tcp",
          "start_time": "2026-11-21T05:03:18.613494Z",
          "end_time": "2026-11-21T05:03:18.715630Z",
          "joined": "from_start",
          "reading": "refused",
          "client_version": "003.008",
          "server_version": "003.008",
          "security_types_offered": [
            2
          ],
          "security_type": 2,
          "security_inner": null,
          "auth_result": "failed",
          "auth_reason": "Authentication failure",
          "shared": null,
          "desktop_name": null,
          "width": null,
          "height": null,
          "resizes": [],
          "pixel_format": null,
          "encodings": [],
          "client_messages": {},
          "server_messages": {},
          "rectangles": {},
          "client_bytes": 29,
          "server_bytes": 60,
          "client_bytes_framed": 29,
          "server_bytes_framed": 60,
          "client_bytes_lost": 0,
          "server_bytes_lost": 0,
          "bytes_contradicted": 0,
          "key_events": 0,
          "pointer_events": 0,
          "client_clipboards": 0,
          "server_clipboards": 0,
          "file_operations": 0,
          "end_reason": "client_closed",
          "errors": []
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report.sessions[0]).unwrap());
    expect![[r#"
        {
          "packets": 98,
          "tcp_segments": 98,
          "ip_fragments": 0,
          "undecodable": 0,
          "unknown_link_type": null,
          "sessions_not_reported": 0,
          "error": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report.file).unwrap());
    let session = &serde_json::to_value(self::report("tight-tight")).unwrap()["sessions"][0];
    let shown =
        ["pixel_format", "security_inner", "encodings", "client_messages", "server_messages", "rectangles"]
            .map(|field| format!("{field}: {}", session[field]));
    expect![[r#"
        pixel_format: {"big_endian":false,"bits_per_pixel":32,"blue_max":255,"blue_shift":0,"depth":24,"green_max":255,"green_shift":8,"red_max":255,"red_shift":16,"true_color":true}
        security_inner: {"chosen":2,"offered":[2]}
        encodings: [[7,1,-27,-240,-239,-232,-224]]
        client_messages: {"0":1,"2":1,"3":35,"4":34,"5":10}
        server_messages: {"0":33}
        rectangles: {"-224":14,"-232":1,"-240":4,"1":2,"7":560}"#]].assert_eq(&shown.join("\n"));
}

/// INVARIANT of the report: no bytes of a challenge or response, no key.
#[test]
fn no_secret_is_in_any_report() {
    let report = report("tight-tight");
    let json = serde_json::to_string(&report).unwrap();
    let shown = format!("{json}{report}{report:?}").to_lowercase();
    // The first bytes of this capture's challenge and response, as text and numbers would show them.
    for secret in SECRETS {
        assert!(file("tight-tight").windows(4).any(|bytes| bytes == secret));
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
        assert!(
            !shown.contains(&hex)
                && !shown.contains(&numbers.join(","))
                && !shown.contains(&numbers.join(", "))
        );
    }
    assert!(!shown.contains("keysym"));
}

const SECRETS: [[u8; 4]; 2] = [[0x9a, 0x14, 0x58, 0x81], [0x9e, 0x5c, 0xc3, 0x87]];
