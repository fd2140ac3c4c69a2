//! A VNC viewer for tests: shakes hands by `rfb::client`, decodes by `rfb::decode`, waits for pictures.
//!
//! It works on any stream, so the same test sees a target directly, through the gateway's WebSocket or
//! through a duplex pipe. TLS and RA2 records belong to the stream below it.

use crate::wait;
use anyhow::Context;
use model::Secret;
use model::secret::Keysym;
use model::target::Credentials;
use rfb::client::{ClientConfig, ClientHandshake, ClientResult};
use rfb::decode::{Event, Layout, number};
use rfb::framebuffer::{Framebuffer, Rect};
use rfb::handshake::Step;
use rfb::wire::Put;
use rfb::{Decoder, PixelFormat, SecurityType};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// Bytes read at a time.
const READ: usize = 64 * 1024;
/// Bit 31 of a fence's flags: an answer is wanted.
const FENCE_REQUEST: u32 = 1 << 31;
/// The flags that an answer repeats: block before, block after, sync next.
const FENCE_KNOWN: u32 = 7;

/// How to view.
#[derive(Clone, Debug)]
pub struct ViewerOptions {
    /// What to log in with.
    pub credentials: Credentials,
    /// Security types that it does not know.
    pub avoid: Vec<SecurityType>,
    /// SetEncodings, in order of preference.
    pub encodings: Vec<i32>,
    /// SetPixelFormat; `None` keeps the server's.
    pub pixel_format: Option<PixelFormat>,
    /// Whether other viewers of the server stay.
    pub shared: bool,
    /// Keeps every byte of the server behind ServerInit, for [`Viewer::server_bytes`].
    pub record: bool,
}

impl Default for ViewerOptions {
    fn default() -> Self {
        ViewerOptions {
            credentials: Credentials::default(),
            avoid: Vec::new(),
            encodings: lossless(number::ZRLE),
            pixel_format: None,
            shared: true,
            record: false,
        }
    }
}

impl ViewerOptions {
    /// The usual, with a password for VncAuth.
    pub fn password(password: &str) -> ViewerOptions {
        let credentials = Credentials { username: None, password: Some(Secret::new(password)) };
        ViewerOptions { credentials, ..ViewerOptions::default() }
    }

    /// Asks for these encodings.
    #[must_use]
    pub fn with_encodings(mut self, encodings: Vec<i32>) -> ViewerOptions {
        self.encodings = encodings;
        self
    }
}

/// One encoding for pixels, and what makes sessions comfortable; nothing that loses pixels.
pub fn lossless(encoding: i32) -> Vec<i32> {
    vec![
        encoding,
        number::COPY_RECT,
        number::DESKTOP_SIZE,
        number::EXTENDED_DESKTOP_SIZE,
        number::DESKTOP_NAME,
        number::LAST_RECT,
        number::CURSOR,
        number::FENCE,
    ]
}

/// A connected viewer.
#[derive(Debug)]
pub struct Viewer<S> {
    stream: S,
    decoder: Decoder,
    result: ClientResult,
    received: Vec<u8>,
    events: Vec<Event>,
    record: Option<Vec<u8>>,
    outstanding: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Viewer<S> {
    /// Shakes hands, says what it wants, and asks for the whole screen.
    pub async fn connect(stream: S, options: ViewerOptions) -> anyhow::Result<Viewer<S>> {
        let limit = wait::LIMIT;
        tokio::time::timeout(limit, Self::start(stream, options)).await.context("the handshake hangs")?
    }

    async fn start(mut stream: S, options: ViewerOptions) -> anyhow::Result<Viewer<S>> {
        let (result, received) = handshake(&mut stream, &options).await?;
        let mut decoder = Decoder::new(&result.init).map_err(misbehaved)?.with_events();
        decoder.set_encodings(&options.encodings);
        let mut viewer = Viewer {
            stream,
            decoder,
            result,
            received: Vec::new(),
            events: Vec::new(),
            record: options.record.then(Vec::new),
            outstanding: 0,
        };
        if let Some(format) = options.pixel_format {
            viewer.set_pixel_format(format).await?;
        }
        viewer.set_encodings(&options.encodings).await?;
        viewer.refresh().await?;
        viewer.take(&received).await?;
        Ok(viewer)
    }

    /// What the handshake found.
    pub fn result(&self) -> &ClientResult {
        &self.result
    }

    /// The screen as it is now.
    pub fn screen(&self) -> &Framebuffer {
        self.decoder.framebuffer()
    }

    /// The decoder, for its cursor, name and counts.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Everything that the server sent behind ServerInit, if it is recorded.
    pub fn server_bytes(&self) -> &[u8] {
        self.record.as_deref().unwrap_or_default()
    }

    /// Takes what the server said besides pixels.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The stream, to send what no viewer would.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Gives the stream back, with what was received and not decoded.
    pub fn into_stream(self) -> (S, Vec<u8>) {
        (self.stream, self.received)
    }

    /// Reads and decodes until the screen is as wanted. Asks for changes all the while.
    pub async fn wait_for(
        &mut self,
        what: &str,
        mut is_there: impl FnMut(&Framebuffer) -> bool,
    ) -> anyhow::Result<()> {
        self.wait(what, |viewer| is_there(viewer.screen()).then_some(())).await
    }

    /// Reads until an event for which `pick` has an answer; takes that event and all before it.
    pub async fn wait_for_event<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.wait(what, |viewer| {
            let found = viewer.events.iter().enumerate().find_map(|(n, event)| Some((n, pick(event)?)));
            found.map(|(n, answer)| {
                viewer.events.drain(..=n);
                answer
            })
        })
        .await
    }

