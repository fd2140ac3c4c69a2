//! How types of the inner crates look in the OpenAPI document.
//!
//! The inner crates know nothing of documents, so their shapes are repeated here, for the document
//! alone; the tests below hold them to what is really sent.
#![expect(dead_code, reason = "read by the document's derive, never made")]

use utoipa::ToSchema;

/// How strongly a target is protected.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Strength {
    /// No login.
    Open,
    /// A login in the clear.
    Authenticated,
    /// Encrypted towards whoever answers.
    EncryptedAnonymous,
    /// Encrypted towards the one who is meant.
    EncryptedVerified,
}

/// How a target's certificate or key is judged.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum IdentityRule {
    /// By the system's authorities.
    Verify,
    /// It must be the pinned one.
    Pinned,
    /// The first one is pinned.
    FirstUse,
}

/// Who entered a target's address last.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TargetOrigin {
    /// An administrator, or the machine's command line.
    Administrator,
    /// Anybody else.
    Operator,
}

/// What kind of address a target has.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TargetKind {
    /// Host and port.
    Tcp,
    /// A socket file.
    Unix,
    /// The built-in one.
    TestCard,
}

/// What became of a session.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    /// It runs.
    Active,
    /// It ended.
    Terminated,
    /// It was ended by a rule.
    Blocked,
}

/// How far a running session is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum SessionStage {
    /// The target is being reached.
    Connecting,
    /// Both sides are connected.
    Live,
    /// The viewer is away and may come back.
    AwaitingResume,
}

/// Which way a viewer came in.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum IngressWay {
    /// A browser.
    WebSocket,
    /// A VNC viewer.
    Native,
}

/// What a ticket's console is doing.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ConsoleState {
    /// Nobody has opened it yet.
    Waiting,
    /// It runs.
    Active,
    /// It runs, and input is stopped.
    Frozen,
    /// Its viewer is away and may come back.
    AwaitingResume,
    /// It is over.
    Ended,
}

/// What a session has moved so far.
#[derive(ToSchema)]
pub(crate) struct SessionCounters {
    /// Bytes received from the viewer.
    viewer_bytes: u64,
    /// Bytes received from the target.
    target_bytes: u64,
    /// Messages from the viewer.
    viewer_messages: u64,
    /// Messages from the target.
    target_messages: u64,
    /// Rectangles from the target.
    rectangles: u64,
    /// Key presses.
    keys: u64,
    /// Pointer messages.
    pointers: u64,
    /// Clipboard contents in either direction.
    clipboards: u64,
    /// File operations in either direction.
    files: u64,
    /// Messages that a rule dropped.
    dropped: u64,
}

/// The rules of one session; what is left out is as by default.
#[derive(ToSchema)]
pub(crate) struct SessionPolicy {
    /// Drops every message of the viewer that can change anything.
    view_only: Option<bool>,
    /// Stops input without ending the session.
    frozen: Option<bool>,
    /// Viewer to target.
    clipboard_to_target: Option<ClipboardRule>,
    /// Target to viewer.
    clipboard_to_viewer: Option<ClipboardRule>,
    /// File transfer of TightVNC and UltraVNC.
    files: Option<bool>,
    /// Shutdown, reboot and reset.
    power: Option<bool>,
    /// Resize of the remote desktop by the viewer.
    resize: Option<bool>,
    /// Sound.
    audio: Option<bool>,
    /// Seconds from the start.
    max_duration: Option<u64>,
    /// Seconds without input.
    max_idle: Option<u64>,
    /// From target to viewer.
    max_bytes_per_second: Option<u64>,
}

/// Which clipboard contents may pass in one direction.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ClipboardRule {
    /// None.
    Deny,
    /// Contents of at most so many bytes.
    Allow {
        /// Bytes of one content.
        max_bytes: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use utoipa::PartialSchema;

    fn schema<T: PartialSchema>() -> Value {
        serde_json::to_value(T::schema()).unwrap()
    }

    fn words<T: PartialSchema>() -> Value {
        schema::<T>()["enum"].clone()
    }

    fn fields<T: PartialSchema>() -> BTreeSet<String> {
        schema::<T>()["properties"].as_object().unwrap().keys().cloned().collect()
    }

    fn keys(value: impl serde::Serialize) -> BTreeSet<String> {
        serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn shapes_are_those_of_what_is_sent() {
        use model::target::Strength::{Authenticated, EncryptedAnonymous, EncryptedVerified, Open};
        use store::SessionStatus::{Active, Blocked, Terminated};
        assert_eq!(words::<Strength>(), json!([Open, Authenticated, EncryptedAnonymous, EncryptedVerified]));
        assert_eq!(words::<SessionStatus>(), json!([Active, Terminated, Blocked].map(|s| s.column())));
        assert_eq!(fields::<SessionCounters>(), keys(model::session::Counters::default()));
        assert_eq!(fields::<SessionPolicy>(), keys(model::Policy::default()));
        let rule = json!(model::policy::ClipboardRule::Allow { max_bytes: 7 });
        assert_eq!(rule, json!({ "allow": { "max_bytes": 7 } }));
        assert_eq!(schema::<ClipboardRule>()["oneOf"][0]["enum"], json!(["deny"]));
        assert!(schema::<ClipboardRule>()["oneOf"][1]["properties"]["allow"].is_object());
    }
}
