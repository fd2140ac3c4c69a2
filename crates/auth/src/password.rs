//! Passwords that people chose: Argon2id, a few at a time, and the same work for people who do not exist.
//!
//! A hash costs memory and processor time by intent, so strangers could use log-ins to starve the relay. Therefore
//! only a few run at once, off the reactor; a short queue waits; everybody else is told to come back. Whoever leaves
//! while waiting gives the place back, and whoever leaves while the hash runs keeps it until it is done. Those who were
//! here before have a queue of their own, which no crowd of strangers fills.
//!
//! Passwords are composed (NFC) before they are hashed: the same keys give different bytes on different systems.

use crate::random;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use model::{Coded, Secret, name};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

/// The most bytes of a password. More is no better and costs.
pub const MAX_BYTES: usize = 1024;
/// The least characters of a new password, where the configuration says nothing else.
pub const MIN_CHARS: usize = 12;
/// When to come back to a full queue, which is worked off in less.
const RETRY: Duration = Duration::from_secs(2);
/// Memory in pieces of this size the system has back as soon as it is freed. Of smaller ones glibc's allocator keeps some
/// for each thread that freed one (up to 32 MiB, M_MMAP_THRESHOLD), and a crowd of log-ins goes through many threads.
const GIVEN_BACK: usize = 40 << 20;
/// What a stored hash may ask for at most, so that a written-to database cannot exhaust the machine.
const MOST: Cost = Cost { memory_kib: 1 << 20, passes: 64, lanes: 16 };

/// What one hash costs. The default is the first choice of OWASP's cheat sheet for Argon2id with one lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes; each hash runs in one thread all the same.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Cost { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

impl Cost {
    fn of(hash: &PasswordHash) -> Option<Cost> {
        let params = Params::try_from(hash).ok()?;
        Some(Cost { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() })
    }

    fn is_within(self, most: Cost) -> bool {
        self.memory_kib <= most.memory_kib && self.passes <= most.passes && self.lanes <= most.lanes
    }
}

/// How many hashes at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crowd {
    /// So many run at once.
    pub running: usize,
    /// So many more wait.
    pub waiting: usize,
}

impl Default for Crowd {
    fn default() -> Self {
        Crowd { running: 2, waiting: 16 }
    }
}

/// The configured cost cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the cost of passwords needs 1 to 64 passes, 1 to 16 lanes, and memory of 8 KiB for each lane up to 1048576 KiB"
)]
pub struct CostError;

impl Coded for CostError {
    fn code(&self) -> &'static str {
        "password.cost"
    }
}

/// Why a password was neither right nor wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Too many are being judged.
    #[error("too many passwords are being checked; try again shortly")]
    Busy {
        /// When to come back.
        retry_after: Duration,
    },
    /// The stored hash cannot be read. It was compared with nothing, in the usual time.
    #[error("the stored password cannot be read; set it again")]
    Damaged,
}

impl Coded for PasswordError {
    fn code(&self) -> &'static str {
        match self {
            PasswordError::Busy { .. } => "password.busy",
            PasswordError::Damaged => "password.damaged",
        }
    }
}

/// What came of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is the password.
    Right {
        /// The hash was made at another cost: hash this password again and store that.
        outdated: bool,
    },
    /// It is not, or there is no such person, or they have no password.
    Wrong,
}

/// Hashes and compares passwords, a few at a time. Clones share the places.
#[derive(Clone)]
pub struct Hasher {
    cost: Cost,
    argon2: Argon2<'static>,
    /// Compared with when there is no hash.
    nobody: Arc<str>,
    /// Running and waiting together.
    places: Arc<Semaphore>,
    /// The same for [`Hasher::for_familiar`].
    familiar: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Hasher {
    /// A hasher of this cost. Makes one hash now, which takes its time.
    ///
    /// # Errors
    /// [`CostError`].
    pub fn new(cost: Cost, crowd: Crowd) -> Result<Hasher, CostError> {
        if !cost.is_within(MOST) {
            return Err(CostError);
        }
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|_| CostError)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let running = crowd.running.clamp(1, 64);
        let places = running + crowd.waiting.min(1 << 16);
        let nobody = hash(&argon2, &random::bytes::<32>()).ok_or(CostError)?;
        Ok(Hasher {
            cost,
            argon2,
            nobody: nobody.into(),
            places: Arc::new(Semaphore::new(places)),
            familiar: Arc::new(Semaphore::new(places)),
            running: Arc::new(Semaphore::new(running)),
        })
    }

