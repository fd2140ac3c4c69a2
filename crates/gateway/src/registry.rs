//! The sessions that run, and the handles to change or end them.
//!
//! The map's lock is taken when a session opens, ends, or is asked about; never for a byte. A running
//! session looks at one atomic number per turn to learn that something was decided about it, and
//! stores its counters as plain atomics, so a list of ten thousand sessions disturbs none of them.

use crate::port::{ResumeKeyHash, SessionSpec};
use futures_util::task::AtomicWaker;
use model::session::{Counters, EndReason, Ingress};
use model::{Policy, SessionId, TargetId};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// All sessions of this process.
#[derive(Debug)]
pub struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Entry>>>,
    limit: usize,
    /// Rings when a session leaves, for those who wait until all have.
    left: Notify,
}

/// A session as it is at this moment.
#[derive(Clone, Debug)]
pub struct SessionSnapshot {
    /// Which session.
    pub session: SessionId,
    /// Its target.
    pub target: TargetId,
    /// The target's name, once it was looked up.
    pub target_name: String,
    /// Who.
    pub subject: String,
    /// From where, at present.
    pub viewer: SocketAddr,
    /// What the viewer's program calls itself.
    pub user_agent: Option<String>,
    /// Which way it came in.
    pub ingress: Ingress,
    /// Its rules now.
    pub policy: Policy,
    /// How far it is.
    pub stage: Stage,
    /// When it was opened.
    pub started: SystemTime,
    /// Moved so far, over all its connections.
    pub counters: Counters,
    /// Screen in pixels; 0 until known.
    pub width: u16,
    /// Screen in pixels; 0 until known.
    pub height: u16,
    /// Round trip to the viewer, once measured.
    pub round_trip: Option<Duration>,
}

impl SessionSnapshot {
    /// Whether a viewer is there, rather than only the hope for one that was lost.
    pub fn has_viewer(&self) -> bool {
        self.stage != Stage::AwaitingResume
    }
}

/// How far a session is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Dialing the target, greeting the viewer.
    Connecting,
    /// Relaying.
    Live,
    /// The viewer is gone, its resume key still works.
    AwaitingResume,
}

/// Why a session cannot take its seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SeatError {
    /// No room.
    Full,
    /// The id is in use and the key does not match.
    Taken,
}

/// One connection's place in the registry.
#[derive(Debug)]
pub(crate) enum Seat {
    /// A new session.
    New(Arc<Entry>),
    /// A session that has, or had, another connection: wait for it to leave.
    Resume(Arc<Entry>),
}

impl Registry {
    pub(crate) fn new(limit: usize) -> Self {
        Registry { sessions: Mutex::new(HashMap::new()), limit, left: Notify::new() }
    }

    /// Every session, oldest first.
    pub fn list(&self) -> Vec<SessionSnapshot> {
        let entries: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut list: Vec<_> = entries.iter().map(|entry| entry.snapshot()).collect();
        list.sort_by_key(|s| (s.started, s.session));
        list
    }

    /// One session.
    pub fn snapshot(&self, id: SessionId) -> Option<SessionSnapshot> {
        self.entry(id).map(|entry| entry.snapshot())
    }

    /// Sessions at present, those that await their viewer included.
    pub fn count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Ends a session; the first reason given stays. False if there is none.
    pub fn kill(&self, id: SessionId, reason: EndReason) -> bool {
        self.entry(id).map(|entry| entry.kill(reason)).is_some()
    }

    /// Ends every session that `chosen` answers true for; says how many.
    pub fn kill_where(&self, reason: EndReason, chosen: impl Fn(&SessionSnapshot) -> bool) -> usize {
        let entries: Vec<_> = lock(&self.sessions).values().cloned().collect();
        entries.iter().filter(|entry| chosen(&entry.snapshot())).map(|entry| entry.kill(reason)).count()
    }

