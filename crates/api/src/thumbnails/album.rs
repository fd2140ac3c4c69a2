//! The pictures themselves: which are kept, which are old enough to be taken anew, and which targets are left alone.
//!
//! Pure: time comes in, decisions come out; the shell around it connects to targets.
//!
//! INVARIANT: between two beginnings at one target lies at least [`Rules::interval`], and after a failure more.
//! INVARIANT: pictures are bounded in bytes, entries in number; nothing is on disk.

use gateway::snapshot::Picture;
use model::TargetId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often, how long and how much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// From the beginning of one picture to the next one's.
    pub interval: Duration,
    /// A picture that nobody asked for in this time is forgotten.
    pub kept: Duration,
    /// Doubles with every failure in a row, up to [`Rules::longest`].
    pub first_wait: Duration,
    /// After failures, and at once where trying again would fail until somebody changes something.
    pub longest: Duration,
    /// Targets of which something is known.
    pub targets: usize,
    /// Bytes of all pictures.
    pub bytes: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            interval: Duration::from_secs(30),
            kept: Duration::from_secs(600),
            first_wait: Duration::from_secs(60),
            longest: Duration::from_secs(1800),
            targets: 1024,
            bytes: 32 << 20,
        }
    }
}

/// A session that the target ends within this time of a picture was ended by the picture: the server lets in one
/// viewer alone.
const DISTURBED: Duration = Duration::from_secs(1);
/// While a picture is being taken: when to ask for it again.
const SOON: Duration = Duration::from_secs(2);

/// What somebody who asks for a picture gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The last picture, and how old it is.
    pub(crate) picture: Option<(Arc<Picture>, Duration)>,
    /// Whether whoever asked is to take a new one now.
    pub(crate) take: bool,
    /// When it is worth to ask again.
    pub(crate) again: Duration,
}

/// What became of a picture that was to be taken.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Here it is.
    Taken(Picture),
    /// Trying again may help.
    Failed,
    /// Trying again fails until somebody changes something.
    FailedForLong,
    /// It was not even tried.
    Dropped,
}

/// All pictures.
#[derive(Debug, Default)]
pub(crate) struct Album {
    pages: HashMap<TargetId, Page>,
}

/// What is known of one target.
#[derive(Debug)]
struct Page {
    /// The entry as it was; with another one, nothing here counts.
    version: u64,
    asked: Instant,
    /// Not before then.
    next: Instant,
    taking: bool,
    failures: u32,
    picture: Option<(Arc<Picture>, Instant)>,
    /// When the last picture was begun, and when it was done.
    begun: Option<Instant>,
    done: Option<Instant>,
    /// The target ended somebody's session meanwhile.
    disturbed: bool,
}

impl Page {
    fn new(version: u64, now: Instant) -> Page {
        Page {
            version,
            asked: now,
            next: now,
            taking: false,
            failures: 0,
            picture: None,
            begun: None,
            done: None,
            disturbed: false,
        }
    }
}

impl Album {
    /// Somebody who may see it asks for a target's picture, whose entry has this version.
    pub(crate) fn handle_ask(
        &mut self,
        rules: &Rules,
        target: TargetId,
        version: u64,
        now: Instant,
    ) -> Asked {
        if self.pages.len() >= rules.targets && !self.pages.contains_key(&target) {
            self.handle_time(rules, now);
            if self.pages.len() >= rules.targets {
                return Asked { picture: None, take: false, again: rules.interval };
            }
        }
        let page = self.pages.entry(target).or_insert_with(|| Page::new(version, now));
        if page.version != version {
            // A change of the entry ends waiting, but two pictures still have their distance.
            let earliest = page.begun.map_or(now, |begun| begun + rules.interval);
            *page = Page { next: earliest.max(now), begun: page.begun, ..Page::new(version, now) };
        }
        page.asked = now;
        let take = !page.taking && now >= page.next;
        if take {
            page.taking = true;
            page.begun = Some(now);
            page.done = None;
            page.disturbed = false;
            page.next = now + rules.interval;
        }
        let picture = page.picture.as_ref();
        Asked {
            picture: picture.map(|(picture, at)| (Arc::clone(picture), now.saturating_duration_since(*at))),
            take,
            again: if page.taking { SOON } else { page.next.saturating_duration_since(now).max(SOON) },
        }
    }

