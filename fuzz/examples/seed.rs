//! Writes the seeds of the corpora from `testdata`: `cargo run -p fuzz --example seed`.
//!
//! Seeds are short: what a fuzzer copies around all day should not be bulk. What fuzzing found is kept
//! beside them under other names.

use anyhow::{Context, Result};
use capture::decode::{Decoded, decode};
use capture::flow::table::Bounds;
use capture::flow::{Closed, FlowInfo, Interest, Side, Table, Tracker};
use capture::source::PcapFile;
use model::event::{Event, Origin};
use rfb::passive::{PassiveSession, Progress};
use std::path::{Path, PathBuf};

const STREAM: usize = 4 * 1024;
const FILE: usize = 5 * 1024;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["rfb", "capture"] {
        for entry in std::fs::read_dir(root.join("../testdata").join(folder))? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|e| e == "pcap"));
    files.sort();
    for file in files {
        let name = file.file_stem().context("a file without a name")?.to_string_lossy().into_owned();
        let bytes = std::fs::read(&file)?;
        let cut = bytes.get(..FILE).unwrap_or(&bytes);
        save(root, "capture", &name, &[&[15, 255], cut].concat())?;
        for (n, talk) in talks(&bytes)?.iter().take(2).enumerate() {
            seeds_of_talk(root, &format!("{name}-{n}"), talk)?;
        }
    }
    for entry in std::fs::read_dir(root.join("../testdata/trace"))? {
        let file = entry?.path();
        let name = file.file_stem().context("a file without a name")?.to_string_lossy().into_owned();
        let text = std::fs::read(&file)?;
        if file.extension().is_some_and(|e| e == "rfbtrace") {
            save(
                root,
                "trace",
                &format!("text-{name}"),
                &[&[0, 7], text.get(..STREAM).unwrap_or(&text)].concat(),
            )?;
        }
    }
    proxy_seeds(root)?;
    websocket_seeds(root)
}

/// Both versions, as balancers send them.
fn proxy_seeds(root: &Path) -> Result<()> {
    let v2 = |command: u8, family: u8, body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x20 | command, family], &length, body].concat()
    };
    let v4 = [192, 0, 2, 1, 198, 51, 100, 7, 0xd4, 0x31, 0x01, 0xbb];
    let mut v6 = vec![0x20; 32];
    v6.extend([0xd4, 0x31, 0x01, 0xbb, 0x04, 0, 2, 1, 2]);
    for (name, bytes) in [
        ("v1-tcp4", b"PROXY TCP4 192.0.2.1 198.51.100.7 54321 443\r\n\x16\x03\x01".to_vec()),
        ("v1-tcp6", b"PROXY TCP6 2001:db8::1 2001:db8::2 54321 443\r\nGET /".to_vec()),
        ("v1-unknown", b"PROXY UNKNOWN anything at all\r\n".to_vec()),
        ("v2-tcp4", v2(1, 0x11, &v4)),
        ("v2-tcp6-with-extension", v2(1, 0x21, &v6)),
        ("v2-unix", v2(1, 0x31, &[0; 216])),
        ("v2-local", v2(0, 0, b"")),
    ] {
        save(root, "proxy_protocol", name, &bytes)?;
    }
    Ok(())
}

fn save(root: &Path, target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let folder: PathBuf = root.join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes).with_context(|| format!("{target}/{name}"))
}

type Talk = Vec<(Side, Vec<u8>)>;

struct Listener(Talk);

impl Tracker for Listener {
    fn opened(_: &FlowInfo) -> Self {
        Listener(Vec::new())
    }
    fn bytes(&mut self, side: Side, bytes: &[u8]) -> Interest {
        self.0.push((side, bytes.to_vec()));
        Interest::More
    }
    fn gap(&mut self, _: Side, _: u64) -> Interest {
        Interest::None
    }
}

fn talks(file: &[u8]) -> Result<Vec<Talk>> {
    let mut table: Table<Listener> = Table::new(Bounds::default());
    let mut talks = Vec::new();
    let mut keep = |closed: Closed<Listener>| talks.extend(closed.tracker.map(|listener| listener.0));
    PcapFile::open(file)?.for_each(|packet| {
        if let Decoded::Segment(segment) = decode(&packet) {
            table.handle_segment(&segment, packet.time, &mut keep);
        }
    })?;
    table.finish(&mut keep);
    Ok(talks)
}

