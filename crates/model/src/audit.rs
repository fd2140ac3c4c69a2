//! The audit log's words and its chain.
//!
//! Each entry carries the hash of the one before it, so that a removed, changed or moved entry breaks the chain from
//! there on. What the chain alone cannot show is that its end was cut off, or that all of it was written anew: for
//! that, heads (position and hash) are signed at times and kept elsewhere, and [`Verifier`] is given them.
//!
//! No name and no address of a person is in an entry. People are random [`SubjectId`]s; a name or address that
//! belongs to an entry is represented by [`commitment`], a salted hash, and lies beside the chain, from where it can
//! be erased without breaking it.

use crate::{ApiTokenId, Coded, GroupId, SessionId, SubjectId, TargetId, TicketId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What the first entry names as the hash before it.
pub const GENESIS: Hash = [0; 32];

/// An entry whose fields and place are settled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place, counted from 1 without gaps.
    pub seq: u64,
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// What was done; a word of [`Action`], or one that a newer program wrote.
    pub action: String,
    /// Who did it; none for strangers and for the program itself.
    pub subject: Option<SubjectId>,
    /// What it was done to, as [`Object`] writes it.
    pub object: Option<String>,
    /// The stable code of why it was refused or how it ended.
    pub code: Option<String>,
    /// A JSON object with the rest, exactly as stored.
    pub detail: String,
}

/// An entry with its hash and the one before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What it says.
    pub entry: Entry,
    /// The hash of the entry before, [`GENESIS`] for the first.
    pub prev_hash: Hash,
    /// [`link`] of both.
    pub hash: Hash,
}

/// A position in the chain with its hash: whoever keeps it can tell later whether the chain still leads there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The last entry's place; 0 for an empty chain.
    pub seq: u64,
    /// The last entry's hash; [`GENESIS`] for an empty chain.
    pub hash: Hash,
}

impl Position {
    /// Before the first entry.
    pub const START: Position = Position { seq: 0, hash: GENESIS };
}

/// The bytes of an entry that are hashed. Every field has a length or a fixed size, so that no two different entries
/// have the same bytes.
pub fn canonical(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96 + entry.detail.len());
    bytes.extend_from_slice(&entry.seq.to_be_bytes());
    bytes.extend_from_slice(&entry.at.to_be_bytes());
    put_text(&mut bytes, &entry.action);
    put_option(&mut bytes, entry.subject.as_ref().map(|subject| subject.0.as_bytes().as_slice()));
    put_option(&mut bytes, entry.object.as_deref().map(str::as_bytes));
    put_option(&mut bytes, entry.code.as_deref().map(str::as_bytes));
    put_text(&mut bytes, &entry.detail);
    bytes
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_bytes(bytes, text.as_bytes());
}

fn put_option(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            put_bytes(bytes, value);
        }
    }
}

fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
}

/// The hash of an entry that follows the one with the hash `prev`.
pub fn link(prev: &Hash, entry: &Entry) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"gatehouse audit entry 1\0");
    hash.update(prev);
    hash.update(canonical(entry));
    hash.finalize().into()
}

/// What stands in an entry for a value that must stay erasable. `kind` is a word of [`Personal`].
pub fn commitment(kind: &str, salt: &[u8; 16], value: &str) -> Hash {
    let mut bytes = Vec::with_capacity(64 + value.len());
    put_text(&mut bytes, kind);
    bytes.extend_from_slice(salt);
    put_text(&mut bytes, value);
    let mut hash = Sha256::new();
    hash.update(b"gatehouse audit commitment 1\0");
    hash.update(bytes);
    hash.finalize().into()
}

/// The bytes of a head that are signed. `at` is in microseconds since 1970 (UTC).
pub fn head_message(head: Position, at: i64) -> Vec<u8> {
    let mut bytes = b"gatehouse audit head 1\0".to_vec();
    bytes.extend_from_slice(&head.seq.to_be_bytes());
    bytes.extend_from_slice(&at.to_be_bytes());
    bytes.extend_from_slice(&head.hash);
    bytes
}

