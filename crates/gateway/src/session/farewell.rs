//! What a viewer is told that does not get its session.
//!
//! A page turns the code into a sentence of its own language. A native viewer has no page: it shows RFB's
//! reason text as it comes, so that is a sentence, in English, with the code behind it.

use crate::relay::End;
use crate::tls::Fingerprint;
use model::session::EndReason;

/// Why a viewer is turned away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Farewell {
    pub(super) end: End,
    /// The pinned identity of the target and the one that it shows, where they differ.
    pub(super) mismatch: Option<(Fingerprint, Fingerprint)>,
}

impl From<End> for Farewell {
    fn from(end: End) -> Self {
        Farewell { end, mismatch: None }
    }
}

impl Farewell {
    /// The target cannot be used, for this code.
    pub(super) fn refused(code: &'static str) -> Self {
        End::with(EndReason::TargetRefused, code).into()
    }

    /// RFB's reason text.
    ///
    /// INVARIANT: names no address and repeats no word of the target: a viewer need not know them.
    pub(super) fn sentence(&self) -> String {
        let code = self.end.code();
        let told = format!("Gatehouse: {} ({code})", said(code));
        match self.mismatch {
            // plain hex: clients cut long texts
            Some((expected, found)) => {
                format!("{told} Pinned: {}. Shown: {}", expected.to_hex(), found.to_hex())
            }
            None => told,
        }
    }

    /// The WebSocket's close frame: the code, and behind it the two fingerprints in base64 (RFC 4648, 5) where
    /// there are two; in hex they would not fit into a frame.
    pub(super) fn close_frame(&self) -> Vec<u8> {
        match self.mismatch {
            Some((expected, found)) => {
                let reason =
                    format!("{} {} {}", self.end.code(), expected.to_base64url(), found.to_base64url());
                self.end.close_frame_saying(&reason)
            }
            None => self.end.close_frame(),
        }
    }
}

/// The sentence for a code.
fn said(code: &str) -> &'static str {
    match code {
        "target.unreachable" => "the machine cannot be reached. Is it running?",
        "target.timeout" => "the machine does not answer in time. Is it overloaded?",
        "target.not_vnc" => "what answers at the machine's address is not a VNC server.",
        "target.wrong_password" => "the password stored for the machine is wrong. Tell the administrator.",
        "target.password_missing" => "no password is stored for the machine. Tell the administrator.",
        "target.too_many_failures" => "the machine refuses log-ins for now. Try again later.",
        "target.tls_mismatch" => {
            "the machine shows another identity than the pinned one. Tell the administrator."
        }
        "target.identity_unknown" => "the machine's identity is not confirmed yet. Tell the administrator.",
        "target.downgrade" => "the machine offers less security than before. Tell the administrator.",
        "target.below_floor" => "the machine is less secure than it has to be. Tell the administrator.",
        "target.not_found" => "the machine's entry was removed. Ask for a new ticket.",
        "target.entry_unavailable" | "journal.unavailable" => {
            "the database does not answer. Try again shortly."
        }
        "door.full" => "there is no room for another session now. Try again shortly.",
        "session.killed" => "an administrator ended the session.",
        "session.expired" => "the session's time is over.",
        "session.draining" => "the gateway is restarting. Try again in a few seconds.",
        code if code.starts_with("target.") => {
            "the machine's screen cannot be opened. Tell the administrator."
        }
        _ => "this screen cannot be opened.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_carries_its_code() {
        let told = Farewell::refused("target.unreachable").sentence();
        assert_eq!(told, "Gatehouse: the machine cannot be reached. Is it running? (target.unreachable)");
        assert!(
            Farewell::refused("target.repeater")
                .sentence()
                .contains("Tell the administrator. (target.repeater)")
        );
        let killed = Farewell::from(End::new(EndReason::Killed)).sentence();
        assert_eq!(killed, "Gatehouse: an administrator ended the session. (session.killed)");
    }

    #[test]
    fn both_fingerprints_fit_into_a_close_frame() {
        let (expected, found) = (Fingerprint::of(b"abc"), Fingerprint::of(b"abd"));
        let farewell =
            Farewell { mismatch: Some((expected, found)), ..Farewell::refused("target.tls_mismatch") };
        let frame = farewell.close_frame();
        // two bytes of header, two of close code, then the whole reason; both by `openssl dgst -sha256 -binary`
        let reason = "target.tls_mismatch ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0 \
                      pS0VnyYrLG3bckphhAvvw26zDIiHekAwtly-himESck";
        assert_eq!(String::from_utf8_lossy(&frame[4..]), reason);
        let told = farewell.sentence();
        assert!(told.contains(&expected.to_hex()) && told.contains(&found.to_hex()), "{told}");
    }
}