    /// The turn of a picture has come. Answers whether it is still wanted: somebody asked lately, and the entry is
    /// the same.
    pub(crate) fn handle_turn(
        &mut self,
        rules: &Rules,
        target: TargetId,
        version: u64,
        now: Instant,
    ) -> bool {
        let Some(page) = self.pages.get_mut(&target).filter(|page| page.version == version && page.taking)
        else {
            return false;
        };
        if now.saturating_duration_since(page.asked) > rules.interval * 2 {
            return false;
        }
        page.begun = Some(now);
        page.next = now + rules.interval;
        true
    }

    /// What became of a picture. Answers whether taking it ended somebody's session.
    pub(crate) fn handle_outcome(
        &mut self,
        rules: &Rules,
        target: TargetId,
        version: u64,
        outcome: Outcome,
        now: Instant,
    ) -> bool {
        let Some(page) = self.pages.get_mut(&target).filter(|page| page.version == version && page.taking)
        else {
            return false;
        };
        page.taking = false;
        page.done = Some(now);
        let wait = match outcome {
            Outcome::Taken(picture) => {
                page.failures = 0;
                page.picture = Some((Arc::new(picture), now));
                let disturbed = page.disturbed;
                self.shed(rules);
                return disturbed;
            }
            Outcome::Dropped => return false,
            Outcome::FailedForLong => rules.longest,
            Outcome::Failed => {
                let doubled = 2u32.saturating_pow(page.failures);
                page.failures = page.failures.saturating_add(1);
                rules.first_wait.saturating_mul(doubled).min(rules.longest)
            }
        };
        page.done = None;
        page.next = page.next.max(now + wait);
        false
    }

    /// The target ended a session. Answers whether a picture was the reason.
    pub(crate) fn handle_session_end(&mut self, target: TargetId, now: Instant) -> bool {
        let Some(page) = self.pages.get_mut(&target) else { return false };
        page.disturbed |= page.taking;
        page.done.is_some_and(|done| now.saturating_duration_since(done) <= DISTURBED)
    }

    /// The target is gone, changed, or may not be pictured any more.
    pub(crate) fn forget(&mut self, target: TargetId) {
        if let Some(page) = self.pages.get_mut(&target) {
            page.picture = None;
            // What is on its way shows a screen that may not be shown any more.
            page.taking = false;
        }
    }

    /// What nobody asked for in a while is forgotten; what is to be left alone is remembered for as long as that.
    pub(crate) fn handle_time(&mut self, rules: &Rules, now: Instant) {
        self.pages.retain(|_, page| {
            let unwatched = now.saturating_duration_since(page.asked) > rules.kept;
            if unwatched {
                page.picture = None;
            }
            !unwatched || page.taking || now < page.next
        });
    }

    /// Bytes of all pictures.
    pub(crate) fn bytes(&self) -> usize {
        self.pages.values().filter_map(|page| page.picture.as_ref()).map(|(p, _)| p.png.len()).sum()
    }

