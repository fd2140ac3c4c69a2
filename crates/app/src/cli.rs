//! The command line. What each command does lives in a module of its own.

use clap::{Args, Parser, Subcommand};
use model::{Role, Scope};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The guarded entrance to every remote screen.
#[derive(Parser, Debug)]
#[command(name = "gatehouse", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where configuration and data are.
#[derive(Args, Debug, Clone)]
pub(crate) struct Common {
    /// Configuration file; without it ./gatehouse.toml, then the data directory's, if there is one
    #[arg(long, global = true, value_name = "FILE", env = "GATEHOUSE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Data directory: database, keys, certificates
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Runs the gateway
    Serve(Serve),
    /// Opens one console without any set-up
    Quick(Quick),
    /// Registers, lists and removes targets
    #[command(subcommand)]
    Target(TargetCommand),
    /// Makes a ticket: browser link, native address and a .vnc file for one session
    Ticket(Ticket),
    /// Administration from the machine itself
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Verifies and exports the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The key of stored secrets
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Reads a packet file and reports every VNC session in it
    Inspect(Inspect),
    /// Writes a session's protocol skeleton, without keys, texts and pixels, for a bug report
    Trace(Trace),
    /// Checks ports, database, certificate, clock and targets, and says what to do
    Doctor,
    /// Checks the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints the OpenAPI document
    Openapi,
}

#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Serve {
    /// Adds a demo desktop and the built-in test card as targets
    #[arg(long)]
    pub(crate) demo: bool,
    /// Web address (default 127.0.0.1:5000; port 0 takes a free one)
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address for native viewers (default 127.0.0.1:5900)
    #[arg(long, value_name = "ADDR")]
    pub(crate) native: Option<SocketAddr>,
}

