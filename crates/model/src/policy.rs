//! What a session may do. Checked by the observer for every message, changeable while it runs.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which clipboard contents may pass in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipboardRule {
    /// Nothing passes and the extension is not offered.
    Deny,
    /// Contents of at most so many bytes pass; larger ones are dropped whole.
    Allow {
        /// Bytes of one clipboard content, after inflation.
        max_bytes: u32,
    },
}

/// The rules of one session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Drops every message of the viewer that can change anything at the target.
    pub view_only: bool,
    /// Stops input without ending the session; the picture goes on.
    pub frozen: bool,
    /// Viewer to target.
    pub clipboard_to_target: ClipboardRule,
    /// Target to viewer.
    pub clipboard_to_viewer: ClipboardRule,
    /// File transfer messages of TightVNC and UltraVNC.
    pub files: bool,
    /// Shutdown, reboot and reset by the xvp extension.
    pub power: bool,
    /// Resize of the remote desktop by the viewer.
    pub resize: bool,
    /// Sound of QEMU's audio extension.
    pub audio: bool,
    /// Ends the session so long after its start, whatever happens.
    #[serde(with = "seconds")]
    pub max_duration: Option<Duration>,
    /// Ends the session when the viewer sent no key, pointer or clipboard for so long.
    #[serde(with = "seconds")]
    pub max_idle: Option<Duration>,
    /// Cap on bytes a second from target to viewer.
    pub max_bytes_per_second: Option<u64>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            view_only: false,
            frozen: false,
            clipboard_to_target: ClipboardRule::Allow { max_bytes: 1 << 20 },
            clipboard_to_viewer: ClipboardRule::Allow { max_bytes: 1 << 20 },
            files: false,
            power: false,
            resize: true,
            audio: true,
            max_duration: None,
            max_idle: None,
            max_bytes_per_second: None,
        }
    }
}

impl Policy {
    /// Whether keys, pointer and everything else that changes the target may pass now.
    pub fn allows_input(&self) -> bool {
        !self.view_only && !self.frozen
    }
}

/// Durations as whole seconds in configuration and API. What is longer than a century is one: clocks cannot be moved
/// by any number.
mod seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    const CENTURY: u64 = 100 * 365 * 24 * 60 * 60;

    pub(super) fn serialize<S: Serializer>(value: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        value.map(|d| d.as_secs()).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(|seconds| Duration::from_secs(seconds.min(CENTURY))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_duration_moves_a_clock_beyond_its_end() {
        let policy: Policy =
            serde_json::from_str(&format!(r#"{{"max_duration":{},"max_idle":60}}"#, u64::MAX)).unwrap();
        assert_eq!(policy.max_idle, Some(Duration::from_secs(60)));
        let longest = policy.max_duration.unwrap();
        assert!(std::time::Instant::now().checked_add(longest).is_some());
        assert!(std::time::SystemTime::now().checked_add(longest).is_some());
    }
}