    /// Forgets the pictures that were not asked for the longest, until all fit.
    fn shed(&mut self, rules: &Rules) {
        while self.bytes() > rules.bytes {
            let with_picture = self.pages.values_mut().filter(|page| page.picture.is_some());
            let Some(oldest) = with_picture.min_by_key(|page| page.asked) else { return };
            oldest.picture = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const RULES: fn() -> Rules = Rules::default;
    const ONE: TargetId = TargetId(Uuid::from_u128(1));
    const TWO: TargetId = TargetId(Uuid::from_u128(2));

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn picture(bytes: usize) -> Picture {
        Picture { width: 1, height: 1, png: vec![0; bytes], digest: String::new() }
    }

    /// Asks, and says whether a new picture is to be taken.
    fn takes(album: &mut Album, target: TargetId, now: Instant) -> bool {
        album.handle_ask(&RULES(), target, 1, now).take
    }

    fn finish(album: &mut Album, target: TargetId, outcome: Outcome, now: Instant) -> bool {
        album.handle_outcome(&RULES(), target, 1, outcome, now)
    }

    #[test]
    fn many_watchers_get_one_picture_every_thirty_seconds() {
        let (mut album, start) = (Album::default(), Instant::now());
        let mut taken = Vec::new();
        for second in 0..100 {
            let now = start + seconds(second);
            for _watcher in 0..20 {
                if takes(&mut album, ONE, now) {
                    taken.push(second);
                    finish(&mut album, ONE, Outcome::Taken(picture(1)), now);
                }
            }
        }
        assert_eq!(taken, [0, 30, 60, 90]);
    }

    #[test]
    fn a_late_turn_moves_the_next_one() {
        let (mut album, start) = (Album::default(), Instant::now());
        assert!(takes(&mut album, ONE, start));
        assert!(album.handle_turn(&RULES(), ONE, 1, start + seconds(25)));
        finish(&mut album, ONE, Outcome::Taken(picture(1)), start + seconds(26));
        assert!(!takes(&mut album, ONE, start + seconds(54)));
        assert!(takes(&mut album, ONE, start + seconds(55)));
    }

    #[test]
    fn while_one_is_taken_no_other_begins_and_the_last_one_is_shown() {
        let (mut album, start) = (Album::default(), Instant::now());
        assert!(takes(&mut album, ONE, start));
        assert!(!takes(&mut album, ONE, start + seconds(40)), "it is being taken");
        finish(&mut album, ONE, Outcome::Taken(picture(7)), start + seconds(40));
        let asked = album.handle_ask(&RULES(), ONE, 1, start + seconds(41));
        assert_eq!(asked.picture.unwrap().1, seconds(1));
        assert!(asked.take, "the last one was begun 41 s ago");
        assert_eq!(asked.again, SOON);
        let other = album.handle_ask(&RULES(), TWO, 1, start);
        assert!(other.take && other.picture.is_none(), "targets do not wait for one another");
    }

    #[test]
    fn failures_wait_longer_each_time_and_lasting_ones_longest() {
        let (mut album, start) = (Album::default(), Instant::now());
        let mut now = start;
        for wait in [60, 120, 240, 480, 960, 1800, 1800] {
            assert!(takes(&mut album, ONE, now));
            finish(&mut album, ONE, Outcome::Failed, now);
            assert!(!takes(&mut album, ONE, now + seconds(wait - 1)));
            now += seconds(wait);
        }
        assert!(takes(&mut album, TWO, start));
        finish(&mut album, TWO, Outcome::FailedForLong, start);
        // Nobody watches for a while: that does not shorten it.
        album.handle_time(&RULES(), start + seconds(1700));
        assert!(!takes(&mut album, TWO, start + seconds(1799)));
        assert!(takes(&mut album, TWO, start + seconds(1800)));
    }

    #[test]
    fn a_changed_entry_has_no_picture_and_is_tried_anew() {
        let (mut album, start) = (Album::default(), Instant::now());
        assert!(takes(&mut album, ONE, start));
        finish(&mut album, ONE, Outcome::FailedForLong, start);
        let asked = album.handle_ask(&RULES(), ONE, 2, start + seconds(10));
        assert!(!asked.take && asked.again == seconds(20), "30 s after the last one began: {asked:?}");
        assert!(album.handle_ask(&RULES(), ONE, 2, start + seconds(30)).take);
        // What was taken of the entry before it comes too late.
        let late = album.handle_ask(&RULES(), ONE, 3, start + seconds(31));
        assert!(late.picture.is_none());
        album.handle_outcome(&RULES(), ONE, 2, Outcome::Taken(picture(1)), start + seconds(32));
        assert!(album.handle_ask(&RULES(), ONE, 3, start + seconds(33)).picture.is_none());
        // Whoever waits for a turn sees that it is not wanted any more.
        assert!(!album.handle_turn(&RULES(), ONE, 2, start + seconds(33)));
        assert!(!album.handle_turn(&RULES(), ONE, 3, start + seconds(33)), "it has no turn yet");
        assert!(album.handle_ask(&RULES(), ONE, 3, start + seconds(60)).take);
        assert!(album.handle_turn(&RULES(), ONE, 3, start + seconds(61)));
        assert!(!album.handle_turn(&RULES(), ONE, 3, start + seconds(121)), "nobody looks any more");
    }

    #[test]
    fn what_nobody_watches_is_forgotten() {
        let (mut album, start) = (Album::default(), Instant::now());
        assert!(takes(&mut album, ONE, start));
        finish(&mut album, ONE, Outcome::Taken(picture(1)), start);
        album.handle_time(&RULES(), start + seconds(600));
        assert_eq!(album.bytes(), 1);
        album.handle_time(&RULES(), start + seconds(601));
        assert_eq!((album.bytes(), album.pages.len()), (0, 0));
        // A removed or forbidden target's is forgotten at once, but the distance holds.
        assert!(takes(&mut album, ONE, start));
        finish(&mut album, ONE, Outcome::Taken(picture(1)), start);
        album.forget(ONE);
        assert_eq!(album.bytes(), 0);
        assert!(!takes(&mut album, ONE, start + seconds(29)));
        // So is one that is on its way, or waits for its turn.
        assert!(takes(&mut album, ONE, start + seconds(30)));
        album.forget(ONE);
        assert!(!album.handle_turn(&RULES(), ONE, 1, start + seconds(30)));
        finish(&mut album, ONE, Outcome::Taken(picture(1)), start + seconds(30));
        assert_eq!(album.bytes(), 0);
    }

    #[test]
    fn bytes_and_entries_are_bounded() {
        let rules = Rules { bytes: 100, targets: 10, ..Rules::default() };
        let (mut album, start) = (Album::default(), Instant::now());
        for n in 0..20u64 {
            let (target, now) = (TargetId(Uuid::from_u128(n.into())), start + seconds(n));
            let take = album.handle_ask(&rules, target, 1, now).take;
            assert_eq!(take, n < 10, "{n}");
            album.handle_outcome(&rules, target, 1, Outcome::Taken(picture(30)), now);
            assert!(album.bytes() <= 100 && album.pages.len() <= 10);
        }
        assert!(album.bytes() > 0);
        let kept = TargetId(Uuid::from_u128(9));
        assert!(album.handle_ask(&rules, kept, 1, start + seconds(20)).picture.is_some(), "the latest stays");
        // One that does not fit at all is not kept.
        let huge = Outcome::Taken(picture(101));
        assert!(album.handle_ask(&rules, kept, 1, start + seconds(60)).take);
        album.handle_outcome(&rules, kept, 1, huge, start + seconds(60));
        assert!(album.bytes() <= 100);
    }

    #[test]
    fn a_server_for_one_viewer_alone_is_found_out() {
        let (mut album, start) = (Album::default(), Instant::now());
        assert!(!album.handle_session_end(ONE, start), "nothing is known of it");
        // The session ends while the picture is taken,
        assert!(takes(&mut album, ONE, start));
        assert!(!album.handle_session_end(ONE, start));
        assert!(finish(&mut album, ONE, Outcome::Taken(picture(1)), start));
        // or is seen to have ended right after.
        assert!(album.handle_session_end(ONE, start + seconds(1)));
        assert!(!album.handle_session_end(ONE, start + seconds(2)), "that is another story");
        // A machine that goes down ends both.
        assert!(takes(&mut album, TWO, start));
        assert!(!album.handle_session_end(TWO, start));
        assert!(!finish(&mut album, TWO, Outcome::Failed, start));
        assert!(!album.handle_session_end(TWO, start));
    }
}
