//! [7.7, 7.8] Encodings: their numbers, and where a rectangle in each of them ends.
//!
//! Nothing is decoded here. Almost every encoding says its own length; what is left needs the size of a
//! pixel and a walk over small headers, one module each.

pub(crate) mod hextile;
pub(crate) mod jpeg;
pub(crate) mod tight;
pub(crate) mod trle;

use crate::{Misbehavior, PixelFormat};

macro_rules! encodings {
    (
        rectangles { $($(#[$doc:meta])* $name:ident, $constant:ident = $number:literal;)* }
        announcements { $($(#[$more_doc:meta])* $more:ident = $more_number:literal;)* }
    ) => {
        /// An encoding whose rectangles can be framed.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Encoding { $($(#[$doc])* $name),* }

        impl Encoding {
            /// All of them.
            pub const ALL: &[Encoding] = &[$(Encoding::$name),*];

            /// The encoding of a number, unless it is unknown or only an announcement.
            #[inline]
            pub fn of(number: i32) -> Option<Encoding> {
                match number { $(number::$constant => Some(Encoding::$name),)* _ => None }
            }

            /// The number on the wire.
            pub fn number(self) -> i32 {
                match self { $(Encoding::$name => number::$constant),* }
            }
        }

        /// The numbers: what a rectangle's header says, and what a viewer asks for.
        pub mod number {
            $($(#[$doc])* pub const $constant: i32 = $number;)*
            $($(#[$more_doc])* pub const $more: i32 = $more_number;)*
        }
    };
}

encodings! {
    rectangles {
        /// Pixels.
        Raw, RAW = 0;
        /// A place to copy from.
        CopyRect, COPY_RECT = 1;
        /// Rising rectangles.
        Rre, RRE = 2;
        /// Rising rectangles with byte coordinates.
        CoRre, CORRE = 4;
        /// Tiles of 16 x 16.
        Hextile, HEXTILE = 5;
        /// Pixels through one zlib stream.
        Zlib, ZLIB = 6;
        /// Tight.
        Tight, TIGHT = 7;
        /// Hextile with some tiles through zlib.
        ZlibHex, ZLIB_HEX = 8;
        /// UltraVNC, LZO.
        Ultra, ULTRA = 9;
        /// UltraVNC, LZO of several rectangles.
        Ultra2, ULTRA_2 = 10;
        /// Tiles of 16 x 16 with palettes and runs.
        Trle, TRLE = 15;
        /// Tiles of 64 x 64 through one zlib stream.
        Zrle, ZRLE = 16;
        /// ZRLE after a wavelet transform.
        Zywrle, ZYWRLE = 17;
        /// UltraVNC, XZ.
        Xz, XZ = 18;
        /// UltraVNC, XZ after a wavelet transform.
        Xzyw, XZYW = 19;
        /// RealVNC's JPEG without a length.
        Jpeg, JPEG = 21;
        /// UltraVNC, Zstandard.
        Zstd, ZSTD = 25;
        /// UltraVNC, ZRLE through Zstandard.
        ZstdRle, ZSTD_RLE = 28;
        /// UltraVNC, ZYWRLE through Zstandard.
        ZstdYwRle, ZSTD_YW_RLE = 29;
        /// Open H.264.
        H264, H264 = 50;
        /// Tight with PNG instead of zlib.
        TightPng, TIGHT_PNG = -260;
        /// Pointer shape in pixels.
        Cursor, CURSOR = -239;
        /// Pointer shape in two colors.
        XCursor, X_CURSOR = -240;
        /// Pointer shape with transparency.
        CursorWithAlpha, CURSOR_WITH_ALPHA = -314;
        /// VMware's pointer shape.
        VmwareCursor, VMWARE_CURSOR = 0x574d_5664;
        /// VMware's pointer visibility.
        VmwareCursorState, VMWARE_CURSOR_STATE = 0x574d_5665;
        /// VMware's pointer position.
        VmwareCursorPosition, VMWARE_CURSOR_POSITION = 0x574d_5666;
        /// VMware's key repeat.
        VmwareKeyRepeat, VMWARE_KEY_REPEAT = 0x574d_5667;
        /// VMware's keyboard lamps.
        VmwareLed, VMWARE_LED = 0x574d_5668;
        /// VMware's display mode: size and pixel format, set by the target.
        VmwareDisplayMode, VMWARE_DISPLAY_MODE = 0x574d_5669;
        /// VMware's machine state.
        VmwareMachineState, VMWARE_MACHINE_STATE = 0x574d_566a;
        /// New size of the framebuffer.
        DesktopSize, DESKTOP_SIZE = -223;
        /// Ends an update early.
        LastRect, LAST_RECT = -224;
        /// Where the pointer is.
        PointerPosition, POINTER_POSITION = -232;
        /// QEMU: whether the pointer is absolute.
        PointerChange, POINTER_CHANGE = -257;
        /// QEMU: extended key events may be sent.
        ExtendedKey, EXTENDED_KEY = -258;
        /// QEMU: audio messages may be sent.
        Audio, AUDIO = -259;
        /// QEMU: keyboard lamps.
        QemuLed, LED = -261;
        /// Name of the desktop.
        DesktopName, DESKTOP_NAME = -307;
        /// New size and layout of screens.
        ExtendedDesktopSize, EXTENDED_DESKTOP_SIZE = -308;
        /// More than seven buttons may be sent.
        ExtendedButtons, EXTENDED_BUTTONS = -316;
        /// libvncserver: keyboard lamps.
        LibvncLed, LIBVNC_LED = -0x2_0000;
        /// libvncserver: message numbers it knows.
        LibvncMessages, LIBVNC_MESSAGES = -0x1_ffff;
        /// libvncserver: encodings it knows.
        LibvncEncodings, LIBVNC_ENCODINGS = -0x1_fffe;
        /// libvncserver: its name.
        LibvncIdentity, LIBVNC_IDENTITY = -0x1_fffd;
    }
    announcements {
        /// Input devices.
        GII = -305;
        /// Power actions.
        XVP = -309;
        /// Fences [7.8.10].
        FENCE = -312;
        /// Updates without requests [7.8.11].
        CONTINUOUS_UPDATES = -313;
        /// Tight rectangles without zlib.
        TIGHT_WITHOUT_ZLIB = -317;
        /// The extended clipboard, 0xC0A1E5CE.
        EXTENDED_CLIPBOARD = -0x3f5e_1a32;
        /// Tight's JPEG quality 0; nine more follow.
        QUALITY_0 = -32;
        /// Tight's JPEG quality 9.
        QUALITY_9 = -23;
        /// Compression effort 0; nine more follow.
        COMPRESS_0 = -256;
        /// Compression effort 9.
        COMPRESS_9 = -247;
    }
}

impl Encoding {
    /// Whether its rectangle says something beside pixels; then its coordinates may mean anything.
    pub fn is_pseudo(self) -> bool {
        match self {
            Encoding::TightPng => false,
            Encoding::VmwareCursor
            | Encoding::VmwareCursorState
            | Encoding::VmwareCursorPosition
            | Encoding::VmwareKeyRepeat
            | Encoding::VmwareLed
            | Encoding::VmwareDisplayMode
            | Encoding::VmwareMachineState => true,
            other => other.number() < 0,
        }
    }

    /// Which measure of a pixel its framing depends on.
    pub(crate) fn measure(self) -> Option<Measure> {
        match self {
            Encoding::Raw
            | Encoding::Rre
            | Encoding::CoRre
            | Encoding::Hextile
            | Encoding::ZlibHex
            | Encoding::Cursor
            | Encoding::VmwareCursor => Some(Measure::Pixel),
            Encoding::Tight | Encoding::TightPng => Some(Measure::Tpixel),
            Encoding::Trle => Some(Measure::Cpixel),
            _ => None,
        }
    }
}

/// A measure of a pixel's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Measure {
    /// PIXEL.
    Pixel,
    /// TPIXEL.
    Tpixel,
    /// CPIXEL.
    Cpixel,
}

/// A set of encodings.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EncodingSet(u64);

impl EncodingSet {
    /// Every encoding that can be framed.
    pub const ALL: EncodingSet = EncodingSet(u64::MAX);

    #[expect(clippy::as_conversions, reason = "a fieldless enum of fewer than 64 variants")]
    const fn bit(encoding: Encoding) -> u64 {
        1 << encoding as u32
    }

    /// Adds one.
    pub fn insert(&mut self, encoding: Encoding) {
        self.0 |= Self::bit(encoding);
    }

    /// Whether it is in the set.
    #[inline]
    pub fn contains(self, encoding: Encoding) -> bool {
        self.0 & Self::bit(encoding) != 0
    }
}

/// Bytes of a pixel in its three forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PixelSizes {
    /// PIXEL.
    pub(crate) pixel: usize,
    /// [7.7.6] TPIXEL.
    pub(crate) tpixel: usize,
    /// [7.7.5] CPIXEL.
    pub(crate) cpixel: usize,
}

impl PixelSizes {
    /// [7.8.2] CursorWithAlpha: 32 bit RGBA, whatever the format.
    pub(crate) const RGBA: PixelSizes = PixelSizes { pixel: 4, tpixel: 4, cpixel: 4 };

    pub(crate) fn of(format: &PixelFormat) -> PixelSizes {
        PixelSizes {
            pixel: format.bytes_per_pixel(),
            tpixel: format.tpixel_len(),
            cpixel: format.cpixel_len(),
        }
    }
}

/// How far a walk over a rectangle's inner headers came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Walked {
    /// Bytes of the input that are understood.
    pub(crate) taken: usize,
    /// Bytes after them that need not be looked at; more than 0 only if all input is taken.
    pub(crate) skip: usize,
    /// Whether nothing but `skip` is left of the rectangle.
    pub(crate) done: bool,
    /// What is wrong right after the taken bytes.
    pub(crate) fault: Option<Misbehavior>,
}

impl Walked {
    /// More bytes are needed.
    pub(crate) fn waits(taken: usize) -> Walked {
        Walked { taken, skip: 0, done: false, fault: None }
    }

    /// All `taken` bytes are understood, and `skip` more need no look.
    pub(crate) fn skips(taken: usize, skip: usize, done: bool) -> Walked {
        Walked { taken, skip, done, fault: None }
    }

    /// The bytes after `taken` break the rules.
    pub(crate) fn broken(taken: usize, fault: Misbehavior) -> Walked {
        Walked { taken, skip: 0, done: false, fault: Some(fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_fit_the_set() {
        assert!(Encoding::ALL.len() <= 64);
        for &encoding in Encoding::ALL {
            assert_eq!(Encoding::of(encoding.number()), Some(encoding));
            let mut set = EncodingSet::default();
            set.insert(encoding);
            assert_eq!(Encoding::ALL.iter().filter(|&&e| set.contains(e)).count(), 1);
        }
        assert_eq!(number::EXTENDED_CLIPBOARD.to_be_bytes(), [0xc0, 0xa1, 0xe5, 0xce]);
        assert_eq!(Encoding::LibvncIdentity.number().to_be_bytes(), [0xff, 0xfe, 0, 3]);
    }
}