    /// Replaces a session's rules while it runs; whether it is frozen stays, for that is decided by itself and
    /// maybe by somebody else at this moment. False if there is none.
    pub fn set_policy(&self, id: SessionId, policy: Policy) -> bool {
        let change = |p: &mut Policy| *p = Policy { frozen: p.frozen, ..policy };
        self.entry(id).map(|entry| entry.change_policy(change)).is_some()
    }

    /// Stops a session's input; the picture goes on. False if there is none.
    pub fn freeze(&self, id: SessionId) -> bool {
        self.entry(id).map(|entry| entry.change_policy(|p| p.frozen = true)).is_some()
    }

    /// Lets a session's input pass again. Input sent meanwhile is gone. False if there is none.
    pub fn thaw(&self, id: SessionId) -> bool {
        self.entry(id).map(|entry| entry.change_policy(|p| p.frozen = false)).is_some()
    }

    /// The session that a resume key belongs to, with its rules as they are now. Attaching with this
    /// spec takes the session over, from a connection that still stands as well.
    pub fn resumable(&self, key: &ResumeKeyHash) -> Option<SessionSpec> {
        let entries: Vec<_> = lock(&self.sessions).values().cloned().collect();
        entries.iter().find_map(|entry| {
            let state = lock(&entry.state);
            (state.ended.is_none() && state.spec.resume.as_ref() == Some(key)).then(|| state.spec.clone())
        })
    }

    /// Waits until no session is left.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }

    /// Takes a place for a connection. A spec whose session is known, with the same resume key, takes the
    /// place of the connection that has it.
    pub(crate) fn enter(&self, spec: &SessionSpec) -> Result<Seat, SeatError> {
        let mut sessions = lock(&self.sessions);
        if let Some(entry) = sessions.get(&spec.session) {
            return entry.supersede(spec).map(|()| Seat::Resume(entry.clone()));
        }
        if sessions.len() >= self.limit {
            return Err(SeatError::Full);
        }
        let entry = Arc::new(Entry::new(spec.clone()));
        sessions.insert(spec.session, entry.clone());
        Ok(Seat::New(entry))
    }

    pub(crate) fn leave(&self, id: SessionId, entry: &Arc<Entry>) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&id).is_some_and(|there| Arc::ptr_eq(there, entry)) {
            sessions.remove(&id);
        }
        drop(sessions);
        self.left.notify_waiters();
    }

    fn entry(&self, id: SessionId) -> Option<Arc<Entry>> {
        lock(&self.sessions).get(&id).cloned()
    }
}

/// A session's place, shared between its task and those who look at it or decide about it.
#[derive(Debug)]
pub(crate) struct Entry {
    state: Mutex<State>,
    /// Grows with every decision; the session compares it with what it has seen.
    version: AtomicU32,
    waker: AtomicWaker,
    /// Rings for those who wait for a session to be taken over or ended.
    changed: Notify,
    started: SystemTime,
    counters: AtomicCounters,
    width: AtomicU32,
    height: AtomicU32,
    round_trip_us: AtomicU64,
}

#[derive(Debug)]
struct State {
    spec: SessionSpec,
    target_name: String,
    stage: Stage,
    /// Set once, by a kill.
    ended: Option<EndReason>,
    /// A newer connection wants the session.
    superseded: bool,
    /// No connection has the session.
    vacant: bool,
    /// How many connections had the session before.
    generation: u32,
    /// Whether the journal knows it.
    journaled: bool,
    /// Counted by earlier connections.
    earlier: Counters,
}

/// How the wait for a lost viewer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resumption {
    /// Another connection has the session.
    HandedOver,
    /// Somebody ended it.
    Ended(EndReason),
    /// Nobody came.
    Elapsed,
}

/// What was decided about a session since its task looked last.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) policy: Policy,
    pub(crate) end: Option<EndReason>,
}