fn seeds_of_talk(root: &Path, name: &str, talk: &Talk) -> Result<()> {
    let Some(&(server, _)) = talk.first().filter(|(_, bytes)| bytes.starts_with(b"RFB ")) else {
        return Ok(());
    };
    let origin = |side: Side| if side == server { Origin::Target } else { Origin::Viewer };
    let mut session = PassiveSession::new();
    let (mut opening, mut all) = ([Vec::new(), Vec::new()], Vec::new());
    let (mut records, mut server_bytes) = (Vec::new(), Vec::new());
    for (side, bytes) in talk {
        let from = origin(*side);
        if all.len() < STREAM {
            put_record(&mut all, from, bytes);
        }
        let mut rest = bytes.as_slice();
        // Byte by byte, so that the end of the handshake is found exactly.
        while session.progress() != Progress::Session
            && let Some((byte, after)) = rest.split_first()
        {
            session.handle(from, &[*byte], &mut |_: Event<'_>| {});
            opening[usize::from(from == Origin::Target)].push(*byte);
            rest = after;
        }
        if records.len() < STREAM && !rest.is_empty() {
            put_record(&mut records, from, rest);
        }
        if from == Origin::Target && server_bytes.len() < STREAM {
            server_bytes.extend_from_slice(rest);
        }
    }
    let [viewer, target] = opening;
    let short = |bytes: &[u8]| bytes.get(..1000).unwrap_or(bytes).to_vec();
    save(root, "client_handshake", name, &[&[0b0001_1111, 7], short(&target).as_slice()].concat())?;
    save(root, "server_handshake", name, &[&[0b0100_1111, 7], short(&viewer).as_slice()].concat())?;
    save(root, "observer", &format!("{name}-opening"), &[&[1, 3, 0, 2], all.as_slice()].concat())?;
    save(root, "trace", name, &[&[1, 3], all.as_slice()].concat())?;
    if session.progress() == Progress::Session {
        let format = session.seen().init.as_ref().map_or(0, |init| match init.pixel_format.bits_per_pixel {
            8 => 1,
            16 => 2,
            _ => 0,
        });
        save(
            root,
            "observer",
            &format!("{name}-live"),
            &[&[0, 5, 0, 2 + 4 * format], records.as_slice()].concat(),
        )?;
        let format =
            if name.contains("37") || name.contains("33-none") || name.contains("ipv6") { 2 } else { 0 };
        let format = if name.contains("reverse") { 1 } else { format };
        server_bytes.truncate(STREAM);
        save(root, "decoders", name, &[&[9, format, 160, 120], server_bytes.as_slice()].concat())?;
    }
    Ok(())
}

fn put_record(out: &mut Vec<u8>, from: Origin, bytes: &[u8]) {
    for piece in bytes.chunks(0x3fff).take(1) {
        let head = u16::try_from(piece.len()).unwrap_or(0) | if from == Origin::Target { 0x4000 } else { 0 };
        out.extend_from_slice(&head.to_be_bytes());
        out.extend_from_slice(piece);
    }
}

/// Frames as browsers send them: every length form, pieces of a message, control frames in between.
fn websocket_seeds(root: &Path) -> Result<()> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let frame = |first: u8, payload: &[u8]| {
        let mut out = vec![first];
        match payload.len() {
            n if n < 126 => out.push(0x80 | u8::try_from(n).unwrap_or(0)),
            n if n < 65_536 => {
                out.push(0xfe);
                out.extend_from_slice(&u16::try_from(n).unwrap_or(0).to_be_bytes());
            }
            n => {
                out.push(0xff);
                out.extend_from_slice(&u64::try_from(n).unwrap_or(0).to_be_bytes());
            }
        }
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        out
    };
    let whole = [frame(0x82, b"RFB 003.008\n"), frame(0x82, &[3; 300]), frame(0x88, &[0x03, 0xe8])].concat();
    let pieces =
        [frame(0x02, b"one"), frame(0x89, b"ping"), frame(0x00, b"two"), frame(0x80, b""), frame(0x8a, b"")];
    let refused =
        [frame(0x81, b"text"), frame(0x83, b""), frame(0xc2, b"bits"), frame(0x80, b"of nothing")].concat();
    let close = frame(0x88, b"\x03\xe9going away");
    save(root, "websocket", "whole", &[&[3, 255], whole.as_slice()].concat())?;
    save(root, "websocket", "pieces", &[&[3, 255], pieces.concat().as_slice()].concat())?;
    save(root, "websocket", "refused", &[&[3, 255], refused.as_slice()].concat())?;
    save(root, "websocket", "close", &[&[3, 255], close.as_slice()].concat())?;
    save(root, "websocket", "too-big", &[&[3, 2], frame(0x82, &[1; 200]).as_slice()].concat())
}
