//! [7.1.2] Security types and VeNCrypt subtypes, by number.

use model::target::Strength;

macro_rules! numbers {
    ($(#[$top:meta])* $ty:ident($repr:ty) { $($(#[$doc:meta])* $name:ident = $n:literal, $text:literal;)* }) => {
        $(#[$top])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $ty(pub $repr);
        impl $ty {
            $($(#[$doc])* pub const $name: $ty = $ty($n);)*
            /// The name used in logs and documents, if the number is known.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($n => Some($text),)* _ => None }
            }
        }
        impl std::fmt::Debug for $ty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() { Some(name) => f.write_str(name), None => write!(f, "type {}", self.0) }
            }
        }
    };
}

numbers! {
    /// A security type [7.1.2]. Numbers are a byte on the wire, but 3.3 servers send 32 bits.
    SecurityType(u32) {
        /// The attempt failed; a reason follows.
        INVALID = 0, "Invalid";
        /// [7.2.1]
        NONE = 1, "None";
        /// [7.2.2] DES challenge.
        VNC_AUTH = 2, "VncAuth";
        /// RealVNC: RSA and AES, whole session in records, 128 bit.
        RA2 = 5, "RA2";
        /// As RA2, the session itself in clear.
        RA2NE = 6, "RA2ne";
        /// [7.2.3] TightVNC's capability lists.
        TIGHT = 16, "Tight";
        /// vino: anonymous TLS, then a list of types inside.
        TLS = 18, "TLS";
        /// [7.2.4] VeNCrypt.
        VENCRYPT = 19, "VeNCrypt";
        /// QEMU's SASL.
        SASL = 20, "SASL";
        /// Apple Remote Desktop: Diffie-Hellman.
        APPLE_DH = 30, "AppleDH";
        /// UltraVNC: Diffie-Hellman, DES-CBC.
        MS_LOGON_II = 113, "MSLogonII";
        /// As RA2, 256 bit.
        RA2_256 = 129, "RA2_256";
        /// As RA2ne, 256 bit.
        RA2NE_256 = 130, "RA2ne_256";
    }
}

numbers! {
    /// A VeNCrypt subtype [7.2.4].
    Subtype(u32) {
        /// Name and password in clear.
        PLAIN = 256, "Plain";
        /// Anonymous TLS, nothing inside.
        TLS_NONE = 257, "TLSNone";
        /// Anonymous TLS, DES challenge inside.
        TLS_VNC = 258, "TLSVnc";
        /// Anonymous TLS, name and password inside.
        TLS_PLAIN = 259, "TLSPlain";
        /// TLS with a certificate, nothing inside.
        X509_NONE = 260, "X509None";
        /// TLS with a certificate, DES challenge inside.
        X509_VNC = 261, "X509Vnc";
        /// TLS with a certificate, name and password inside.
        X509_PLAIN = 262, "X509Plain";
        /// TLS with a certificate, SASL inside.
        X509_SASL = 263, "X509SASL";
        /// Anonymous TLS, SASL inside.
        TLS_SASL = 264, "TLSSASL";
    }
}

impl SecurityType {
    /// What a type gives once its exchange is over (for VeNCrypt and Tight see what is inside).
    pub fn strength(self) -> Strength {
        match self {
            SecurityType::RA2 | SecurityType::RA2_256 => Strength::EncryptedVerified,
            SecurityType::TLS => Strength::EncryptedAnonymous,
            SecurityType::VNC_AUTH
            | SecurityType::RA2NE
            | SecurityType::RA2NE_256
            | SecurityType::SASL
            | SecurityType::APPLE_DH
            | SecurityType::MS_LOGON_II => Strength::Authenticated,
            _ => Strength::Open,
        }
    }
}

impl Subtype {
    /// What a subtype gives.
    pub fn strength(self) -> Strength {
        match self {
            Subtype::X509_NONE | Subtype::X509_VNC | Subtype::X509_PLAIN | Subtype::X509_SASL => {
                Strength::EncryptedVerified
            }
            Subtype::TLS_NONE | Subtype::TLS_VNC | Subtype::TLS_PLAIN | Subtype::TLS_SASL => {
                Strength::EncryptedAnonymous
            }
            Subtype::PLAIN => Strength::Authenticated,
            _ => Strength::Open,
        }
    }
}
