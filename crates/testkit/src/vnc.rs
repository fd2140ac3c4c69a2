//! A VNC viewer for tests.
