//! A bitmap font of ASCII for the test card, five pixels across and eight down.

/// Pixels across a glyph; one more parts it from the next.
pub(super) const WIDTH: u16 = 5;
/// Pixels down a glyph, one of them for descenders.
pub(super) const HEIGHT: u16 = 8;

/// The columns and rows of a character that are drawn; a box where the font has none.
pub(super) fn pixels(character: char) -> impl Iterator<Item = (u16, u16)> {
    const BOX: u64 = 0xfc_6318_fc00;
    let index = u32::from(character).checked_sub(32).and_then(|n| usize::try_from(n).ok());
    let glyph = index.and_then(|n| GLYPHS.get(n)).copied().unwrap_or(BOX);
    (0..HEIGHT).flat_map(move |y| {
        (0..WIDTH).filter_map(move |x| {
            let bit = WIDTH * HEIGHT - 1 - (y * WIDTH + x);
            (glyph >> bit & 1 == 1).then_some((x, y))
        })
    })
}

/// Space to tilde. The 40 low bits are the pixels, row by row, the first of them highest.
#[rustfmt::skip]
const GLYPHS: [u64; 95] = [
    0x00_0000_0000, 0x21_0842_0080, 0x52_9400_0000, 0x52_beaf_a940, 0x23_e8e2_f880, 0xce_4444_4e60, 0x64_a88a_c9a0,
    0x21_1000_0000, 0x11_1084_1040, 0x41_0421_1100, 0x05_5df7_5400, 0x01_09f2_1000, 0x00_0000_3088, 0x00_01f0_0000,
    0x00_0000_3180, 0x08_4444_4200, 0x74_675c_c5c0, 0x23_2842_13e0, 0x74_4264_43e0, 0xf8_8860_c5c0, 0x11_952f_8840,
    0xfc_3c10_c5c0, 0x32_21e8_c5c0, 0xf8_4444_2100, 0x74_62e8_c5c0, 0x74_62f0_8980, 0x03_1806_3000, 0x03_1806_1100,
    0x11_1104_1040, 0x00_3e0f_8000, 0x41_0411_1100, 0x74_4222_0080, 0x74_6f5b_c1c0, 0x74_63f8_c620, 0xf4_63e8_c7c0,
    0x74_6108_45c0, 0xe4_a318_cb80, 0xfc_21e8_43e0, 0xfc_21e8_4200, 0x74_6178_c5e0, 0x8c_63f8_c620, 0x71_0842_11c0,
    0x38_8421_4980, 0x8c_a98a_4a20, 0x84_2108_43e0, 0x8e_eb58_c620, 0x8e_6b59_c620, 0x74_6318_c5c0, 0xf4_63e8_4200,
    0x74_631a_c9a0, 0xf4_63ea_4a20, 0x7c_20e0_87c0, 0xf9_0842_1080, 0x8c_6318_c5c0, 0x8c_6315_2880, 0x8c_635a_ee20,
    0x8c_5445_4620, 0x8c_5442_1080, 0xf8_4444_43e0, 0x72_1084_21c0, 0x84_1041_0420, 0x70_8421_09c0, 0x22_a200_0000,
    0x00_0000_001f, 0x41_0000_0000, 0x00_1c17_c5e0, 0x84_3d18_c7c0, 0x00_1d18_45c0, 0x08_5f18_c5e0, 0x00_1d1f_c1c0,
    0x32_3c84_2100, 0x00_1f18_bc2e, 0x84_3d18_c620, 0x20_1842_11c0, 0x10_0c21_0a4c, 0x84_254c_5240, 0x61_0842_11c0,
    0x00_355a_d6a0, 0x00_3d18_c620, 0x00_1d18_c5c0, 0x00_3d18_fa10, 0x00_1f18_bc21, 0x00_2d98_4200, 0x00_1f07_07c0,
    0x42_3c84_24c0, 0x00_2318_c5e0, 0x00_2315_2880, 0x00_235a_d540, 0x00_22a2_2a20, 0x00_2318_bc2e, 0x00_3e22_23e0,
    0x11_0882_1040, 0x21_0842_1080, 0x41_0822_1100, 0x00_1151_0000,];
