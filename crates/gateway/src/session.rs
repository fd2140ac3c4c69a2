//! A session from its spec to its last byte: seat, target, greeting, journal, relay, farewell.
//!
//! The target is dialed while the viewer is greeted. The viewer's password is never the target's: a
//! browser is known already and is offered type None, a native viewer was judged before it came here and
//! waits for its SecurityResult. When the target refuses, the viewer is told so by RFB itself and by the
//! WebSocket's close code.

mod entrance;
mod farewell;
mod greeting;

use crate::Gateway;
use crate::dial::{self, Dialed, Purpose, TargetStream};
use crate::native::Waiting;
use crate::port::{Changed, Endpoint, Seen, SessionChange, SessionEnd, SessionSpec, SessionStart};
use crate::registry::{Entry, Resumption, Seat, SeatError, Stage};
use crate::relay::{End, Notices, Relay, ViewerSide};
use crate::transport::Transport;
use entrance::Entrance;
use farewell::Farewell;
use futures_util::future::BoxFuture;
use greeting::Greeting;
use model::session::{Counters, EndReason};
use model::{Coded, SessionId};
use rfb::ServerInit;
use rfb::server::server_init_bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A connection that was promised a session gets so long to have it from an earlier connection.
const HANDOVER: Duration = Duration::from_secs(2);
/// Characters of a desktop's name that are kept.
const NAME_CHARS: usize = 200;

/// How a connection ended, for whoever attached it.
#[derive(Clone, Debug)]
pub struct SessionEndSummary {
    /// Which session.
    pub session: SessionId,
    /// Why. `Replaced` also when the session goes on with another connection.
    pub reason: EndReason,
    /// A more exact stable code.
    pub detail: Option<&'static str>,
    /// Moved by all connections of the session so far.
    pub counters: Counters,
    /// Since the session was opened.
    pub duration: Duration,
}

/// A viewer at the door.
enum Guest {
    WebSocket(Box<Greeting>),
    Native(Box<Entrance>),
}

impl Gateway {
    /// Gives a WebSocket whose upgrade was answered its session; returns when the connection is over.
    /// `leftover` is what came behind the request already.
    pub async fn attach_websocket(
        self: &Arc<Self>,
        io: Transport,
        leftover: Vec<u8>,
        spec: SessionSpec,
    ) -> SessionEndSummary {
        let guest = Guest::WebSocket(Box::new(Greeting::new(io, leftover)));
        self.attach(guest, spec).await
    }

    /// Gives a native viewer its SecurityResult and its session; returns when the connection is over.
    /// Other viewers of the target always stay: a person's console must not throw out another's, so an
    /// exclusive wish is not passed on.
    pub async fn attach_native(self: &Arc<Self>, waiting: Waiting, spec: SessionSpec) -> SessionEndSummary {
        self.attach(Guest::Native(Box::new(Entrance::new(waiting))), spec).await
    }

    async fn attach(self: &Arc<Self>, mut guest: Guest, spec: SessionSpec) -> SessionEndSummary {
        let seated = match self.take_seat(&spec).await {
            Ok(seated) => seated,
            Err(end) => {
                Box::pin(guest.turn_away(&end.into(), self.limits.linger)).await;
                return nothing_moved(&spec, end);
            }
        };
        // Dialing and greeting need a lot of memory for a short time: not in the session's own future.
        let end = match Box::pin(self.open(guest, &seated, &spec)).await {
            Ok(relay) => self.run(relay, &seated, &spec).await,
            Err(end) => end,
        };
        seated.summary(end)
    }