    /// The same for people who were here before: they wait in a queue of their own, behind no more strangers than
    /// wait in the other.
    #[must_use]
    pub fn for_familiar(&self) -> Hasher {
        Hasher { places: Arc::clone(&self.familiar), ..self.clone() }
    }

    /// Compares a password with the stored hash of a person; `None` if there is no such person or no password.
    /// Takes the same time then.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(&self, password: &Secret, stored: Option<&str>) -> Result<Verdict, PasswordError> {
        // Nobody's password is that long, so nothing is told by answering at once.
        let Some(bytes) = prepared(password) else { return Ok(Verdict::Wrong) };
        let place = self.place().await?;
        let (hasher, stored) = (self.clone(), stored.map(str::to_owned));
        compute(place, move || hasher.compare(&bytes, stored.as_deref())).await
    }

    /// The hash to store for a password that passed [`check_new`], as a PHC string.
    ///
    /// # Errors
    /// [`PasswordError::Busy`]; [`PasswordError::Damaged`] for a password of more than [`MAX_BYTES`].
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let bytes = prepared(password).ok_or(PasswordError::Damaged)?;
        let place = self.place().await?;
        let argon2 = self.argon2.clone();
        compute(place, move || hash(&argon2, &bytes).ok_or(PasswordError::Damaged)).await
    }

    fn compare(&self, password: &[u8], stored: Option<&str>) -> Result<Verdict, PasswordError> {
        let readable = stored.and_then(|text| PasswordHash::new(text).ok()).and_then(|hash| {
            let cost = Cost::of(&hash)?;
            (hash.hash.is_some() && cost.is_within(MOST)).then_some((hash, cost))
        });
        let Some((hash, cost)) = readable else {
            let nobody = PasswordHash::new(&self.nobody).is_ok_and(|nobody| is_of(password, &nobody));
            // The dummy's password is random and thrown away: it is never right.
            debug_assert!(!nobody);
            return if stored.is_some() { Err(PasswordError::Damaged) } else { Ok(Verdict::Wrong) };
        };
        let is_right = is_of(password, &hash);
        let outdated = cost != self.cost || hash.algorithm != Algorithm::Argon2id.ident();
        Ok(if is_right { Verdict::Right { outdated } } else { Verdict::Wrong })
    }

    /// A place to run, waited for if there is one to wait in.
    async fn place(&self) -> Result<Place, PasswordError> {
        let busy = || PasswordError::Busy { retry_after: RETRY };
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        Ok(Place { _place: place, _running: running })
    }
}

/// Held until a hash is done, also when nobody waits for it any more.
struct Place {
    _place: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

async fn compute<T: Send + 'static>(
    place: Place,
    job: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, PasswordError> {
    let job = move || {
        let _place = place;
        job()
    };
    // It fails when the runtime stops; hardly anybody will read the answer.
    tokio::task::spawn_blocking(job).await.unwrap_or(Err(PasswordError::Busy { retry_after: RETRY }))
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Option<String> {
    let salt = random::bytes::<16>();
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).ok()?,
        salt: Some(Salt::new(&salt).ok()?),
        hash: Some(output(argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN)?),
    };
    Some(hash.to_string())
}

/// Whether a hash was made of this password.
fn is_of(password: &[u8], hash: &PasswordHash) -> bool {
    let again = || {
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
        let argon2 = Argon2::new(algorithm, version, Params::try_from(hash).ok()?);
        output(&argon2, password, hash.salt.as_ref()?, hash.hash.as_ref()?.len())
    };
    // Outputs are compared in constant time.
    again().is_some_and(|again| hash.hash == Some(again))
}

