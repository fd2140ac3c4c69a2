//! What the relay itself wants to know of a session's events, and who else is told.

use crate::port::Tap;
use model::Event;
use model::event::{Origin, Sink};
use rfb::Observer;

/// Where the observer's events go.
pub(crate) struct Watch {
    tap: Option<Box<dyn Tap>>,
    traces: bool,
    /// The person did something since this was looked at last.
    pub(crate) input: bool,
    /// The screen's newest size.
    pub(crate) size: Option<(u16, u16)>,
}

impl Watch {
    pub(crate) fn new(tap: Option<Box<dyn Tap>>) -> Self {
        let traces = tap.as_ref().is_some_and(|tap| tap.wants_skeleton());
        Watch { tap, traces, input: false, size: None }
    }

    /// The observer of a session begins.
    pub(crate) fn prepare(&self, observer: &mut Observer) {
        if self.traces {
            observer.keep_skeleton();
        }
    }

    /// Passes on what the skeleton has gained by these bytes.
    #[inline]
    pub(crate) fn trace(&mut self, observer: &mut Observer, from: Origin) {
        if self.traces {
            self.tell(&observer.take_skeleton(from));
        }
    }

    /// The session is over.
    pub(crate) fn end(&mut self, observer: &mut Observer) {
        if std::mem::take(&mut self.traces) {
            self.tell(&observer.finish_skeleton());
        }
    }

    fn tell(&mut self, lines: &str) {
        if let Some(tap) = self.tap.as_mut().filter(|_| !lines.is_empty()) {
            tap.skeleton(lines);
        }
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