/// Follows a chain from its start, one entry at a time, and compares it with what is known of it from elsewhere.
#[derive(Clone, Debug)]
pub struct Verifier {
    at: Position,
    expected: BTreeMap<u64, Hash>,
    heads: u64,
}

impl Verifier {
    /// `heads` are positions that the chain must lead through: signed heads whose signatures were checked.
    ///
    /// # Errors
    /// Two heads that name different hashes for the same entry: both were signed, so one chain was replaced.
    pub fn new(heads: impl IntoIterator<Item = Position>) -> Result<Verifier, Break> {
        let mut expected = BTreeMap::new();
        for head in heads {
            let other = expected.insert(head.seq, head.hash);
            if other.is_some_and(|hash| hash != head.hash) {
                return Err(Break { seq: head.seq, what: Fault::HeadDiffers });
            }
        }
        let mut verifier = Verifier { at: Position::START, expected, heads: 0 };
        verifier.compare_head()?;
        Ok(verifier)
    }

    /// Where the last accepted entry left it.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Accepts the next entry.
    ///
    /// # Errors
    /// [`Break`]: the first place where the chain is not what was written.
    pub fn check(&mut self, next: &Link) -> Result<(), Break> {
        let expected = self.at.seq.saturating_add(1);
        let broken = |what| Err(Break { seq: expected, what });
        if next.entry.seq > expected {
            return broken(Fault::Removed { until: next.entry.seq });
        }
        if next.entry.seq < expected {
            return broken(Fault::Reordered);
        }
        if link(&next.prev_hash, &next.entry) != next.hash {
            return broken(Fault::Altered);
        }
        if next.prev_hash != self.at.hash {
            return broken(Fault::Unlinked);
        }
        self.at = Position { seq: expected, hash: next.hash };
        self.compare_head()
    }

    /// Ends the chain here. `tip` is where the writer says that it ends.
    ///
    /// # Errors
    /// [`Break`]: entries that the writer or a head knows of are missing at the end.
    pub fn finish(self, tip: Option<Position>) -> Result<Report, Break> {
        let cut = |until| Err(Break { seq: self.at.seq.saturating_add(1), what: Fault::CutTail { until } });
        if let Some((&seq, _)) = self.expected.last_key_value() {
            return cut(seq);
        }
        match tip {
            Some(tip) if tip.seq > self.at.seq => cut(tip.seq),
            Some(tip) if tip != self.at => Err(Break { seq: tip.seq, what: Fault::TipDiffers }),
            _ => Ok(Report { entries: self.at.seq, hash: self.at.hash, heads: self.heads }),
        }
    }

    fn compare_head(&mut self) -> Result<(), Break> {
        match self.expected.remove(&self.at.seq) {
            Some(hash) if hash != self.at.hash => Err(Break { seq: self.at.seq, what: Fault::HeadDiffers }),
            Some(_) => {
                self.heads = self.heads.saturating_add(1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A whole chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// How many entries it has.
    pub entries: u64,
    /// The last one's hash.
    pub hash: Hash,
    /// How many known heads it led through.
    pub heads: u64,
}

/// The first place where a chain is not what was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the audit log is broken at entry {seq}: {what}")]
pub struct Break {
    /// The entry that should be there.
    pub seq: u64,
    /// What is wrong with it.
    pub what: Fault,
}

/// What is wrong with an entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is not there, but later ones are.
    #[error("entries are missing; the next one is {until}")]
    Removed {
        /// The first one that is there again.
        until: u64,
    },
    /// An entry with an earlier place stands here.
    #[error("the entries are not in their order")]
    Reordered,
    /// Its fields do not have its hash.
    #[error("it was changed after it was written")]
    Altered,
    /// It does not follow the entry before it: that one was replaced, or this one was.
    #[error("it does not follow the entry before it")]
    Unlinked,
    /// A head that was kept elsewhere names another hash here: the chain was written anew up to here.
    #[error("it is not the entry that a signed head was made of")]
    HeadDiffers,
    /// The chain ends before it, though the writer or a head knows of it.
    #[error("the log ends here, but it once reached entry {until}")]
    CutTail {
        /// The last entry known.
        until: u64,
    },
    /// The last entry is not the one that the writer remembers.
    #[error("it is not the entry that was written last")]
    TipDiffers,
    /// A name or address beside the chain is not the one that the entry was written with.
    #[error("the {kind} that belongs to it was changed")]
    PersonAltered {
        /// A word of [`Personal`].
        kind: String,
    },
}

impl Coded for Break {
    fn code(&self) -> &'static str {
        match self.what {
            Fault::Removed { .. } => "audit.removed",
            Fault::Reordered => "audit.reordered",
            Fault::Altered => "audit.altered",
            Fault::Unlinked => "audit.unlinked",
            Fault::HeadDiffers => "audit.head_differs",
            Fault::CutTail { .. } => "audit.cut",
            Fault::TipDiffers => "audit.tip_differs",
            Fault::PersonAltered { .. } => "audit.person_altered",
        }
    }
}

/// A kind of value about a person, which lies beside the chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Personal {
    /// The name that the person logs in with, or had before.
    Name,
    /// From where.
    Address,
    /// With what program.
    UserAgent,
}

impl Personal {
    /// The word in the database and in the API.
    pub fn column(self) -> &'static str {
        match self {
            Personal::Name => "name",
            Personal::Address => "address",
            Personal::UserAgent => "user_agent",
        }
    }
}

