//! The program `gatehouse`: the command line, and the only place that knows every room.

mod address;
mod cli;
mod config;
mod demo;
mod descriptors;
mod doctor;
mod house;
mod inspect;
mod password;
mod ports;
mod quick;
mod serve;
mod target;
mod telemetry;
mod ticket;
mod tied;
mod trace;

use anyhow::{Context, Result};
use clap::Parser;
use cli::{AdminCommand, Cli, Command, ConfigCommand};
use std::process::ExitCode;

fn main() -> ExitCode {
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
        Command::Admin(AdminCommand::Link) => ticket::admin_link(common).await,
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
    Ok(())
}
