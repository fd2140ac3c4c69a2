//! What a peer can do wrong. One variant per violation, each with a code that detection uses.

use model::Coded;

macro_rules! misbehavior {
    ($($(#[$doc:meta])* $name:ident = $code:literal),* $(,)?) => {
        /// A violation of the protocol by a peer. Ends that session, never the process.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Misbehavior { $($(#[$doc])* $name),* }

        impl Misbehavior {
            /// Every violation, for documents and tests.
            pub const ALL: &[Misbehavior] = &[$(Misbehavior::$name),*];
        }

        impl Coded for Misbehavior {
            fn code(&self) -> &'static str {
                match self { $(Misbehavior::$name => concat!("rfb.", $code)),* }
            }
        }
    };
}

misbehavior! {
    /// The first twelve bytes are not `RFB xxx.yyy\n`.
    VersionString = "version_string",
    /// A security type was chosen that was not offered (CVE-2006-2369).
    TypeNotOffered = "type_not_offered",
    /// A list of security types, subtypes or capabilities is empty or over its limit.
    SecurityList = "security_list",
    /// A reason text is over its limit.
    ReasonTooLong = "reason_too_long",
    /// A security exchange does not follow its own rules.
    SecurityExchange = "security_exchange",
    /// A user name or password is over its limit.
    CredentialTooLong = "credential_too_long",
    /// A public key is too small, too large or not a usable number.
    PublicKey = "public_key",
    /// A record failed its authentication tag.
    RecordForged = "record_forged",
    /// A desktop name is over its limit.
    NameTooLong = "name_too_long",
    /// A pixel format that no decoder could use.
    PixelFormat = "pixel_format",
    /// A framebuffer of no size, or over the limit.
    ScreenSize = "screen_size",
    /// A message number that is unknown, or that was not negotiated.
    UnknownMessage = "unknown_message",
    /// A message's length field is over its limit.
    MessageTooLong = "message_too_long",
    /// More encodings than the limit.
    TooManyEncodings = "too_many_encodings",
    /// A rectangle in an encoding that was not asked for.
    UnknownEncoding = "unknown_encoding",
    /// A rectangle outside the framebuffer.
    RectangleOutside = "rectangle_outside",
    /// A rectangle's own header or lengths contradict its size.
    RectangleMalformed = "rectangle_malformed",
    /// A cursor over the limit.
    CursorSize = "cursor_size",
    /// More screens than the limit, or a layout outside the framebuffer.
    ScreenLayout = "screen_layout",
    /// A clipboard message whose inner structure is broken.
    ClipboardMalformed = "clipboard_malformed",
    /// A compressed clipboard inflates over its limit.
    ClipboardBomb = "clipboard_bomb",
    /// A fence over 64 bytes.
    FenceTooLong = "fence_too_long",
    /// A compressed stream is broken or ends early.
    CompressedData = "compressed_data",
    /// A compressed stream yields more than its rectangle can hold.
    CompressionBomb = "compression_bomb",
    /// An embedded image (JPEG, PNG) is broken or of another size than its rectangle.
    ImageData = "image_data",
    /// Data came before the state that allows it.
    OutOfOrder = "out_of_order",
    /// The stream ended inside a message.
    Truncated = "truncated",
    /// Neither pixel format explains the bytes after an unfenced SetPixelFormat.
    AmbiguousFormat = "ambiguous_format",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own() {
        let codes: std::collections::HashSet<_> = Misbehavior::ALL.iter().map(|m| m.code()).collect();
        assert_eq!(codes.len(), Misbehavior::ALL.len());
    }
}
