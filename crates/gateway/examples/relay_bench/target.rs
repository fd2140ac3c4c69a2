//! The fake target: valid RFB, ready-made.

use anyhow::Result;
use rfb::decode::number;
use rfb::encode::Encoder;
use rfb::framebuffer::{Framebuffer, Rect};
use rfb::{PixelFormat, ServerInit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;

const WIDTH: u16 = 1024;
const HEIGHT: u16 = 768;

/// The desktop's name.
pub(crate) const NAME: &[u8] = b"bench";
/// The pictures that can be asked for.
pub(crate) const KINDS: &[(u8, &str)] = &[(0, "Raw"), (1, "ZRLE"), (TIGHT, "Tight")];
/// The kind of the smallest one.
pub(crate) const TIGHT: u8 = 2;
/// A small update: header, rectangle's header, five by five pixels.
pub(crate) const ANSWER: usize = 4 + 12 + 100;

/// Listens; each viewer has a thread of its own.
pub(crate) fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = move || serve(stream);
            let _ = thread::Builder::new().stack_size(64 * 1024).spawn(serve);
        }
    });
    Ok(address)
}

fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"RFB 003.008\n")?;
    stream.read_exact(&mut [0; 12])?;
    stream.write_all(&[1, 1])?;
    stream.read_exact(&mut [0; 1])?;
    stream.write_all(&[0; 4])?;
    stream.read_exact(&mut [0; 1])?;
    let init =
        ServerInit { width: WIDTH, height: HEIGHT, pixel_format: PixelFormat::RGB888, name: NAME.to_vec() };
    stream.write_all(&rfb::server::server_init_bytes(&init))?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut encodings = vec![0; usize::from(head[3]) * 4];
    stream.read_exact(&mut encodings)?;
    let mut answer = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 5, 0, 5, 0, 0, 0, 0];
    answer.resize(ANSWER, 7);
    loop {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        if kind == [4] {
            stream.read_exact(&mut [0; 7])?;
            stream.write_all(&answer)?;
            continue;
        }
        let mut rest = [0; 5];
        stream.read_exact(&mut rest)?;
        let [buttons, a, b, c, d] = rest;
        let bytes = u32::from_be_bytes([a, b, c, d]) as usize * 1000;
        let picture = picture(buttons.trailing_zeros() as usize);
        for _ in 0..bytes.div_ceil(picture.len()) {
            stream.write_all(picture)?;
        }
    }
}

/// An update of the whole screen.
fn picture(kind: usize) -> &'static [u8] {
    static PICTURES: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    let pictures = PICTURES.get_or_init(|| {
        let scene = scene();
        [number::RAW, number::ZRLE, number::TIGHT].map(|encoding| update(&scene, encoding))
    });
    &pictures[kind % 3]
}

/// What is sent when so many bytes are asked for: whole updates.
pub(crate) fn whole(kind: u8, bytes: usize) -> usize {
    let len = picture(usize::from(kind)).len();
    bytes.div_ceil(len) * len
}

/// Part gradient, part text-like, part noise.
fn scene() -> Framebuffer {
    let mut screen = Framebuffer::new(WIDTH, HEIGHT);
    let mut state = 1_u32;
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let color = match (x / 128 + y / 96) % 4 {
                0 => u32::from(x) << 8 | u32::from(y & 0xff),
                1 => {
                    if state >> 30 == 0 {
                        0
                    } else {
                        0xff_ffff
                    }
                }
                2 => state >> 8,
                _ => 0x33_6699,
            };
            screen.fill(Rect { x, y, width: 1, height: 1 }, color);
        }
    }
    screen
}

fn update(scene: &Framebuffer, encoding: i32) -> Vec<u8> {
    let mut out = Vec::new();
    let rects: Vec<_> = (0..HEIGHT / 96)
        .flat_map(|row| (0..WIDTH / 128).map(move |column| (column * 128, row * 96)))
        .map(|(x, y)| Rect { x, y, width: 128, height: 96 })
        .collect();
    Encoder::new(PixelFormat::RGB888).update(encoding, scene, &rects, &mut out);
    out
}
