//! A command that a running hub carries out: asked for here, and carried out in the hub.
//!
//! Invariant: the same types read the command on both sides, and only what a hub may do for others
//! is done.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;

use super::backup::not_asked;
use super::invocation::{InHub, Invocation, Place};
use super::output::{Form, Output, To};
use super::{CommandLine, Failure, Files, output, secret};
use crate::admin::Admin;
use crate::config::Config;
use crate::control::run::{self, End, Handed, Piece, Run};
use crate::control::{self, Reply, Runner};
use crate::trust::{Pki, TrustError, new_key, private_key_pem, write_new, write_new_secret};
use crate::vault::Vault;

/// Bytes of the largest file that a command hands over: room for its head is left in the request.
const FILE_MAX: u64 = (run::BODY_MAX - (1 << 20)) as u64;

/// Has the hub that has the store in `dir` open do what this process was asked for, with the `files`
/// that the command names.
pub(super) fn ask(dir: &Path, files: &Files) -> Result<ExitCode, Failure> {
    if let Some(file) = files.made.iter().chain(&files.keys).find(|file| file.exists()) {
        return Err(TrustError::Exists { file: file.clone() }.into());
    }
    let mut read = handed_over(files)?;
    let keys = MadeKeys::make(&files.keys, &mut read)?;
    let run = Run { arguments: arguments()?, folder: std::env::current_dir()?, files: read };
    let code = ask_to_run(dir, &run, files)?;
    if code == 0 {
        keys.keep();
    }
    Ok(ExitCode::from(code))
}

/// Keys that were made for a command, here, where they stay: the hub is told their public halves. They
/// are removed again unless the command succeeds.
struct MadeKeys(Vec<PathBuf>);

impl MadeKeys {
    fn make(files: &[PathBuf], told: &mut BTreeMap<PathBuf, Handed>) -> Result<Self, Failure> {
        let mut made = Self(Vec::new());
        for file in files {
            let key = new_key()?;
            write_new_secret(file, &private_key_pem(&key)?)?;
            made.0.push(file.clone());
            let public = key.public_key_to_pem();
            told.insert(file.clone(), public.map_err(|_| TrustError::RequestKeyUnsuited)?.into());
        }
        Ok(made)
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for MadeKeys {
    fn drop(&mut self) {
        for file in &self.0 {
            // It is of no use; where it cannot be removed, the next try says that it is there.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Has the hub run it, and gives the exit code; the files it leaves are written, if it succeeds.
fn ask_to_run(dir: &Path, run: &Run, files: &Files) -> Result<u8, Failure> {
    let mut answer = control::ask_to_run(dir, run).map_err(|error| not_asked(error, dir))?.body;
    let mut to = io::stdout().lock();
    let mut made: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    loop {
        let broke_off = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Failure::Unusable(String::from(
                "the running hub broke off; whether it did what was asked, its log says",
            )),
            _ => Failure::Unusable(format!("the running hub's answer cannot be read: {error}")),
        };
        match Piece::read(&mut answer).map_err(broke_off)? {
            Piece::Output(bytes) => to.write_all(&bytes)?,
            Piece::File(file) if files.made.contains(&file) => made.push((file, Vec::new())),
            Piece::Content(part) => {
                if let Some((_, content)) = made.last_mut() {
                    content.extend(part);
                }
            }
            Piece::File(file) => {
                let file = file.display();
                let why = format!("the running hub wants {file} written, which nobody asked for");
                return Err(Failure::Unusable(why));
            }
            Piece::End(End { code, complaint }) => {
                to.flush()?;
                // A command that failed leaves nothing in the way of the next try.
                for (file, content) in made.iter().filter(|_| code == 0) {
                    write_new(file, content)?;
                }
                if !complaint.is_empty() {
                    output::complain_in_words(&complaint);
                }
                return Ok(code);
            }
        }
    }
}

fn arguments() -> Result<Vec<String>, Failure> {
    let said = |argument: std::ffi::OsString| {
        argument.into_string().map_err(|argument| {
            let argument = argument.to_string_lossy().into_owned();
            Failure::Unusable(format!("a running hub takes UTF-8 alone, and not {argument}"))
        })
    };
    std::env::args_os().skip(1).map(said).collect()
}

fn handed_over(files: &Files) -> Result<BTreeMap<PathBuf, Handed>, Failure> {
    let plain = files.read.iter().map(|file| hand_over(file));
    let secret = files.secret.iter().map(|file| Ok((file.clone(), Handed(secret::read(file)?))));
    plain.chain(secret).collect()
}

fn hand_over(file: &Path) -> Result<(PathBuf, Handed), Failure> {
    let failed = |source| TrustError::File { doing: "read", file: file.to_owned(), source };
    if std::fs::metadata(file).map_err(failed)?.len() > FILE_MAX {
        let file = file.display();
        return Err(Failure::Unusable(format!("{file} is longer than {FILE_MAX} bytes")));
    }
    Ok((file.to_owned(), std::fs::read(file).map_err(failed)?.into()))
}

/// Carries commands out in a hub of this configuration.
pub(crate) fn runner(config: Config, admin: Admin, pki: Pki, vault: Vault) -> Runner {
    Arc::new(move |run, reply| {
        let Run { arguments, folder, files } = run;
        let (config, admin, pki) = (config.clone(), admin.clone(), pki.clone());
        let hub = InHub { config, admin, pki, vault: vault.clone(), folder, files };
        match carry_out(&arguments, hub, reply) {
            Ok(()) => End::default(),
            Err(failure) if failure.is_silent() => End::default(),
            Err(failure) => End { code: failure.code(), complaint: output::one_line(&failure) },
        }
    })
}

fn carry_out(arguments: &[String], hub: InHub, reply: &Reply) -> Result<(), Failure> {
    let line = std::iter::once("cellular-hub").chain(arguments.iter().map(String::as_str));
    let line = CommandLine::try_parse_from(line).map_err(|_| {
        let version = env!("CARGO_PKG_VERSION");
        Failure::Unusable(format!("the running hub is {version} and knows no such command"))
    })?;
    if line.command.in_a_hub().is_none() {
        return Err(Failure::not_in_a_hub());
    }
    let form = if line.common.json { Form::Json } else { Form::Text };
    let output = Output { form, to: To::Client(Arc::clone(reply)) };
    line.command.run(&Invocation { place: Place::Hub(Box::new(hub)), output })
}
