//! [7.7] Encoding numbers: what a rectangle's header says, and what a viewer asks for.

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $n:literal;)*) => { $($(#[$doc])* pub const $name: i32 = $n;)* };
}

numbers! {
    /// [7.7.1] Pixels as they are.
    RAW = 0;
    /// [7.7.2] Pixels from another place of the screen.
    COPY_RECT = 1;
    /// [7.7.3] A background with rectangles on it.
    RRE = 2;
    /// As RRE, coordinates in a byte.
    CORRE = 4;
    /// [7.7.4] RRE in tiles of 16.
    HEXTILE = 5;
    /// Raw through one zlib stream.
    ZLIB = 6;
    /// [7.7.5] TightVNC's, three kinds of compression over four zlib streams.
    TIGHT = 7;
    /// [7.7.6] Palettes and runs in tiles of 16.
    TRLE = 15;
    /// [7.7.7] TRLE in tiles of 64 through one zlib stream.
    ZRLE = 16;
    /// [7.8.1] The pointer's picture.
    CURSOR = -239;
    /// [7.8.2] The pointer's picture in two colors.
    X_CURSOR = -240;
    /// [7.8.3] The screen's size.
    DESKTOP_SIZE = -223;
    /// An update's last rectangle.
    LAST_RECT = -224;
    /// Where the server moved the pointer.
    POINTER_POSITION = -232;
    /// QEMU: relative pointer motion.
    POINTER_CHANGE = -257;
    /// QEMU: key codes in key events.
    EXTENDED_KEY = -258;
    /// QEMU: audio.
    AUDIO = -259;
    /// Tight with PNG in place of zlib.
    TIGHT_PNG = -260;
    /// QEMU: keyboard lights.
    LED = -261;
    /// The screen's name.
    DESKTOP_NAME = -307;
    /// The screen's size and its monitors.
    EXTENDED_DESKTOP_SIZE = -308;
    /// Fences.
    FENCE = -312;
    /// Updates without requests.
    CONTINUOUS_UPDATES = -313;
    /// The pointer's picture with alpha.
    CURSOR_WITH_ALPHA = -314;
    /// More than eight buttons.
    EXTENDED_BUTTONS = -316;
    /// Tight may leave out zlib.
    TIGHT_WITHOUT_ZLIB = -317;
    /// Tight's JPEG quality 0; nine more follow.
    QUALITY_0 = -32;
    /// Tight's JPEG quality 9.
    QUALITY_9 = -23;
    /// Compression effort 0; nine more follow.
    COMPRESS_0 = -256;
    /// Compression effort 9.
    COMPRESS_9 = -247;
    /// VMware: the pointer's picture.
    VMWARE_CURSOR = 0x574d_5664;
    /// VMware: the pointer's state.
    VMWARE_CURSOR_STATE = 0x574d_5665;
    /// VMware: the pointer's place.
    VMWARE_CURSOR_POSITION = 0x574d_5666;
    /// VMware: key repeat.
    VMWARE_KEY_REPEAT = 0x574d_5667;
    /// VMware: keyboard lights.
    VMWARE_LED = 0x574d_5668;
    /// VMware: the server changes the pixel format.
    VMWARE_DISPLAY_MODE = 0x574d_5669;
    /// VMware: the machine's state.
    VMWARE_MACHINE_STATE = 0x574d_566a;
}
