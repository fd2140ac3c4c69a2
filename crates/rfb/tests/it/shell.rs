//! A shell around a handshake without any I/O: layers, unconsumed bytes, answers.

use model::Secret;
use model::target::Credentials;
use rfb::client::ClientHandshake;
use rfb::handshake::{Claim, HandshakeError, Job, JobOutput, Judgement, Step};
use rfb::records::{Opener, Sealer};
use rfb::server::ServerHandshake;

/// What the two machines have in common.
pub(crate) trait Machine {
    fn poll(&mut self) -> Result<Step, HandshakeError>;
    fn bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError>;
    fn tls_started(&mut self) -> Result<(), HandshakeError>;
    fn records_started(&mut self) -> Result<(), HandshakeError>;
    fn computed(&mut self, output: JobOutput) -> Result<(), HandshakeError>;
    /// Answers the steps that only one side has.
    fn ask(&mut self, step: Step, answers: &Answers) -> Result<(), HandshakeError>;
}

/// What the shell knows.
pub(crate) struct Answers {
    pub(crate) username: Option<&'static str>,
    pub(crate) password: Option<&'static str>,
    pub(crate) accept_identity: bool,
}

impl Answers {
    pub(crate) const RIGHT: Answers =
        Answers { username: Some("kate"), password: Some("s3cret"), accept_identity: true };
    pub(crate) const WRONG: Answers =
        Answers { username: Some("kate"), password: Some("wrong"), accept_identity: true };

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials { username: self.username.map(str::to_owned), password: self.password.map(Secret::new) }
    }

    fn judge(&self, claim: &Claim) -> bool {
        let password = self.password.unwrap_or_default();
        match claim {
            Claim::None => true,
            Claim::Plain { username, password: given } => {
                // A viewer that was asked for a password only has no name.
                (username.is_empty() || Some(username.as_str()) == self.username)
                    && given.expose() == password
            }
            Claim::VncAuth(response) => response.matches(&Secret::new(password)),
            _ => false,
        }
    }
}

impl Machine for ClientHandshake {
    fn poll(&mut self) -> Result<Step, HandshakeError> {
        self.poll_step()
    }
    fn bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        self.handle_bytes(bytes)
    }
    fn tls_started(&mut self) -> Result<(), HandshakeError> {
        self.handle_tls_started()
    }
    fn records_started(&mut self) -> Result<(), HandshakeError> {
        self.handle_records_started()
    }
    fn computed(&mut self, output: JobOutput) -> Result<(), HandshakeError> {
        self.handle_computed(output)
    }
    fn ask(&mut self, step: Step, answers: &Answers) -> Result<(), HandshakeError> {
        match step {
            Step::NeedSecret(_) => self.handle_secret(answers.credentials()),
            Step::NeedIdentity(_) => self.handle_identity(answers.accept_identity),
            other => panic!("{other:?} at a client"),
        }
    }
}

impl Machine for ServerHandshake {
    fn poll(&mut self) -> Result<Step, HandshakeError> {
        self.poll_step()
    }
    fn bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        self.handle_bytes(bytes)
    }
    fn tls_started(&mut self) -> Result<(), HandshakeError> {
        self.handle_tls_started()
    }
    fn records_started(&mut self) -> Result<(), HandshakeError> {
        self.handle_records_started()
    }
    fn computed(&mut self, output: JobOutput) -> Result<(), HandshakeError> {
        self.handle_computed(output)
    }
    fn ask(&mut self, step: Step, answers: &Answers) -> Result<(), HandshakeError> {
        match step {
            Step::Judge(claim) if answers.judge(&claim) => self.handle_judgement(Judgement::Accept),
            Step::Judge(_) => {
                self.handle_judgement(Judgement::Refuse { reason: "wrong name or password".to_owned() })
            }
            other => panic!("{other:?} at a server"),
        }
    }
}

