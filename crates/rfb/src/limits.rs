//! Every bound on what a peer may claim, in one place, with its reason.

/// Reason text after a failure. TigerVNC's are under 200 bytes; a server once sent a length of 4 GiB.
pub const REASON: usize = 64 * 1024;
/// Desktop name in ServerInit and DesktopName rectangles.
pub const NAME: usize = 64 * 1024;
/// Security types in a list: the field is a byte.
pub const SECURITY_TYPES: usize = 255;
/// VeNCrypt subtypes: the field is a byte; 11 are known.
pub const SUBTYPES: usize = 255;
/// Tight capabilities (tunnels, authentication types, messages, encodings), each list.
pub const CAPABILITIES: usize = 512;
/// Encodings in one SetEncodings; real viewers send under 40.
pub const ENCODINGS: usize = 1024;
/// Screens in ExtendedDesktopSize: the field is a byte, nobody has 64.
pub const SCREENS: usize = 64;
/// Payload of a fence [7.5.4].
pub const FENCE: usize = 64;
/// Width and height of the framebuffer; TigerVNC's bound.
pub const DIMENSION: u16 = 16_384;
/// Pixels of a screen that is decoded; 256 MiB. A screen that is only passed on costs nothing.
pub const DECODED_PIXELS: usize = 1 << 26;
/// Width and height of a cursor; servers send up to 512.
pub const CURSOR: u16 = 1024;
/// Clipboard text; libvncserver's bound. Policy may ask for less.
pub const CLIPBOARD: usize = 1 << 20;
/// Text chat of UltraVNC.
pub const CHAT: usize = 4096;
/// One chunk of QEMU audio.
pub const AUDIO: usize = 1 << 20;
/// [7.7.6] Compact lengths of Tight have 22 bits.
pub const TIGHT: usize = 1 << 22;
/// [7.7.6] Widest Tight rectangle.
pub const TIGHT_WIDTH: u16 = 2048;
/// One zlib or ZRLE chunk; also bounded by twice the rectangle's raw size plus 64 KiB.
pub const ZLIB: usize = 64 << 20;
/// One H.264 frame.
pub const H264: usize = 16 << 20;
/// One RealVNC JPEG rectangle.
pub const JPEG: usize = 16 << 20;
/// One file transfer message.
pub const FILE_MESSAGE: usize = 1 << 20;
/// UltraVNC repeater identification.
pub const REPEATER_ID: usize = 250;
/// User name or password in Plain and RA2.
pub const CREDENTIAL: usize = 1024;
/// SASL mechanism list, step and mechanism name; QEMU's bound on steps is 1 MiB, real ones are short.
pub const SASL: usize = 64 * 1024;
/// RSA modulus bits of RA2; TigerVNC's bound is 8192, we do not spend that much on strangers.
pub const RSA_BITS: u32 = 4096;
/// Smallest RSA modulus bits of RA2; TigerVNC's bound.
pub const RSA_BITS_MIN: u32 = 1024;
/// Key bytes of Apple DH; macOS sends 128.
pub const DH_BYTES: usize = 512;
/// Fewest key bytes of Apple DH; TigerVNC's bound.
pub const DH_BYTES_MIN: usize = 128;
/// Iterations of SCRAM; a second of work at most. Cyrus SASL uses 4,096 to 10,000.
pub const SCRAM_ITERATIONS: u32 = 1_000_000;
/// Fewest iterations of SCRAM [RFC 7677, 4]; fewer would help somebody who collects our answers.
pub const SCRAM_ITERATIONS_MIN: u32 = 4096;
/// One RA2 record's plaintext: the length field has 16 bits.
pub const RECORD: usize = 65_535;
/// A clipboard larger than [`CLIPBOARD`] is dropped whole, as a person may copy it by mistake; nobody
/// copies this much.
pub const CLIPBOARD_DROPPED: usize = 64 << 20;
/// A file's name with its path in TightVNC 2.
pub const FILE_NAME: usize = 4096;
/// SetPixelFormat messages whose point in the target's bytes is not yet known.
pub const PENDING_FORMATS: usize = 8;
/// Bytes that are held back while two readings of them compete.
pub const DOUBTED: usize = 64 * 1024;
/// Text of a skeleton that is read; a whole day of work is shorter.
pub const TRACE_TEXT: usize = 256 << 20;
/// Bytes of a session whose skeleton is read.
pub const TRACE_BYTES: u64 = 64 << 30;
