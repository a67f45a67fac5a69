//! Boards in QEMU, from reset on: stories, each on a board of its own, and at the end how many of them came
//! out as they should.
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
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
    /// The program cellular-hub.
    #[arg(long)]
    hub: PathBuf,
    /// Stories to play, by their names; without any, all of them.
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let bench = match Bench::new(arguments.images, arguments.imgtool, arguments.hub) {
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
    let (next, passed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let play = || {
        while let Some((name, story)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let told = story(&bench);
            let took = begun.elapsed().as_secs_f32();
            match told {
                Ok(remark) => {
                    passed.fetch_add(1, Ordering::Relaxed);
                    println!("ok      {took:6.1} s  {name}{remark}");
                }
                Err(failure) => println!("FAILED  {took:6.1} s  {name}: {failure}"),
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        (0..workers).for_each(|_| drop(scope.spawn(play)));
    });
    print!("{}", bench.figures);
    let passed = passed.into_inner();
    println!("{passed} of {} stories passed", chosen.len());
    if passed == chosen.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
