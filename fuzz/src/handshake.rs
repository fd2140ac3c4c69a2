//! Both handshakes against a hostile peer. Streams that a shell would wrap (TLS, records) go on in clear:
//! what is inside them is as hostile.
//!
//! Input: settings, seed for pieces; then the peer's bytes.

use crate::input::{Pieces, settings};
use model::Secret;
use model::target::{Credentials, Security};
use rfb::client::{ClientConfig, ClientHandshake};
use rfb::handshake::{HandshakeError, JobOutput, Judgement, Step};
use rfb::security::ra2::Ra2Key;
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes};
use std::sync::{Arc, OnceLock};

/// More steps than any handshake has: one that never ends is a finding.
const STEPS: usize = 2000;

/// A target that lies to us. See the module's text.
pub fn client_handshake(data: &[u8]) {
    let ([bits, seed], rest) = settings::<2>(data);
    let bit = |n: u8| bits >> n & 1 == 1;
    let credentials = Credentials {
        username: bit(0).then(|| "operator".to_owned()),
        password: bit(1).then(|| Secret::new("a long password")),
    };
    let config = ClientConfig {
        security: Security { anonymous_tls: bit(2), ..Security::default() },
        host_is_local: bit(3),
        shared: bit(4),
        repeater_id: bit(5).then(|| "4711".to_owned()),
        ra2_key: bit(7).then(ra2_key),
        ..ClientConfig::default()
    }
    .with_credentials(&credentials);
    let play = |pieces: Vec<&[u8]>| {
        let mut machine = ClientHandshake::new(config.clone(), [seed; 32]);
        let mut shell = Shell { compute: bit(7), accept: bit(6), credentials: credentials.clone() };
        let log = shell.play(&mut machine, pieces);
        let end = log.ended.then(|| format!("{:?}", machine.into_result()));
        (log, end)
    };
    assert_eq!(play(vec![rest]), play(Pieces::new(seed).cut(rest)), "the handshake depends on the pieces");
}

/// A viewer that lies to us. See the module's text.
pub fn server_handshake(data: &[u8]) {
    let ([bits, seed], rest) = settings::<2>(data);
    let bit = |n: u8| bits >> n & 1 == 1;
    let offered = ServerTypes {
        none: bit(0),
        vencrypt_x509_plain: bit(1),
        vencrypt_tls_plain: bit(2),
        vnc_auth: bit(3),
        ra2_256: bit(7) && bit(4),
        ra2ne_256: bit(7) && bit(5),
    };
    let ra2_key = bit(7).then(ra2_key);
    let config = ServerConfig { offered, ra2_key, ..ServerConfig::default() };
    let play = |pieces: Vec<&[u8]>| {
        let mut machine = ServerHandshake::new(config.clone(), [seed; 32]);
        let mut shell = Shell { compute: bit(7), accept: bit(6), credentials: Credentials::default() };
        let log = shell.play(&mut machine, pieces);
        let end = log.ended.then(|| format!("{:?}", machine.into_result()));
        (log, end)
    };
    assert_eq!(play(vec![rest]), play(Pieces::new(seed).cut(rest)), "the handshake depends on the pieces");
}

/// Made once: it takes longer than everything else.
fn ra2_key() -> Arc<Ra2Key> {
    static KEY: OnceLock<Arc<Ra2Key>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(Ra2Key::generate([7; 32]))).clone()
}

/// What both machines have in common.
trait Machine {
    fn poll_step(&mut self) -> Result<Step, HandshakeError>;
    fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError>;
    fn handle_tls_started(&mut self) -> Result<(), HandshakeError>;
    fn handle_records_started(&mut self) -> Result<(), HandshakeError>;
    fn handle_computed(&mut self, output: JobOutput) -> Result<(), HandshakeError>;
    fn handle_secret(&mut self, credentials: Credentials) -> Result<(), HandshakeError>;
    fn handle_identity(&mut self, accepted: bool) -> Result<(), HandshakeError>;
    fn handle_judgement(&mut self, judgement: Judgement) -> Result<(), HandshakeError>;
}

