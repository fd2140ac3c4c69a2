//! [7.1.1] ProtocolVersion, and the odd ones that real servers send.

use crate::Misbehavior;

/// The rules that a connection follows after both sides named a version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// The server names one security type; no reasons.
    V3_3,
    /// A list of types; no SecurityResult for None, no reasons after it.
    V3_7,
    /// As today.
    V3_8,
}

impl Version {
    /// Bytes on the wire.
    pub const LEN: usize = 12;

    /// The line that we send for this version.
    pub fn line(self) -> [u8; Self::LEN] {
        match self {
            Version::V3_3 => *b"RFB 003.003\n",
            Version::V3_7 => *b"RFB 003.007\n",
            Version::V3_8 => *b"RFB 003.008\n",
        }
    }
}

/// What the twelve bytes said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VersionLine {
    /// Major number as sent.
    pub major: u16,
    /// Minor number as sent.
    pub minor: u16,
}

impl VersionLine {
    /// Parses `RFB xxx.yyy\n`.
    pub fn parse(bytes: [u8; Version::LEN]) -> Result<VersionLine, Misbehavior> {
        let [b'R', b'F', b'B', b' ', a, b, c, b'.', d, e, f, b'\n'] = bytes else {
            return Err(Misbehavior::VersionString);
        };
        match (number([a, b, c]), number([d, e, f])) {
            (Some(major), Some(minor)) => Ok(VersionLine { major, minor }),
            _ => Err(Misbehavior::VersionString),
        }
    }

    /// UltraVNC's repeater: it wants 250 bytes `ID:…` and then the real version follows.
    pub fn is_repeater(self) -> bool {
        (self.major, self.minor) == (0, 0)
    }

    /// The rules to follow: 3.889 (macOS), 4.x and 5.x (RealVNC, Intel AMT) speak 3.8; 3.4 to 3.6 and
    /// 3.14, 3.16 (UltraVNC) are 3.3 in disguise.
    pub fn rules(self) -> Version {
        match (self.major, self.minor) {
            (0..=2, _) | (3, 0..=6) | (3, 14 | 16) => Version::V3_3,
            (3, 7) => Version::V3_7,
            _ => Version::V3_8,
        }
    }
}

impl std::fmt::Display for VersionLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:03}.{:03}", self.major, self.minor)
    }
}

fn number(digits: [u8; 3]) -> Option<u16> {
    digits.iter().try_fold(0u16, |n, d| d.is_ascii_digit().then(|| n * 10 + u16::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_seen_in_the_field() {
        for (line, rules) in [
            (b"RFB 003.003\n", Version::V3_3),
            (b"RFB 003.006\n", Version::V3_3),
            (b"RFB 003.016\n", Version::V3_3),
            (b"RFB 003.007\n", Version::V3_7),
            (b"RFB 003.008\n", Version::V3_8),
            (b"RFB 003.889\n", Version::V3_8),
            (b"RFB 004.001\n", Version::V3_8),
            (b"RFB 005.000\n", Version::V3_8),
        ] {
            assert_eq!(VersionLine::parse(*line).map(VersionLine::rules), Ok(rules));
        }
        assert_eq!(VersionLine::parse(*b"RFB 000.000\n").map(VersionLine::is_repeater), Ok(true));
        assert_eq!(VersionLine::parse(*b"SSH-2.0-Open"), Err(Misbehavior::VersionString));
        assert_eq!(VersionLine::parse(*b"RFB 0x3.008\n"), Err(Misbehavior::VersionString));
    }
}