    async fn take_seat(self: &Arc<Self>, spec: &SessionSpec) -> Result<Seated, End> {
        let full = End { close_code: Some(1013), ..End::with(EndReason::Killed, "door.full") };
        let seat = match self.registry.enter(spec) {
            Err(SeatError::Full) => return Err(full),
            Err(SeatError::Taken) => return Err(End::new(EndReason::Replaced)),
            Ok(seat) => seat,
        };
        let (entry, claimed) = match seat {
            Seat::New(entry) => (entry, false),
            Seat::Resume(entry) => (entry, true),
        };
        let mut seated =
            Seated { gateway: self.clone(), entry, id: spec.session, generation: 0, claimed, over: false };
        if claimed {
            let taken = tokio::time::timeout(HANDOVER, seated.entry.take_over(spec)).await;
            seated.generation = match taken {
                Ok(Ok(generation)) => generation,
                Ok(Err(reason)) => return Err(End::new(reason)),
                Err(_) => return Err(End::new(EndReason::Replaced)),
            };
            seated.claimed = false;
        }
        if self.is_draining() {
            // After the registry was told to drain, so nobody else ends this one.
            seated.entry.kill(EndReason::Draining);
        }
        Ok(seated)
    }

    /// Brings viewer and target together, or tells the viewer why not.
    async fn open(
        &self,
        mut guest: Guest,
        seated: &Seated,
        spec: &SessionSpec,
    ) -> Result<Relay<TargetStream>, End> {
        let met = tokio::select! {
            biased;
            reason = seated.entry.ended() => Err(End::new(reason).into()),
            met = self.meet(&mut guest, seated, spec) => met,
        };
        match met {
            Ok((dialed, start)) => Ok(self.relay(guest, dialed, &start, seated)),
            Err(farewell) => {
                let end = farewell.end;
                tracing::info!(session = %spec.session, code = end.code(), "A session could not be opened");
                if end.reason == EndReason::TargetRefused && spec.resume.is_none() {
                    self.ports.journal.not_begun(spec.session).await;
                }
                let farewell = guest.turn_away(&farewell, self.limits.linger);
                if !seated.retries(&end, spec) {
                    tokio::join!(farewell, self.finish(seated, spec, end));
                    return Err(end);
                }
                // The same key may try again, as after a lost viewer.
                seated.entry.vacate();
                let back = self.await_return(seated, spec, end, self.limits.resume);
                let ((), end) = tokio::join!(farewell, back);
                Err(end)
            }
        }
    }

    async fn meet(
        &self,
        guest: &mut Guest,
        seated: &Seated,
        spec: &SessionSpec,
    ) -> Result<(Dialed, SessionStart), Farewell> {
        let reach = Box::pin(self.reach(spec, &seated.entry));
        let reached = match guest {
            Guest::WebSocket(greeting) => greeting.greet_while(reach, self.limits.handshake).await?,
            Guest::Native(entrance) => entrance.wait_for(reach).await?,
        };
        let (endpoint, dialed) = reached?;
        let start = session_start(spec, &endpoint, &dialed);
        self.write_start(seated, &start).await?;
        guest.welcome(&dialed.init, self.limits.handshake).await?;
        Ok((dialed, start))
    }

    /// Looks the target up, connects and logs in.
    async fn reach(&self, spec: &SessionSpec, entry: &Entry) -> Result<(Endpoint, Dialed), Farewell> {
        let dialing = async {
            let endpoint = self.ports.endpoints.resolve(spec.target).await;
            let endpoint = endpoint.map_err(|error| Farewell::refused(error.code()))?;
            entry.set_target_name(&endpoint.name);
            let dialed = dial::dial(&endpoint, &self.dial, Purpose::Console).await.map_err(|error| {
                tracing::warn!(session = %spec.session, target = %spec.target, code = error.code(), %error,
                    "A target could not be used");
                Farewell { mismatch: error.mismatch(), ..Farewell::refused(error.code()) }
            })?;
            let seen = seen(&dialed);
            if seen.is_news_to(&endpoint.security) {
                self.ports.endpoints.remember(endpoint.id, seen).await;
            }
            Ok((endpoint, dialed))
        };
        tokio::time::timeout(self.limits.dial, dialing)
            .await
            .unwrap_or(Err(Farewell::refused("target.timeout")))
    }

