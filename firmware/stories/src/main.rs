//! Boards in QEMU, from reset on: one story after the other, each on a board of its own, and at the end how
//! many of them came out as they should.
//!
//! `scripts/firmware stories` builds the images and calls this.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program that says how it went"
)]

mod bench;
mod stories;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::bench::Bench;

/// Boots boards in QEMU and tells whether they did what they must.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the images that `scripts/firmware build` makes.
    #[arg(long)]
    images: PathBuf,
    /// The program imgtool.
    #[arg(long)]
    imgtool: PathBuf,
    /// Stories to play, by their names; without any, all of them.
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let bench = match Bench::new(arguments.images, arguments.imgtool) {
        Ok(bench) => bench,
        Err(error) => {
            eprintln!("stories: {error}");
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<_> = stories::ALL
        .iter()
        .filter(|(name, _)| arguments.names.is_empty() || arguments.names.iter().any(|n| n == name))
        .collect();
    if chosen.is_empty() {
        eprintln!("stories: there is none of that name; there are:");
        stories::ALL.iter().for_each(|(name, _)| eprintln!("  {name}"));
        return ExitCode::from(2);
    }
    let mut passed = 0;
    for (name, story) in &chosen {
        let begun = Instant::now();
        let told = story(&bench);
        let took = begun.elapsed().as_secs_f32();
        match told {
            Ok(()) => {
                passed += 1;
                println!("ok      {took:6.1} s  {name}");
            }
            Err(failure) => println!("FAILED  {took:6.1} s  {name}: {failure}"),
        }
    }
    println!("{passed} of {} stories passed", chosen.len());
    if passed == chosen.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
