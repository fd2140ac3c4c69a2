//! The system's random generator.

/// So many random bytes.
#[expect(
    clippy::expect_used,
    reason = "without randomness no token may be made, and there is no way to go on"
)]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
