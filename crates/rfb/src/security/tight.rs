//! [7.2.3] Tight: tunnels that nobody has, then a list of authentication types as capabilities.
//!
//! After it ServerInit has a tail of capability lists, which the client machine swallows.

use super::choice::Terms;
use super::{Channel, Exchange, Inner, Method, Turn};
use crate::handshake::{HandshakeError, RefusalKind, Step};
use crate::wire::Reader;
use crate::{Misbehavior, limits};

/// A capability: number, vendor (4) and signature (8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Capability {
    number: u32,
    name: [u8; 12],
}

const NO_TUNNEL: Capability = Capability { number: 0, name: *b"TGHTNOTUNNEL" };
/// Siemens' panels know no tunnel but forget to say so.
const SIEMENS: Capability = Capability { number: 1, name: *b"SICRSCHANNEL" };

const METHODS: &[(Capability, Method)] = &[
    (Capability { number: 129, name: *b"TGHTULGNAUTH" }, Method::Plain),
    (Capability { number: 2, name: *b"STDVVNCAUTH_" }, Method::VncAuth),
    (Capability { number: 1, name: *b"STDVNOAUTH__" }, Method::None),
];

/// The client's side.
pub(crate) struct Client {
    terms: Terms,
    state: State,
}

enum State {
    Tunnels,
    Methods,
    Send(u32, After),
    Inner(Inner),
}

#[derive(Clone, Copy)]
enum After {
    Methods,
    Inner(Inner),
}

impl Client {
    pub(crate) fn new(terms: Terms) -> Self {
        Client { terms, state: State::Tunnels }
    }

    fn take_tunnels(&mut self, tunnels: &[Capability]) -> Result<(), HandshakeError> {
        self.state = match tunnels {
            [] => State::Methods,
            some if some.contains(&NO_TUNNEL) || some.contains(&SIEMENS) => {
                State::Send(NO_TUNNEL.number, After::Methods)
            }
            _ => {
                let reason = "the target insists on a tunnel of its own";
                let refused = HandshakeError::refused(RefusalKind::NoCommonType, reason);
                return Err(self.terms.dead_end(refused));
            }
        };
        Ok(())
    }

    fn take_methods(&mut self, offered: &[Capability]) -> Result<(), HandshakeError> {
        let methods: Vec<_> =
            METHODS.iter().filter(|(c, _)| offered.contains(c)).map(|(_, method)| *method).collect();
        if offered.is_empty() {
            // An empty list means None, and no choice is sent.
            let inner = self.terms.choose_inner(&[Method::None], Channel::Clear)?;
            self.state = State::Inner(inner);
            return Ok(());
        }
        let inner = self.terms.choose_inner(&methods, Channel::Clear)?;
        let number = METHODS.iter().find(|(_, m)| *m == inner.method).map(|(c, _)| c.number);
        self.state = State::Send(number.ok_or(Misbehavior::SecurityList)?, After::Inner(inner));
        Ok(())
    }
}

impl Exchange for Client {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(match self.state {
            State::Tunnels | State::Methods => Turn::Step(Step::NeedBytes),
            State::Send(number, after) => {
                self.state = match after {
                    After::Methods => State::Methods,
                    After::Inner(inner) => State::Inner(inner),
                };
                Turn::Step(Step::Send(number.to_be_bytes().to_vec()))
            }
            State::Inner(inner) => Turn::Inner(inner),
        })
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some(list) = take_capabilities(reader)? else { return Ok(()) };
        match self.state {
            State::Tunnels => self.take_tunnels(&list),
            State::Methods => self.take_methods(&list),
            State::Send(..) | State::Inner(_) => Err(HandshakeError::Misuse),
        }
    }
}

fn take_capabilities(reader: &mut Reader<'_>) -> Result<Option<Vec<Capability>>, HandshakeError> {
    let mut probe = *reader;
    let Some(count) = probe.u32() else { return Ok(None) };
    let count = usize::try_from(count).ok().filter(|n| *n <= limits::CAPABILITIES);
    let count = count.ok_or(Misbehavior::SecurityList)?;
    let Some(bytes) = probe.take(count * 16) else { return Ok(None) };
    *reader = probe;
    let mut list = Vec::with_capacity(count);
    let mut items = Reader::new(bytes);
    while let (Some(number), Some(name)) = (items.u32(), items.array()) {
        list.push(Capability { number, name });
    }
    Ok(Some(list))
}