#[derive(Args, Debug)]
pub(crate) struct Quick {
    /// vnc://[user@]host:port; a password in it works, but others on the machine can see it
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// File with the password; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) password_file: Option<PathBuf>,
    /// Only look
    #[arg(long)]
    pub(crate) view_only: bool,
    /// Web address (default 127.0.0.1:0, a free port)
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Opens a door for native viewers as well
    #[arg(long, value_name = "ADDR")]
    pub(crate) native: Option<SocketAddr>,
    /// Writes the session's protocol skeleton here, for a bug report; see `gatehouse trace`
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum TargetCommand {
    /// Registers a VNC server
    Add(TargetAdd),
    /// Lists the targets
    List,
    /// Removes a target
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct TargetAdd {
    /// Its name, as people see it
    pub(crate) name: String,
    /// vnc://[user@]host:port, vnc+unix:///path or testcard:
    pub(crate) url: String,
    /// File with the password; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) password_file: Option<PathBuf>,
    /// Weakest way that may be used: open, authenticated, encrypted-anonymous, encrypted-verified
    #[arg(long, value_name = "STRENGTH", default_value = "open")]
    pub(crate) floor: String,
    /// Accepts exactly the certificate or RA2 key with this SHA-256
    #[arg(long, value_name = "SHA256", conflicts_with = "first_use")]
    pub(crate) pin: Option<String>,
    /// Accepts and pins the first certificate or RA2 key seen
    #[arg(long)]
    pub(crate) first_use: bool,
    /// Allows TLS without a certificate
    #[arg(long)]
    pub(crate) anonymous_tls: bool,
    /// Lets lists show a small picture of its screen to whoever may open it
    #[arg(long)]
    pub(crate) thumbnails: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Ticket {
    /// The target's name
    pub(crate) name: String,
    /// Only look
    #[arg(long)]
    pub(crate) view_only: bool,
    /// Minutes until the ticket must have been used
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub(crate) minutes: u32,
    /// Writes a .vnc file for native viewers here
    #[arg(long, value_name = "FILE")]
    pub(crate) vnc_file: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum AdminCommand {
    /// Makes a new one-time link for the administrator
    Link,
    /// People
    #[command(subcommand)]
    User(UserCommand),
    /// Groups of people and of targets
    #[command(subcommand)]
    Group(GroupCommand),
    /// API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Targets; the same as `gatehouse target`
    #[command(subcommand)]
    Target(TargetCommand),
}

#[derive(Subcommand, Debug)]
pub(crate) enum UserCommand {
    /// Adds a person; asks for the password on the terminal where no file is given
    Add {
        /// What the person logs in with
        name: String,
        /// user, viewer, analyst, operator or admin
        #[arg(long, default_value = "user", value_parser = role)]
        role: Role,
        /// What others see (default: the name)
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// File with the password; - reads standard input
        #[arg(long, value_name = "FILE|-")]
        password_file: Option<PathBuf>,
    },
    /// Lists the people
    List,
    /// Gives a person another role
    SetRole {
        /// Who
        name: String,
        /// user, viewer, analyst, operator or admin
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Ends a person's log-ins and lets no new ones in
    Disable {
        /// Who
        name: String,
    },
    /// Lets a person log in again
    Enable {
        /// Who
        name: String,
    },
    /// Sets a password and ends the person's log-ins; asks on the terminal where no file is given
    Password {
        /// Whose
        name: String,
        /// File with the password; - reads standard input
        #[arg(long, value_name = "FILE|-")]
        password_file: Option<PathBuf>,
    },
    /// Ends all of a person's log-ins
    Logout {
        /// Who
        name: String,
    },
    /// Lets a person use a target, or use it differently
    Grant {
        /// Who
        name: String,
        /// The target's name
        target: String,
        /// Only look
        #[arg(long)]
        view_only: bool,
        /// When it ends: 30d, 12h, or a date such as 2027-01-31 (default: never)
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// Takes back what was granted to a person; what groups may use their people may still use
    Revoke {
        /// Who
        name: String,
        /// The target's name
        target: String,
    },
    /// Lists what was granted to a person, not to groups
    Grants {
        /// Who
        name: String,
    },
    /// Removes a person with names and addresses in past sessions and beside the audit log; cannot be undone
    Erase {
        /// Who; or the subject id, as the audit log has it, of a person who was removed
        name: String,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum GroupCommand {
    /// Adds a group
    Add {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// Lists the groups with members and targets
    List,
    /// Removes a group; its people and targets stay
    Remove {
        /// Its name
        name: String,
    },
    /// Who is in a group
    #[command(subcommand)]
    Member(MemberCommand),
    /// Lets the people of a group use a target
    Grant {
        /// The group's name
        group: String,
        /// The target's name
        target: String,
        /// Only look
        #[arg(long)]
        view_only: bool,
    },
    /// Withdraws a target from a group
    Revoke {
        /// The group's name
        group: String,
        /// The target's name
        target: String,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum MemberCommand {
    /// Takes a person into a group
    Add {
        /// The group's name
        group: String,
        /// The person's name
        user: String,
        /// Looks after the group's targets and sessions (the person's role must be operator)
        #[arg(long)]
        operator: bool,
    },
    /// Takes a person out of a group
    Remove {
        /// The group's name
        group: String,
        /// The person's name
        user: String,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Makes a token and prints it, once
    Add {
        /// In whose name it acts
        user: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "command line")]
        name: String,
        /// read, console, operate or admin; more than once for several
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
        scopes: Vec<Scope>,
        /// When it ends: 30d, 12h, or a date such as 2027-01-31 (default: never)
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// Lists tokens
    List {
        /// Only this person's
        user: Option<String>,
    },
    /// Revokes a token
    Revoke {
        /// Its id, as the list shows it
        id: uuid::Uuid,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_column(text).ok_or_else(|| "a role is user, viewer, analyst, operator or admin".to_owned())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_word(text).ok_or_else(|| "a scope is read, console, operate or admin".to_owned())
}

#[derive(Subcommand, Debug)]
pub(crate) enum AuditCommand {
    /// Follows the whole audit log and finds what was removed, changed, moved or cut
    Verify {
        /// Signed heads that were kept elsewhere: a file with one in a line, as they were delivered; - reads
        /// standard input
        #[arg(long, value_name = "FILE|-")]
        head: Option<PathBuf>,
        /// The public key that heads must be signed with (default: this installation's)
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
    /// Writes the log as JSON lines to standard output
    Export {
        /// Begins behind this entry
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: u64,
    },
    /// Signs the log's end now, and writes all signed heads as JSON lines to standard output
    Head,
}

#[derive(Subcommand, Debug)]
pub(crate) enum SecretCommand {
    /// Makes a new key for stored secrets, seals them anew and forgets the old key
    Rotate,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// pcap or pcapng; - reads standard input
    pub(crate) file: PathBuf,
    /// JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Trace {
    /// pcap or pcapng, or a skeleton with --check; - reads standard input
    pub(crate) file: PathBuf,
    /// Which session, as `gatehouse inspect` counts them
    #[arg(long, value_name = "N", conflicts_with = "check")]
    pub(crate) session: Option<usize>,
    /// File to write (default: standard output)
    #[arg(short, long, value_name = "FILE", conflicts_with = "check")]
    pub(crate) output: Option<PathBuf>,
    /// Replays a skeleton and says what it comes to
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Says whether it is valid, and where each value came from
    Check,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