    /// Reads until `count` more updates are complete.
    pub async fn wait_for_updates(&mut self, count: u64) -> anyhow::Result<()> {
        let wanted = self.decoder.updates() + count;
        self.wait("updates", |viewer| (viewer.decoder.updates() >= wanted).then_some(())).await
    }

    async fn wait<T>(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&mut Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + wait::LIMIT;
        loop {
            if let Some(answer) = condition(self) {
                return Ok(answer);
            }
            let left = end.saturating_duration_since(Instant::now());
            let more = tokio::time::timeout(left, self.receive()).await;
            more.with_context(|| format!("waited {:?} in vain for {what}", wait::LIMIT))?
                .with_context(|| format!("while waiting for {what}"))?;
        }
    }

    /// Reads once and decodes; answers fences, and asks for changes once an update is complete.
    /// Cancelling it loses nothing but a request for changes.
    pub async fn receive(&mut self) -> anyhow::Result<()> {
        let mut buffer = vec![0; READ];
        let count = self.stream.read(&mut buffer).await?;
        anyhow::ensure!(count > 0, "the server closed the connection");
        let bytes = buffer.get(..count).unwrap_or_default();
        self.take(bytes).await
    }

    /// Reads for a while, until nothing more comes for `quiet`.
    pub async fn settle(&mut self, quiet: Duration) -> anyhow::Result<()> {
        while let Ok(more) = tokio::time::timeout(quiet, self.receive()).await {
            more?;
        }
        Ok(())
    }