    /// Recorded before it is announced: without the journal there is no session. One that the journal knows
    /// came back.
    async fn write_start(&self, seated: &Seated, start: &SessionStart) -> Result<(), End> {
        if seated.entry.is_journaled() {
            let viewer = start.spec.viewer;
            self.ports.journal.changed(&seated.change(Changed::Resumed { viewer })).await;
            return Ok(());
        }
        let written = self.ports.journal.started(start).await;
        written.map_err(|error| End::with(EndReason::TargetRefused, error.code()))?;
        seated.entry.set_journaled();
        Ok(())
    }

    fn relay(
        &self,
        guest: Guest,
        dialed: Dialed,
        start: &SessionStart,
        seated: &Seated,
    ) -> Relay<TargetStream> {
        let tap = self.ports.taps.as_ref().and_then(|taps| taps.open(start));
        let entry = seated.entry.clone();
        entry.set_stage(Stage::Live);
        let viewer = guest.into_viewer();
        let target = (dialed.stream, dialed.leftover);
        Relay::new(viewer, target, &dialed.init, entry, self.pool.clone(), &self.limits, tap)
    }

    /// Relays, then does what the end calls for.
    async fn run(&self, mut relay: Relay<TargetStream>, seated: &Seated, spec: &SessionSpec) -> End {
        let end = self.relay_and_tell(&mut relay, seated).await;
        Box::pin(self.part(relay, seated, spec, end)).await
    }

    /// Relays until the end; what changes meanwhile goes to the journal, one at a time, and the bytes do
    /// not wait for it.
    async fn relay_and_tell(&self, relay: &mut Relay<TargetStream>, seated: &Seated) -> End {
        let mut telling: Option<BoxFuture<'_, ()>> = None;
        let mut waiting = Notices::default();
        let end = poll_fn(|cx| {
            let relayed = relay.poll(cx);
            waiting.add(relay.take_notices());
            loop {
                if let Some(told) = &mut telling {
                    if told.as_mut().poll(cx).is_pending() {
                        return relayed;
                    }
                    telling = None;
                }
                let Some(what) = waiting.next(relay.policy()) else { return relayed };
                telling = Some(self.ports.journal.changed(&seated.change(what)));
            }
        })
        .await;
        if let Some(told) = telling {
            told.await;
        }
        end
    }

    /// The connection is over; is the session?
    async fn part(&self, relay: Relay<TargetStream>, seated: &Seated, spec: &SessionSpec, end: End) -> End {
        let flush = self.limits.flush;
        let linger = self.limits.linger;
        let window = self.limits.resume;
        let waits = end.resumable && spec.resume.is_some() && !self.is_draining();
        let handed_over = end.reason == EndReason::Replaced && seated.entry.hand_over();
        if !waits && !handed_over {
            let (parting, ()) = tokio::join!(relay.close(end, flush), self.finish(seated, spec, end));
            seated.leave();
            if let Some(parting) = parting {
                parting.linger(linger).await;
            }
            return end;
        }
        if waits {
            self.ports.journal.changed(&seated.change(Changed::AwaitingResume { window })).await;
            seated.entry.vacate();
        }
        let close = async {
            if let Some(parting) = relay.close(end, flush).await {
                parting.linger(linger).await;
            }
        };
        let window = if waits { window } else { HANDOVER };
        let ((), end) = tokio::join!(close, self.await_return(seated, spec, end, window));
        end
    }

    /// Waits for another connection to take the session; writes its end down if none does.
    async fn await_return(&self, seated: &Seated, spec: &SessionSpec, end: End, window: Duration) -> End {
        let end = match seated.entry.await_resume(seated.generation, window).await {
            Resumption::HandedOver => return End::new(EndReason::Replaced),
            Resumption::Ended(reason) => End::new(reason),
            Resumption::Elapsed => end,
        };
        self.finish(seated, spec, end).await;
        end
    }

