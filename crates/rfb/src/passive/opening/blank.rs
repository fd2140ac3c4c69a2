//! Parts of the handshake without challenges, answers, names, passwords and texts.

use super::Phase;
use crate::ServerInit;

impl Phase {
    /// The same bytes, with zeros for all that is private.
    pub(in crate::passive) fn blank(self, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0; bytes.len()];
        let kept = self.public(bytes);
        if let (Some(to), Some(from)) = (out.get_mut(..kept), bytes.get(..kept)) {
            to.copy_from_slice(from);
        }
        match self {
            Phase::Login => share_length(bytes, &mut out),
            // Whether the server goes on or is content.
            Phase::SaslTarget => {
                if let (Some(to), Some(&from)) = (out.last_mut(), bytes.last()) {
                    *to = from;
                }
            }
            _ => {}
        }
        out
    }

    /// How many bytes at the beginning are versions, numbers, lists and lengths.
    fn public(self, bytes: &[u8]) -> usize {
        match self {
            Phase::ServerVersion if bytes.starts_with(b"ID:") => 3,
            Phase::ServerVersion
            | Phase::ViewerVersion
            | Phase::Type33
            | Phase::Types
            | Phase::Choice
            | Phase::Tunnels
            | Phase::TunnelChoice
            | Phase::Auths
            | Phase::AuthChoice
            | Phase::VencryptVersion
            | Phase::VencryptReply
            | Phase::Subtypes
            | Phase::SubtypeChoice
            | Phase::TlsAcknowledged
            | Phase::SaslMechanisms
            | Phase::SaslChoice
            | Phase::Result
            | Phase::ViewerInit
            | Phase::TightTail => bytes.len(),
            Phase::ServerInit => ServerInit::HEADER,
            Phase::XvpUser | Phase::Ra2Random(_) | Phase::Ra2Hash(_) | Phase::Ra2Record(_) => 2,
            Phase::SaslViewer | Phase::SaslTarget | Phase::AppleKeys | Phase::Ra2Key(_) | Phase::Reason => 4,
            Phase::RepeaterId | Phase::Skip(..) | Phase::Login | Phase::Over(_) => 0,
        }
    }

    /// What it is called in a skeleton.
    pub(in crate::passive) fn name(self) -> &'static str {
        match self {
            Phase::ServerVersion | Phase::ViewerVersion => "Version",
            Phase::RepeaterId => "RepeaterId",
            Phase::Type33 | Phase::Types => "SecurityTypes",
            Phase::Choice => "SecurityType",
            Phase::Result => "SecurityResult",
            Phase::Reason => "Reason",
            Phase::ViewerInit => "ClientInit",
            Phase::ServerInit => "ServerInit",
            Phase::TightTail => "Capabilities",
            _ => "Security",
        }
    }
}

/// U32 length of name, U32 length of password, both: only how long they are together frames.
fn share_length(bytes: &[u8], out: &mut [u8]) {
    let together = u32::try_from(bytes.len().saturating_sub(8)).unwrap_or(0);
    let name = together / 2;
    let lengths = [name.to_be_bytes(), (together - name).to_be_bytes()];
    for (to, from) in out.iter_mut().zip(lengths.as_flattened()) {
        *to = *from;
    }
}
