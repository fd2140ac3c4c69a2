//! What happens in a session, in words that no protocol owns.
//!
//! Events are borrowed: they live as long as the call that reports them. Whoever wants to keep one
//! takes what it may keep. A key's symbol may not be kept, see [`Keysym`].

use crate::secret::Keysym;

/// The two ends of a session, as seen from the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// The person's program.
    Viewer,
    /// The server with the screen.
    Target,
}

impl Origin {
    /// The other end.
    pub fn other(self) -> Origin {
        match self {
            Origin::Viewer => Origin::Target,
            Origin::Target => Origin::Viewer,
        }
    }
}

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A key went down or up.
    Key {
        /// Down or up.
        down: bool,
        /// Which; redacted in `Debug`.
        keysym: Keysym,
    },
    /// The pointer moved, or a button changed.
    Pointer {
        /// Pixels from the left.
        x: u16,
        /// Pixels from the top.
        y: u16,
        /// Bit n is button n + 1.
        buttons: u16,
    },
    /// Something about a clipboard.
    Clipboard(Clipboard<'a>),
    /// A file operation was asked for or is under way.
    File(File<'a>),
    /// The screen has a new size.
    Resize {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// The viewer asked for a new size.
    ResizeRequest {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// The target rang.
    Bell,
    /// The desktop's name, as bytes: it need not be UTF-8 and must be shown as text only.
    DesktopName(&'a [u8]),
    /// The viewer announced what it can decode; in its order.
    Encodings {
        /// As sent.
        offered: &'a [i32],
        /// As passed on.
        kept: &'a [i32],
    },
    /// The viewer asked for a picture.
    UpdateRequest {
        /// Only what changed.
        incremental: bool,
    },
    /// The viewer switched continuous updates.
    ContinuousUpdates {
        /// On or off.
        on: bool,
    },
    /// A rectangle's header was read.
    Rectangle {
        /// Its encoding number.
        encoding: i32,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// An update ended.
    UpdateEnd {
        /// Rectangles in it.
        rectangles: u32,
        /// Bytes of it, headers included.
        bytes: u64,
    },
    /// The viewer asked for a power action.
    Power(PowerAction),
    /// Text chat of UltraVNC.
    Chat {
        /// Who wrote.
        from: Origin,
        /// Bytes of text.
        bytes: u32,
    },
    /// A whole message was framed.
    Message {
        /// Who sent it.
        from: Origin,
        /// The protocol's number for it.
        kind: u8,
    },
    /// Policy dropped a message.
    Dropped {
        /// Who sent it.
        from: Origin,
        /// The protocol's number for it.
        kind: u8,
    },
    /// A peer broke the protocol.
    Fault {
        /// Who.
        from: Origin,
        /// The misbehavior's stable code.
        code: &'static str,
    },
}

/// Something about a clipboard.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Clipboard<'a> {
    /// Whose contents.
    pub from: Origin,
    /// What was done.
    pub action: ClipboardAction,
    /// Formats concerned, as the extended clipboard's bits (text is 1, RTF 2, HTML 4, DIB 8, files 16).
    pub formats: u16,
    /// Bytes of content (inflated where compressed), 0 where the action carries none.
    pub bytes: u32,
    /// The content where the observer held it, for detections that look at text; empty otherwise.
    pub content: &'a [u8],
}

/// What was done with a clipboard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClipboardAction {
    /// Abilities were announced.
    Capabilities,
    /// New contents exist.
    Notify,
    /// Contents were asked for.
    Request,
    /// The other side was asked to say what it has.
    Peek,
    /// Contents were sent.
    Content,
}

/// A file operation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct File<'a> {
    /// Who sent the message.
    pub from: Origin,
    /// What is done.
    pub operation: FileOperation,
    /// Name as sent, may be empty; not UTF-8 for sure.
    pub name: &'a [u8],
    /// Bytes of file content in this message, or the announced size.
    pub bytes: u64,
}

/// What is done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileOperation {
    /// A directory is listed.
    List,
    /// Target to viewer.
    Download,
    /// Viewer to target.
    Upload,
    /// Content of a file under way.
    Data,
    /// Deleted, renamed, created.
    Change,
    /// Ended, failed or called off.
    End,
}

/// A power action of the xvp extension.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PowerAction {
    /// Ordered shutdown.
    Shutdown,
    /// Ordered reboot.
    Reboot,
    /// Hard reset.
    Reset,
}

/// Where events go.
pub trait Sink {
    /// Called in wire order, for each direction.
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Sink for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}