impl Entry {
    fn new(spec: SessionSpec) -> Self {
        Entry {
            state: Mutex::new(State {
                spec,
                target_name: String::new(),
                stage: Stage::Connecting,
                ended: None,
                superseded: false,
                vacant: false,
                generation: 0,
                journaled: false,
                earlier: Counters::default(),
            }),
            version: AtomicU32::new(0),
            waker: AtomicWaker::new(),
            changed: Notify::new(),
            started: SystemTime::now(),
            counters: AtomicCounters::default(),
            width: AtomicU32::new(0),
            height: AtomicU32::new(0),
            round_trip_us: AtomicU64::new(0),
        }
    }

    fn snapshot(&self) -> SessionSnapshot {
        let state = lock(&self.state);
        let pixels = |value: &AtomicU32| u16::try_from(value.load(Relaxed)).unwrap_or(u16::MAX);
        let round_trip = self.round_trip_us.load(Relaxed);
        SessionSnapshot {
            session: state.spec.session,
            target: state.spec.target,
            target_name: state.target_name.clone(),
            subject: state.spec.subject.clone(),
            viewer: state.spec.viewer,
            user_agent: state.spec.user_agent.clone(),
            ingress: state.spec.ingress,
            policy: state.spec.policy.clone(),
            stage: state.stage,
            started: self.started,
            counters: sum(state.earlier, self.counters.load()),
            width: pixels(&self.width),
            height: pixels(&self.height),
            round_trip: (round_trip > 0).then(|| Duration::from_micros(round_trip)),
        }
    }

    pub(crate) fn kill(&self, reason: EndReason) {
        lock(&self.state).ended.get_or_insert(reason);
        self.announce();
    }

    fn change_policy(&self, change: impl FnOnce(&mut Policy)) {
        change(&mut lock(&self.state).spec.policy);
        self.announce();
    }

    fn supersede(&self, spec: &SessionSpec) -> Result<(), SeatError> {
        let mut state = lock(&self.state);
        let same = state.spec.resume.is_some() && state.spec.resume == spec.resume;
        if !same || state.ended.is_some() || state.superseded {
            return Err(SeatError::Taken);
        }
        state.superseded = true;
        drop(state);
        self.announce();
        Ok(())
    }

    /// INVARIANT: what was decided is stored before the number grows, and the number grows before the
    /// wake; a session that registered its waker and then reads the number cannot miss a decision.
    fn announce(&self) {
        self.version.fetch_add(1, std::sync::atomic::Ordering::Release);
        self.waker.wake();
        self.changed.notify_waiters();
    }