macro_rules! common {
    () => {
        fn poll_step(&mut self) -> Result<Step, HandshakeError> {
            self.poll_step()
        }
        fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
            self.handle_bytes(bytes)
        }
        fn handle_tls_started(&mut self) -> Result<(), HandshakeError> {
            self.handle_tls_started()
        }
        fn handle_records_started(&mut self) -> Result<(), HandshakeError> {
            self.handle_records_started()
        }
        fn handle_computed(&mut self, output: JobOutput) -> Result<(), HandshakeError> {
            self.handle_computed(output)
        }
    };
}

impl Machine for ClientHandshake {
    common!();
    fn handle_secret(&mut self, credentials: Credentials) -> Result<(), HandshakeError> {
        self.handle_secret(credentials)
    }
    fn handle_identity(&mut self, accepted: bool) -> Result<(), HandshakeError> {
        self.handle_identity(accepted)
    }
    fn handle_judgement(&mut self, _: Judgement) -> Result<(), HandshakeError> {
        Err(HandshakeError::Misuse)
    }
}

impl Machine for ServerHandshake {
    common!();
    fn handle_secret(&mut self, _: Credentials) -> Result<(), HandshakeError> {
        Err(HandshakeError::Misuse)
    }
    fn handle_identity(&mut self, _: bool) -> Result<(), HandshakeError> {
        Err(HandshakeError::Misuse)
    }
    fn handle_judgement(&mut self, judgement: Judgement) -> Result<(), HandshakeError> {
        self.handle_judgement(judgement)
    }
}

/// Everything that happened, waiting for bytes left out.
#[derive(PartialEq, Eq, Debug, Default)]
struct Log {
    steps: Vec<String>,
    taken: usize,
    error: Option<HandshakeError>,
    ended: bool,
}

struct Shell {
    /// Big numbers take long; inputs choose whether they are to be computed.
    compute: bool,
    accept: bool,
    credentials: Credentials,
}

impl Shell {
    fn play(&mut self, machine: &mut impl Machine, pieces: Vec<&[u8]>) -> Log {
        let (mut log, mut held, mut pieces) = (Log::default(), Vec::new(), pieces.into_iter());
        for _ in 0..STEPS {
            let result = machine.poll_step().and_then(|step| match step {
                Step::NeedBytes => {
                    let before = held.len();
                    let taken = machine.handle_bytes(&held)?;
                    assert!(taken <= before);
                    held.drain(..taken);
                    log.taken += taken;
                    if taken > 0 {
                        return Ok(true);
                    }
                    let Some(piece) = pieces.next() else { return Ok(false) };
                    held.extend_from_slice(piece);
                    Ok(true)
                }
                Step::Compute(job) if self.compute => {
                    log.steps.push("Compute".to_owned());
                    machine.handle_computed(job.run()).map(|()| true)
                }
                step => self.answer(machine, step, &mut log),
            });
            match result {
                Ok(true) => {}
                Ok(false) => return log,
                Err(HandshakeError::Misuse) => panic!("a step was answered as asked, and that was wrong"),
                Err(error) => {
                    log.error = Some(error);
                    // How much of a broken unit was taken before is a matter of pieces.
                    log.taken = 0;
                    return log;
                }
            }
        }
        panic!("a handshake of {STEPS} steps");
    }

    /// Whether it goes on.
    fn answer(
        &mut self,
        machine: &mut impl Machine,
        step: Step,
        log: &mut Log,
    ) -> Result<bool, HandshakeError> {
        log.steps.push(match &step {
            Step::Send(bytes) => format!("{bytes:?}"),
            other => format!("{other:?}"),
        });
        match step {
            Step::NeedSecret(_) => machine.handle_secret(self.credentials.clone())?,
            Step::NeedIdentity(_) => machine.handle_identity(self.accept)?,
            Step::StartTls(_) => machine.handle_tls_started()?,
            Step::StartRecords(_) => machine.handle_records_started()?,
            Step::Judge(_) if self.accept => machine.handle_judgement(Judgement::Accept)?,
            Step::Judge(_) => machine.handle_judgement(Judgement::Refuse { reason: "no".to_owned() })?,
            Step::Send(_) | Step::StopRecords => {}
            Step::Done => {
                log.ended = true;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