fn output(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], length: usize) -> Option<Output> {
    let mut memory = Memory::new(argon2.params().block_count());
    let mut buffer = Zeroizing::new([0; Output::MAX_LENGTH]);
    let out = buffer.get_mut(..length)?;
    argon2.hash_password_into_with_memory(password, salt, out, memory.0.as_mut_slice()).ok()?;
    Output::new(out).ok()
}

/// What a hash fills. It is wiped, and then the system's again.
struct Memory(Vec<Block>);

impl Memory {
    fn new(blocks: usize) -> Memory {
        // What is beyond the blocks is never touched, and so never there.
        let mut memory = Vec::with_capacity(blocks.max(GIVEN_BACK / Block::SIZE));
        memory.resize(blocks, Block::new());
        Memory(memory)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// The bytes that are hashed; `None` if there are too many.
fn prepared(password: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    if password.expose().len() > MAX_BYTES {
        return None;
    }
    // Composing never makes more than three times as many bytes; one allocation leaves no copies behind.
    let mut composed = Zeroizing::new(String::with_capacity(3 * MAX_BYTES));
    composed.extend(password.expose().nfc());
    Some(Zeroizing::new(std::mem::take(&mut *composed).into_bytes()))
}

/// Why a new password is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewPasswordError {
    /// Fewer characters than the configuration asks for.
    #[error("a password needs at least {least} characters; a few words do well")]
    TooShort {
        /// So many.
        least: usize,
    },
    /// More than [`MAX_BYTES`].
    #[error("a password has at most 1024 bytes")]
    TooLong,
    /// It is the person's own name.
    #[error("the password may not be the name; choose another")]
    IsName,
    /// It has too few different characters to be one.
    #[error("the password repeats itself; choose one with more different characters")]
    Monotonous,
}

impl Coded for NewPasswordError {
    fn code(&self) -> &'static str {
        match self {
            NewPasswordError::TooShort { .. } => "password.too_short",
            NewPasswordError::TooLong => "password.too_long",
            NewPasswordError::IsName => "password.is_name",
            NewPasswordError::Monotonous => "password.monotonous",
        }
    }
}

