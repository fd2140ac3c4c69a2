//! What the relay itself wants to know of a session's events, and who else is told.

use crate::port::Tap;
use model::Event;
use model::event::{Origin, Sink};

/// Where the observer's events go.
pub(crate) struct Watch {
    tap: Option<Box<dyn Tap>>,
    /// The person did something since this was looked at last.
    pub(crate) input: bool,
    /// The screen's newest size.
    pub(crate) size: Option<(u16, u16)>,
}

impl Watch {
    pub(crate) fn new(tap: Option<Box<dyn Tap>>) -> Self {
        Watch { tap, input: false, size: None }
    }
}

impl Sink for Watch {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Key { .. } | Event::Pointer { .. } | Event::Dropped { from: Origin::Viewer, .. } => {
                self.input = true;
            }
            Event::Clipboard(clipboard) => self.input |= clipboard.from == Origin::Viewer,
            Event::Resize { width, height } => self.size = Some((width, height)),
            _ => {}
        }
        if let Some(tap) = &mut self.tap {
            tap.event(event);
        }
    }
}