    /// Registers the session's task to be woken by decisions.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// The number of decisions so far.
    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.version.load(std::sync::atomic::Ordering::Acquire)
    }

    /// What holds now.
    pub(crate) fn decision(&self) -> Decision {
        let state = lock(&self.state);
        let end = state.ended.or(state.superseded.then_some(EndReason::Replaced));
        Decision { policy: state.spec.policy.clone(), end }
    }

    /// Waits until the session is to end.
    pub(crate) async fn ended(&self) -> EndReason {
        std::future::poll_fn(|cx| {
            self.register(cx.waker());
            match self.decision().end {
                Some(reason) => std::task::Poll::Ready(reason),
                None => std::task::Poll::Pending,
            }
        })
        .await
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        lock(&self.state).stage = stage;
    }

    pub(crate) fn set_target_name(&self, name: &str) {
        lock(&self.state).target_name = name.to_owned();
    }

    pub(crate) fn set_size(&self, width: u16, height: u16) {
        self.width.store(width.into(), Relaxed);
        self.height.store(height.into(), Relaxed);
    }

    pub(crate) fn set_round_trip(&self, round_trip: Duration) {
        let us = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        self.round_trip_us.store(us.max(1), Relaxed);
    }

    pub(crate) fn set_counters(&self, counters: &Counters) {
        self.counters.store(counters);
    }

    /// Counted over all connections.
    pub(crate) fn total(&self) -> Counters {
        sum(lock(&self.state).earlier, self.counters.load())
    }

    pub(crate) fn started(&self) -> SystemTime {
        self.started
    }

    /// Notes that the journal knows the session; answers whether it did before.
    pub(crate) fn set_journaled(&self) -> bool {
        std::mem::replace(&mut lock(&self.state).journaled, true)
    }

    /// How many connections had the session before the present one.
    pub(crate) fn generation(&self) -> u32 {
        lock(&self.state).generation
    }

    pub(crate) fn is_journaled(&self) -> bool {
        lock(&self.state).journaled
    }

    /// Gives the session to the newer connection that wants it. False if none does.
    pub(crate) fn hand_over(&self) -> bool {
        let mut state = lock(&self.state);
        if !state.superseded || state.ended.is_some() {
            return false;
        }
        state.vacant = true;
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Leaves the session to whoever comes with its key.
    pub(crate) fn vacate(&self) {
        let mut state = lock(&self.state);
        state.stage = Stage::AwaitingResume;
        state.vacant = true;
        drop(state);
        self.changed.notify_waiters();
    }

    /// After [`Entry::vacate`]: waits until somebody has the session, it is ended, or the window is over.
    pub(crate) async fn await_resume(&self, generation: u32, window: Duration) -> Resumption {
        let deadline = tokio::time::Instant::now() + window;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let over = tokio::time::Instant::now() >= deadline;
            if let Some(outcome) = self.resumption(generation, over) {
                return outcome;
            }
            if over {
                // Somebody has claimed it and takes it over any moment.
                changed.await;
            } else {
                let _ = tokio::time::timeout_at(deadline, changed).await;
            }
        }
    }

    fn resumption(&self, generation: u32, over: bool) -> Option<Resumption> {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return Some(Resumption::HandedOver);
        }
        if let Some(reason) = state.ended {
            return Some(Resumption::Ended(reason));
        }
        if over && !state.superseded {
            state.ended = Some(EndReason::ViewerLost);
            return Some(Resumption::Elapsed);
        }
        None
    }

    /// Waits for the earlier connection to leave, then takes the session over; answers its generation,
    /// or why it was ended meanwhile.
    pub(crate) async fn take_over(&self, spec: &SessionSpec) -> Result<u32, EndReason> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(result) = self.try_take_over(spec) {
                return result;
            }
            changed.await;
        }
    }

    fn try_take_over(&self, spec: &SessionSpec) -> Option<Result<u32, EndReason>> {
        let mut state = lock(&self.state);
        if let Some(reason) = state.ended {
            return Some(Err(reason));
        }
        if !state.vacant {
            return None;
        }
        state.earlier = sum(state.earlier, self.counters.load());
        self.counters.store(&Counters::default());
        state.superseded = false;
        state.vacant = false;
        state.generation = state.generation.wrapping_add(1);
        state.stage = Stage::Connecting;
        state.spec.viewer = spec.viewer;
        state.spec.user_agent.clone_from(&spec.user_agent);
        let generation = state.generation;
        drop(state);
        self.changed.notify_waiters();
        Some(Ok(generation))
    }

    /// The connection that wanted the session is gone before it had it.
    pub(crate) fn withdraw(&self) {
        lock(&self.state).superseded = false;
        self.changed.notify_waiters();
    }
}

macro_rules! atomic_counters {
    ($($field:ident),*) => {
        #[derive(Debug, Default)]
        struct AtomicCounters { $($field: AtomicU64),* }

        impl AtomicCounters {
            fn load(&self) -> Counters {
                Counters { $($field: self.$field.load(Relaxed)),* }
            }
            fn store(&self, counters: &Counters) {
                $(self.$field.store(counters.$field, Relaxed);)*
            }
        }

        fn sum(a: Counters, b: Counters) -> Counters {
            Counters { $($field: a.$field.saturating_add(b.$field)),* }
        }
    };
}

atomic_counters!(
    viewer_bytes,
    target_bytes,
    viewer_messages,
    target_messages,
    rectangles,
    keys,
    pointers,
    clipboards,
    files,
    dropped
);

/// A poisoned lock means that a holder panicked between two plain stores; the values are still values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