    /// Writes the end down.
    async fn finish(&self, seated: &Seated, spec: &SessionSpec, end: End) {
        let counters = seated.entry.total();
        let duration = seated.duration();
        tracing::info!(session = %spec.session, code = end.code(), ?duration, "A session ended");
        if seated.entry.is_journaled() {
            let (reason, detail) = (end.reason, end.detail);
            let (session, target, at) = (spec.session, spec.target, SystemTime::now());
            let end = SessionEnd { session, target, reason, detail, counters, duration, at };
            self.ports.journal.ended(&end).await;
        }
    }
}

/// A connection's hold on its place in the registry.
struct Seated {
    gateway: Arc<Gateway>,
    entry: Arc<Entry>,
    id: SessionId,
    generation: u32,
    /// Promised, but still another connection's.
    claimed: bool,
    over: bool,
}

impl Seated {
    fn leave(&self) {
        self.gateway.registry.leave(self.id, &self.entry);
    }

    fn duration(&self) -> Duration {
        self.entry.started().elapsed().unwrap_or_default()
    }

    fn change(&self, what: Changed) -> SessionChange {
        SessionChange { session: self.id, what, counters: self.entry.total(), at: SystemTime::now() }
    }

    /// Whether the target may be reachable in a moment, and the viewer has a key to try again with.
    fn retries(&self, end: &End, spec: &SessionSpec) -> bool {
        let passing = matches!(end.detail, Some("target.unreachable" | "target.timeout"));
        (passing || end.resumable) && spec.resume.is_some() && !self.gateway.is_draining()
    }

    fn summary(mut self, end: End) -> SessionEndSummary {
        // A session that goes on with another connection is that one's to remove.
        self.over = self.entry.generation() != self.generation;
        SessionEndSummary {
            session: self.id,
            reason: end.reason,
            detail: end.detail,
            counters: self.entry.total(),
            duration: self.duration(),
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        if self.claimed {
            self.entry.withdraw();
        } else if !self.over && self.entry.generation() == self.generation {
            self.leave();
        }
    }
}

impl Guest {
    /// Says no: by RFB as far as the viewer is, then by the WebSocket.
    async fn turn_away(&mut self, farewell: &Farewell, linger: Duration) {
        match self {
            Guest::WebSocket(greeting) => greeting.turn_away(farewell, linger).await,
            Guest::Native(entrance) => entrance.turn_away(farewell, linger).await,
        }
    }

    /// Lets the viewer in, up to and with ServerInit.
    async fn welcome(&mut self, init: &ServerInit, limit: Duration) -> Result<(), End> {
        let bytes = server_init_bytes(init);
        match self {
            Guest::WebSocket(greeting) => greeting.welcome(&bytes, limit).await,
            Guest::Native(entrance) => entrance.welcome(bytes, limit).await,
        }
    }

    fn into_viewer(self) -> ViewerSide {
        match self {
            Guest::WebSocket(greeting) => greeting.into_viewer(),
            Guest::Native(entrance) => entrance.into_viewer(),
        }
    }
}

fn nothing_moved(spec: &SessionSpec, end: End) -> SessionEndSummary {
    SessionEndSummary {
        session: spec.session,
        reason: end.reason,
        detail: end.detail,
        counters: Counters::default(),
        duration: Duration::ZERO,
    }
}

pub(crate) fn seen(dialed: &Dialed) -> Seen {
    Seen { strength: dialed.result.strength, identity: dialed.identity.clone(), may_pin: dialed.first_use }
}

fn session_start(spec: &SessionSpec, endpoint: &Endpoint, dialed: &Dialed) -> SessionStart {
    let version = dialed.result.version_line;
    SessionStart {
        spec: spec.clone(),
        target_name: endpoint.name.clone(),
        server: dialed.stream.socket().peer(),
        target_version: format!("RFB {:03}.{:03}", version.major, version.minor),
        security_type: u8::try_from(dialed.result.security_type.0).unwrap_or(0),
        strength: dialed.result.strength,
        width: dialed.init.width,
        height: dialed.init.height,
        desktop_name: readable(&dialed.init.name),
        at: SystemTime::now(),
    }
}

/// The readable part of a name that a target chose.
pub(crate) fn readable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}
