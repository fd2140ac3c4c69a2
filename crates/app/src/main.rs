//! The program `gatehouse`: the command line, and the only place that knows every room.

mod address;
mod admin;
mod audit;
mod cli;
mod config;
mod demo;
mod descriptors;
mod doctor;
mod documents;
mod environment;
mod heads;
mod house;
mod inspect;
mod log;
mod outgoing;
mod password;
mod ports;
mod quick;
mod secrets;
mod serve;
mod target;
mod ticket;
mod tied;
mod trace;

use anyhow::{Context, Result};
use clap::Parser;
use cli::{Cli, Command, ConfigCommand, SecretCommand};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = environment::clear() {
        eprintln!("gatehouse: {error:#}");
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.context("the runtime cannot start").and_then(|runtime| runtime.block_on(run(cli)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatehouse: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let common = &cli.common;
    match cli.command {
        Command::Serve(wish) => serve::run(common, wish).await,
        Command::Quick(wish) => quick::run(wish).await,
        Command::Target(command) => target::run(common, command).await,
        Command::Ticket(wish) => ticket::run(common, wish).await,
        Command::Admin(command) => admin::run(common, command).await,
        Command::Audit(command) => audit::run(common, command).await,
        Command::Secret(SecretCommand::Rotate) => secrets::rotate(common).await,
        Command::Inspect(wish) => inspect::run(&wish),
        Command::Trace(wish) => trace::run(&wish),
        Command::Doctor => doctor::run(common).await,
        Command::Config(ConfigCommand::Check) => check_config(common),
        Command::Openapi => {
            println!("{}", api::openapi());
            Ok(())
        }
    }
}

fn check_config(common: &cli::Common) -> Result<()> {
    let loaded = config::load(common.config.as_deref(), common.data.as_deref())?;
    match &loaded.file {
        Some(file) => println!("{} is valid.", file.display()),
        None => println!("There is no gatehouse.toml; these are the defaults and the environment."),
    }
    for line in loaded.provenance()? {
        println!("  {line}");
    }
    for line in secrets::check()? {
        println!("  {line}");
    }
    for note in documents::notes() {
        println!("note  {note}");
    }
    Ok(())
}