/// Whether this may be a person's password. `names` are what they are called: for log-in and as shown.
///
/// # Errors
/// [`NewPasswordError`].
pub fn check_new(password: &Secret, names: &[&str], least: usize) -> Result<(), NewPasswordError> {
    let text = password.expose();
    if text.len() > MAX_BYTES {
        return Err(NewPasswordError::TooLong);
    }
    let mut characters: Zeroizing<Vec<char>> = Zeroizing::new(text.nfc().collect());
    if characters.len() < least {
        return Err(NewPasswordError::TooShort { least });
    }
    let folded = Secret::new(name::key(text));
    if names.iter().any(|n| name::key(n) == folded.expose()) {
        return Err(NewPasswordError::IsName);
    }
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < 5 { Err(NewPasswordError::Monotonous) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    fn hasher(cost: Cost) -> Hasher {
        Hasher::new(cost, Crowd::default()).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[tokio::test]
    async fn golden() {
        // `echo -n 'correct horse' | argon2 saltsaltsaltsalt -id -t 2 -k 19456 -p 1 -l 32 -e`, by the reference code.
        let hasher = hasher(Cost::default());
        let right = hasher.verify(&secret("correct horse"), Some(GOLDEN)).await;
        assert_eq!(right, Ok(Verdict::Right { outdated: false }));
        assert_eq!(hasher.verify(&secret("correct horsf"), Some(GOLDEN)).await, Ok(Verdict::Wrong));
    }
    const GOLDEN: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AdweBLwcflnNX2HVW8i1Mtu7frrn4Ki7h/rYSGuU7Is";

    #[tokio::test]
    async fn what_is_hashed_is_recognized_and_nothing_else() {
        let hasher = hasher(CHEAP);
        let stored = hasher.hash(&secret("Ünïcode and spaces ")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        let verify = async |text: &str| hasher.verify(&secret(text), Some(&stored)).await.unwrap();
        let right = Verdict::Right { outdated: false };
        assert_eq!(verify("Ünïcode and spaces ").await, right);
        // Another system composes its letters otherwise.
        assert_eq!(verify("U\u{308}ni\u{308}code and spaces ").await, right);
        for wrong in ["Ünïcode and spaces", "ünïcode and spaces ", "", "Ünïcode and spaces \0"] {
            assert_eq!(verify(wrong).await, Verdict::Wrong, "{wrong}");
        }
        assert_ne!(hasher.hash(&secret("same")).await.unwrap(), hasher.hash(&secret("same")).await.unwrap());
        assert!(!format!("{hasher:?}").contains('$'));
    }

    #[tokio::test]
    async fn a_new_cost_asks_for_a_new_hash() {
        let old = hasher(CHEAP).hash(&secret("hunter2")).await.unwrap();
        let new = hasher(Cost { passes: 2, ..CHEAP });
        assert_eq!(new.verify(&secret("hunter2"), Some(&old)).await, Ok(Verdict::Right { outdated: true }));
        assert_eq!(new.verify(&secret("wrong"), Some(&old)).await, Ok(Verdict::Wrong));
        let imported = old.replace("argon2id", "argon2i");
        assert_eq!(new.verify(&secret("hunter2"), Some(&imported)).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn nobody_and_damage_are_never_right() {
        let hasher = hasher(CHEAP);
        for password in ["", "x", "hunter2"] {
            assert_eq!(hasher.verify(&secret(password), None).await, Ok(Verdict::Wrong));
        }
        let good = hasher.hash(&secret("hunter2")).await.unwrap();
        let (without_output, _) = good.rsplit_once('$').unwrap();
        for damaged in [
            "",
            "hunter2",
            "$2b$12$abcdefghijklmnopqrstuv",
            without_output,
            // A hash that would take all memory is not computed.
            &good.replace("m=8", "m=4294967295"),
            &good.replace("t=1", "t=4294967295"),
            &good.replace("p=1", "p=16777215"),
        ] {
            let judged = hasher.verify(&secret("hunter2"), Some(damaged)).await;
            assert_eq!(judged, Err(PasswordError::Damaged), "{damaged}");
        }
    }

    #[tokio::test]
    async fn a_novel_is_no_password() {
        let hasher = hasher(CHEAP);
        let longest = "é".repeat(MAX_BYTES / 2);
        let stored = hasher.hash(&secret(&longest)).await.unwrap();
        assert!(matches!(hasher.verify(&secret(&longest), Some(&stored)).await, Ok(Verdict::Right { .. })));
        let longer = secret(&"a".repeat(MAX_BYTES + 1));
        assert_eq!(hasher.verify(&longer, Some(&stored)).await, Ok(Verdict::Wrong));
        assert!(hasher.hash(&longer).await.is_err());
        // What grows most when it is composed still fits into the buffer that is wiped.
        assert!(prepared(&secret(&"\u{1D160}".repeat(MAX_BYTES / 4))).unwrap().len() <= 3 * MAX_BYTES);
    }

    #[tokio::test]
    async fn a_few_run_a_few_wait_and_the_rest_come_back() {
        let hasher = Hasher::new(CHEAP, Crowd { running: 2, waiting: 3 }).unwrap();
        let mut held = vec![hasher.place().await.unwrap(), hasher.place().await.unwrap()];
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(hasher.place())).collect();
        for place in &mut waiting {
            assert!(futures_poll(place).await.is_none());
        }
        let password = secret("x");
        let busy = hasher.verify(&password, None).await.unwrap_err();
        assert_eq!(busy, PasswordError::Busy { retry_after: RETRY });
        assert_eq!(busy.code(), "password.busy");
        // Who gives up waiting makes room.
        waiting.pop();
        let mut next = Box::pin(hasher.verify(&password, None));
        assert!(futures_poll(&mut next).await.is_none());
        // Who is done lets the first in the queue run.
        held.pop();
        held.push(waiting.remove(0).await.unwrap());
        assert!(futures_poll(&mut waiting[0]).await.is_none());
        drop((held, waiting));
        assert_eq!(next.await, Ok(Verdict::Wrong));
        assert_eq!((hasher.places.available_permits(), hasher.running.available_permits()), (5, 2));
    }

    #[tokio::test]
    async fn a_crowd_of_strangers_leaves_room_for_who_was_here_before() {
        let hasher = Hasher::new(CHEAP, Crowd { running: 1, waiting: 2 }).unwrap();
        let familiar = hasher.for_familiar();
        let running = hasher.place().await.unwrap();
        let mut crowd: Vec<_> = (0..2).map(|_| Box::pin(hasher.place())).collect();
        for place in &mut crowd {
            assert!(futures_poll(place).await.is_none());
        }
        let password = secret("x");
        assert!(hasher.verify(&password, None).await.is_err());
        let mut known = Box::pin(familiar.verify(&password, None));
        assert!(futures_poll(&mut known).await.is_none());
        // Each in turn; nobody is passed over either.
        drop(running);
        for place in crowd {
            drop(place.await.unwrap());
        }
        assert_eq!(known.await, Ok(Verdict::Wrong));
        // It is a short queue all the same.
        let _held = [familiar.place().await.unwrap()];
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(familiar.place())).collect();
        for place in &mut waiting {
            assert!(futures_poll(place).await.is_none());
        }
        assert!(familiar.verify(&password, None).await.is_err());
    }

    #[tokio::test]
    async fn who_leaves_during_the_hash_keeps_the_place_until_it_is_done() {
        let hasher = Hasher::new(CHEAP, Crowd { running: 1, waiting: 0 }).unwrap();
        let (started, has_started) = std::sync::mpsc::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let place = hasher.place().await.unwrap();
        let job = compute(place, move || {
            started.send(()).unwrap();
            may_go_on.recv().unwrap();
            Ok(())
        });
        let task = tokio::spawn(job);
        tokio::task::spawn_blocking(move || has_started.recv()).await.unwrap().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(matches!(hasher.verify(&secret("x"), None).await, Err(PasswordError::Busy { .. })));
        go_on.send(()).unwrap();
        let _free = hasher.running.acquire().await.unwrap();
    }

    /// What a future answers when it is asked once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }

    #[test]
    fn costs_have_bounds() {
        for bad in [
            Cost { memory_kib: 7, ..CHEAP },
            Cost { passes: 0, ..CHEAP },
            Cost { lanes: 0, ..CHEAP },
            Cost { lanes: 2, ..CHEAP },
            Cost { memory_kib: u32::MAX, ..CHEAP },
            Cost { passes: 65, ..CHEAP },
        ] {
            assert_eq!(Hasher::new(bad, Crowd::default()).unwrap_err(), CostError, "{bad:?}");
        }
    }

    #[test]
    fn new_passwords_have_rules() {
        let check = |text: &str| check_new(&secret(text), &["Ana María", "ana.maria.lopez"], MIN_CHARS);
        assert_eq!(check("correct horse battery"), Ok(()));
        assert_eq!(check("كلمة سر طويلة جدا"), Ok(()));
        assert_eq!(check("elevenchars"), Err(NewPasswordError::TooShort { least: 12 }));
        // Twelve characters, not twelve bytes, however they are composed.
        assert_eq!(check(&"é".repeat(6)), Err(NewPasswordError::TooShort { least: 12 }));
        assert_eq!(check(&"e\u{301}".repeat(6)), Err(NewPasswordError::TooShort { least: 12 }));
        assert_eq!(check(&"correct horse ".repeat(80)), Err(NewPasswordError::TooLong));
        assert_eq!(check("Ana.Maria.LOPEZ"), Err(NewPasswordError::IsName));
        assert_eq!(check("abababababababab"), Err(NewPasswordError::Monotonous));
        assert_eq!(check_new(&secret("short but ok"), &[], 4), Ok(()));
    }
}