    async fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if let Some(record) = &mut self.record {
            record.extend_from_slice(bytes);
        }
        self.received.extend_from_slice(bytes);
        loop {
            let taken = self.decoder.handle_server_bytes(&self.received).map_err(misbehaved)?;
            self.received.drain(..taken);
            let events = self.decoder.take_events();
            if taken == 0 && events.is_empty() {
                return Ok(());
            }
            for event in events {
                self.answer(&event).await?;
                self.events.push(event);
            }
        }
    }

    async fn answer(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Fence { flags, payload } if flags & FENCE_REQUEST != 0 => {
                let mut message = vec![248, 0, 0, 0];
                message.put_u32(flags & FENCE_KNOWN);
                message.put_u8(u8::try_from(payload.len())?);
                message.put(payload);
                self.send(&message).await
            }
            Event::Updated => {
                self.outstanding = self.outstanding.saturating_sub(1);
                if self.outstanding == 0 { self.request(true, self.screen().bounds()).await } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Asks for the whole screen.
    pub async fn refresh(&mut self) -> anyhow::Result<()> {
        self.request(false, self.screen().bounds()).await
    }

    /// [7.5.3] FramebufferUpdateRequest.
    pub async fn request(&mut self, incremental: bool, rect: Rect) -> anyhow::Result<()> {
        self.outstanding += 1;
        let mut message = vec![3, incremental.into()];
        for field in [rect.x, rect.y, rect.width, rect.height] {
            message.put_u16(field);
        }
        self.send(&message).await
    }

    /// [7.5.1] SetPixelFormat. Only while no update is asked for: the switch is not visible on the wire.
    pub async fn set_pixel_format(&mut self, format: PixelFormat) -> anyhow::Result<()> {
        anyhow::ensure!(self.outstanding == 0, "an update is outstanding");
        let mut message = vec![0; 4];
        format.write(&mut message);
        self.decoder.set_pixel_format(format);
        self.send(&message).await
    }

    /// [7.5.2] SetEncodings.
    pub async fn set_encodings(&mut self, encodings: &[i32]) -> anyhow::Result<()> {
        let mut message = vec![2, 0];
        message.put_u16(u16::try_from(encodings.len())?);
        for &encoding in encodings {
            message.put_i32(encoding);
        }
        self.decoder.set_encodings(encodings);
        self.send(&message).await
    }

    /// [7.5.4] KeyEvent.
    pub async fn key(&mut self, key: Keysym, down: bool) -> anyhow::Result<()> {
        let mut message = vec![4, down.into(), 0, 0];
        message.put_u32(key.0);
        self.send(&message).await
    }

    /// Presses and releases one key after the other; Latin-1 characters are their own key symbols.
    pub async fn type_text(&mut self, text: &str) -> anyhow::Result<()> {
        for character in text.chars() {
            let key = if character == '\n' { Keysym(0xff0d) } else { Keysym(character.into()) };
            self.key(key, true).await?;
            self.key(key, false).await?;
        }
        Ok(())
    }

    /// [7.5.5] PointerEvent; bit 0 of `buttons` is the left one.
    pub async fn pointer(&mut self, x: u16, y: u16, buttons: u8) -> anyhow::Result<()> {
        let mut message = vec![5, buttons];
        message.put_u16(x);
        message.put_u16(y);
        self.send(&message).await
    }

    /// [7.5.6] ClientCutText, Latin-1.
    pub async fn cut_text(&mut self, text: &[u8]) -> anyhow::Result<()> {
        let mut message = vec![6, 0, 0, 0];
        message.put_u32(u32::try_from(text.len())?);
        message.put(text);
        self.send(&message).await
    }

    /// SetDesktopSize with one monitor; returns what the server answers.
    pub async fn set_desktop_size(&mut self, width: u16, height: u16) -> anyhow::Result<Layout> {
        let mut message = vec![251, 0];
        message.put_u16(width);
        message.put_u16(height);
        message.put(&[1, 0]);
        message.put_u32(0);
        for field in [0, 0, width, height] {
            message.put_u16(field);
        }
        message.put_u32(0);
        self.send(&message).await?;
        self.wait_for_event("an answer to SetDesktopSize", |event| match event {
            Event::Resized(layout) if layout.reason == 1 => Some(layout.clone()),
            _ => None,
        })
        .await
    }
}

async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    options: &ViewerOptions,
) -> anyhow::Result<(ClientResult, Vec<u8>)> {
    let (shared, avoid) = (options.shared, options.avoid.clone());
    let config = ClientConfig { shared, avoid, host_is_local: true, ..ClientConfig::default() };
    // The seed only decides key pairs and padding; a fixed one makes tests repeatable.
    let mut machine = ClientHandshake::new(config.with_credentials(&options.credentials), [7; 32]);
    let mut received = Vec::new();
    loop {
        match machine.poll_step()? {
            Step::Send(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            Step::NeedBytes => {
                if stream.read_buf(&mut received).await? == 0 {
                    return Err(machine.handle_end().into());
                }
                let taken = machine.handle_bytes(&received)?;
                received.drain(..taken);
            }
            Step::NeedSecret(_) => machine.handle_secret(options.credentials.clone())?,
            Step::NeedIdentity(_) => machine.handle_identity(true)?,
            Step::Compute(job) => machine.handle_computed(job.run())?,
            Step::Done => break,
            other => anyhow::bail!("the test viewer has no way to {other:?}"),
        }
    }
    Ok((machine.into_result().context("no result")?, received))
}

fn misbehaved(misbehavior: rfb::Misbehavior) -> anyhow::Error {
    anyhow::anyhow!("the server misbehaved: {misbehavior:?}")
}