/// What lies between machine and wire.
enum Layer {
    Clear,
    /// Stands for TLS: every byte is changed, so a byte on the wrong side of the start is noticed.
    Masked,
    Records(Box<Sealer>, Box<Opener>),
}

/// A machine with its buffers.
pub(crate) struct Shell<M> {
    pub(crate) machine: M,
    answers: Answers,
    layer: Layer,
    /// From the wire, not unwrapped yet.
    raw: Vec<u8>,
    /// Unwrapped, not consumed yet.
    plain: Vec<u8>,
    /// To the wire.
    pub(crate) out: Vec<u8>,
    /// The steps taken, for comparison.
    pub(crate) steps: Vec<String>,
}

/// Where a shell stands after it ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stand {
    Waits,
    Done,
}

const MASK: u8 = 0x5a;

impl<M: Machine> Shell<M> {
    pub(crate) fn new(machine: M, answers: Answers) -> Self {
        Shell {
            machine,
            answers,
            layer: Layer::Clear,
            raw: Vec::new(),
            plain: Vec::new(),
            out: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Takes what came in and runs until more is needed.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Stand, HandshakeError> {
        self.raw.extend_from_slice(bytes);
        loop {
            let step = self.machine.poll()?;
            if !matches!(step, Step::NeedBytes) {
                self.steps.push(format!("{step:?}"));
            }
            match step {
                Step::Send(bytes) => self.write(&bytes),
                Step::NeedBytes => {
                    if !self.feed()? {
                        return Ok(Stand::Waits);
                    }
                }
                Step::StartTls(_) => {
                    self.rewind();
                    self.layer = Layer::Masked;
                    self.machine.tls_started()?;
                }
                Step::StartRecords(keys) => {
                    self.rewind();
                    self.layer =
                        Layer::Records(Box::new(Sealer::new(&keys.write)), Box::new(Opener::new(&keys.read)));
                    self.machine.records_started()?;
                }
                Step::StopRecords => {
                    assert!(self.plain.is_empty(), "a record held more than its step");
                    self.layer = Layer::Clear;
                }
                Step::Compute(job) => self.machine.computed(Job::run(job))?,
                Step::Done => return Ok(Stand::Done),
                asks => self.machine.ask(asks, &self.answers)?,
            }
        }
    }

    /// Bytes that came behind the handshake, unwrapped.
    pub(crate) fn leftover(&mut self) -> Result<Vec<u8>, HandshakeError> {
        while self.unwrap_some()? {}
        Ok(std::mem::take(&mut self.plain))
    }

    /// Sends behind the handshake.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match &mut self.layer {
            Layer::Clear => self.out.extend_from_slice(bytes),
            Layer::Masked => self.out.extend(bytes.iter().map(|b| b ^ MASK)),
            Layer::Records(sealer, _) => sealer.seal(bytes, &mut self.out),
        }
    }

    /// Shows the machine more than it has seen: whether it took something.
    fn feed(&mut self) -> Result<bool, HandshakeError> {
        loop {
            let used = self.machine.bytes(&self.plain)?;
            self.plain.drain(..used);
            if used > 0 {
                return Ok(true);
            }
            if !self.unwrap_some()? {
                return Ok(false);
            }
        }
    }

    /// Moves bytes from the wire through the layer; one record at a time.
    fn unwrap_some(&mut self) -> Result<bool, HandshakeError> {
        let before = self.raw.len();
        match &mut self.layer {
            Layer::Clear => self.plain.append(&mut self.raw),
            Layer::Masked => self.plain.extend(self.raw.drain(..).map(|b| b ^ MASK)),
            Layer::Records(_, opener) => {
                let used = opener.open(&self.raw, &mut self.plain)?;
                self.raw.drain(..used);
            }
        }
        Ok(self.raw.len() < before)
    }

    /// What is not consumed belongs to the layer that starts now.
    fn rewind(&mut self) {
        self.plain.append(&mut self.raw);
        self.raw = std::mem::take(&mut self.plain);
    }
}