/// What something was done to. A person is named by the subject id, never by the user id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    /// A person.
    Person(SubjectId),
    /// A group.
    Group(GroupId),
    /// A target.
    Target(TargetId),
    /// A session.
    Session(SessionId),
    /// A ticket.
    Ticket(TicketId),
    /// An API token.
    ApiToken(ApiTokenId),
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Object::Person(id) => write!(f, "person:{id}"),
            Object::Group(id) => write!(f, "group:{id}"),
            Object::Target(id) => write!(f, "target:{id}"),
            Object::Session(id) => write!(f, "session:{id}"),
            Object::Ticket(id) => write!(f, "ticket:{id}"),
            Object::ApiToken(id) => write!(f, "token:{id}"),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What is written down.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// All actions, for documents and filters that must name every one.
            pub const ALL: &[Action] = &[$(Action::$name,)*];

            /// The word in the database and in the API; never reworded.
            pub fn column(self) -> &'static str {
                match self {
                    $(Action::$name => $word,)*
                }
            }
        }
    };
}

actions! {
    /// Somebody logged in.
    LoggedIn = "login.done",
    /// Somebody tried to log in and was refused; the code says why.
    LoginRefused = "login.refused",
    /// Somebody logged out.
    LoggedOut = "login.ended",
    /// All of a person's log-ins were ended.
    LoggedOutEverywhere = "login.all_ended",
    /// A refresh token was used a second time; its family was revoked.
    RefreshReused = "login.refresh_reused",
    /// A one-time link for an administrator was made.
    LinkIssued = "login.link_issued",
    /// A person was added.
    UserAdded = "user.added",
    /// A person's entry was changed.
    UserChanged = "user.changed",
    /// A person may not log in any more.
    UserDisabled = "user.disabled",
    /// A person may log in again.
    UserEnabled = "user.enabled",
    /// A person's password was set.
    PasswordSet = "user.password_set",
    /// A person was removed.
    UserRemoved = "user.removed",
    /// A person was erased: names and addresses are gone from here too.
    UserErased = "user.erased",
    /// A group was added.
    GroupAdded = "group.added",
    /// A group was changed.
    GroupChanged = "group.changed",
    /// A group was removed.
    GroupRemoved = "group.removed",
    /// A person joined a group, or has another part in it.
    MemberSet = "group.member_set",
    /// A person left a group.
    MemberRemoved = "group.member_removed",
    /// A group may use a target, or use it differently.
    GroupTargetSet = "group.target_set",
    /// A group may no longer use a target.
    GroupTargetRemoved = "group.target_removed",
    /// A person may use a target, or use it differently.
    GrantSet = "grant.set",
    /// A person may no longer use a target.
    GrantRemoved = "grant.removed",
    /// A target was registered.
    TargetAdded = "target.added",
    /// A target's entry was changed.
    TargetChanged = "target.changed",
    /// A target was removed.
    TargetRemoved = "target.removed",
    /// A target was tried by *test connection*.
    TargetTested = "target.tested",
    /// Somebody looks at pictures of a target's screen; once for as long as they keep looking.
    ThumbnailShown = "thumbnail.shown",
    /// An API token was made.
    TokenAdded = "token.added",
    /// An API token was revoked.
    TokenRevoked = "token.revoked",
    /// A console was asked for and granted.
    ConsoleGranted = "console.granted",
    /// A console was asked for and refused; the code says why.
    ConsoleRefused = "console.refused",
    /// A session started.
    SessionStarted = "session.started",
    /// A session's longest time was moved.
    SessionExtended = "session.extended",
    /// A session's input was stopped.
    SessionFrozen = "session.frozen",
    /// A session's input passes again.
    SessionThawed = "session.thawed",
    /// A session has other rules.
    SessionPolicySet = "session.policy_set",
    /// A session ended; the code says why.
    SessionEnded = "session.ended",
    /// A setting was changed.
    SettingChanged = "setting.changed",
    /// The audit log was exported.
    AuditExported = "audit.exported",
    /// The key of stored secrets was changed.
    KeysRotated = "secret.rotated",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use uuid::Uuid;

    fn entry(seq: u64) -> Entry {
        Entry {
            seq,
            at: 1_700_000_000_000_000,
            action: Action::LoggedIn.column().to_owned(),
            subject: Some(SubjectId(Uuid::from_u128(7))),
            object: None,
            code: None,
            detail: format!("{{\"n\":{seq}}}"),
        }
    }

    fn chain(length: u64) -> Vec<Link> {
        let mut prev_hash = GENESIS;
        (1..=length)
            .map(|seq| {
                let entry = entry(seq);
                let hash = link(&prev_hash, &entry);
                let link = Link { entry, prev_hash, hash };
                prev_hash = hash;
                link
            })
            .collect()
    }

    fn position(link: &Link) -> Position {
        Position { seq: link.entry.seq, hash: link.hash }
    }

    fn verify(links: &[Link], heads: &[Position], tip: Option<Position>) -> Result<Report, Break> {
        let mut verifier = Verifier::new(heads.iter().copied())?;
        for link in links {
            verifier.check(link)?;
        }
        verifier.finish(tip)
    }

    fn fault(links: &[Link], heads: &[Position], tip: Option<Position>) -> (u64, Fault) {
        let found = verify(links, heads, tip).unwrap_err();
        (found.seq, found.what)
    }

    /// The hashes that are written once and for all: a program that computes others cannot verify older logs.
    #[test]
    fn golden_hashes() {
        let hex = |hash: Hash| hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let links = chain(2);
        assert_eq!(hex(links[0].hash), "8e07a936f803545556c3417f706222607cf6077f3445386c287b19ef4b12b97b");
        assert_eq!(hex(links[1].hash), "01d63c059f2d0356a3ac757b3ebf82de4874ce7fab7c80f9350ee6b124cabdb5");
        assert_eq!(
            hex(commitment("address", &[9; 16], "192.0.2.7")),
            "c20ebc303749d253e4f3639bc59d81640c53ed8fc38076c9ba533011a60e2c51"
        );
        assert_eq!(head_message(Position::START, 1).len(), 23 + 8 + 8 + 32);
    }

    #[test]
    fn a_whole_chain_is_reported() {
        let links = chain(9);
        let heads = [position(&links[3]), position(&links[8]), Position::START];
        let report = verify(&links, &heads, Some(position(&links[8]))).unwrap();
        assert_eq!(report, Report { entries: 9, hash: links[8].hash, heads: 3 });
        assert_eq!(verify(&[], &[], Some(Position::START)).unwrap().entries, 0);
    }

    #[test]
    fn every_field_is_under_the_hash() {
        let links = chain(3);
        let tampered: [fn(&mut Entry); 7] = [
            |e| e.at += 1,
            |e| e.action = Action::LoggedOut.column().to_owned(),
            |e| e.subject = None,
            |e| e.object = Some(String::new()),
            |e| e.code = Some(String::new()),
            |e| e.detail.push(' '),
            // A character that moves from one field to the next.
            |e| {
                e.object = Some("x".to_owned());
                e.code = Some(String::new());
            },
        ];
        for tamper in tampered {
            let mut links = links.clone();
            tamper(&mut links[1].entry);
            assert_eq!(fault(&links, &[], None), (2, Fault::Altered));
        }
        let mut split = entry(1);
        let mut joined = entry(1);
        (split.object, split.code) = (Some("ab".to_owned()), Some("c".to_owned()));
        (joined.object, joined.code) = (Some("a".to_owned()), Some("bc".to_owned()));
        assert_ne!(canonical(&split), canonical(&joined));
    }

    #[test]
    fn removed_moved_and_replaced_entries_are_found() {
        let links = chain(5);
        let tip = Some(position(&links[4]));
        let mut removed = links.clone();
        removed.remove(2);
        assert_eq!(fault(&removed, &[], tip), (3, Fault::Removed { until: 4 }));
        let mut first = links.clone();
        first.remove(0);
        assert_eq!(fault(&first, &[], tip), (1, Fault::Removed { until: 2 }));
        // The numbers closed up, the hashes left as they were.
        let mut renumbered = removed.clone();
        renumbered[2].entry.seq = 3;
        assert_eq!(fault(&renumbered, &[], tip), (3, Fault::Altered));
        // The renumbered one hashed anew.
        renumbered[2].hash = link(&renumbered[2].prev_hash, &renumbered[2].entry);
        assert_eq!(fault(&renumbered, &[], tip), (3, Fault::Unlinked));
        let mut swapped = links.clone();
        swapped.swap(1, 2);
        assert_eq!(fault(&swapped, &[], tip), (2, Fault::Removed { until: 3 }));
        let mut doubled = links.clone();
        doubled.insert(2, links[1].clone());
        assert_eq!(fault(&doubled, &[], tip), (3, Fault::Reordered));
    }

    #[test]
    fn a_cut_tail_is_found_by_tip_or_head() {
        let links = chain(5);
        let tip = Some(position(&links[4]));
        assert_eq!(fault(&links[..3], &[], tip), (4, Fault::CutTail { until: 5 }));
        // The tip was cut back too: only the head that lies elsewhere knows.
        let cut_tip = Some(position(&links[2]));
        assert!(verify(&links[..3], &[], cut_tip).is_ok());
        assert_eq!(fault(&links[..3], &[position(&links[4])], cut_tip), (4, Fault::CutTail { until: 5 }));
        assert_eq!(fault(&[], &[position(&links[0])], None), (1, Fault::CutTail { until: 1 }));
        // Entries that the writer does not know of.
        assert_eq!(fault(&links, &[], cut_tip), (3, Fault::TipDiffers));
    }

    #[test]
    fn a_chain_written_anew_is_found_by_its_head() {
        let links = chain(4);
        let mut anew = Vec::new();
        let mut prev_hash = GENESIS;
        for old in &links {
            let entry = Entry { detail: "{}".to_owned(), ..old.entry.clone() };
            let hash = link(&prev_hash, &entry);
            anew.push(Link { entry, prev_hash, hash });
            prev_hash = hash;
        }
        assert!(verify(&anew, &[], Some(position(&anew[3]))).is_ok());
        assert_eq!(fault(&anew, &[position(&links[2])], None), (3, Fault::HeadDiffers));
        let both = [position(&anew[1]), position(&links[1])];
        assert_eq!(Verifier::new(both).unwrap_err(), Break { seq: 2, what: Fault::HeadDiffers });
    }

    #[test]
    fn words_are_distinct() {
        let words: HashSet<_> = Action::ALL.iter().map(|action| action.column()).collect();
        assert_eq!(words.len(), Action::ALL.len());
        assert_ne!(commitment("name", &[1; 16], "ann"), commitment("name", &[2; 16], "ann"));
        assert_ne!(commitment("name", &[1; 16], "ann"), commitment("address", &[1; 16], "ann"));
    }
}
