//! What keeps this process's memory to itself: it holds keys, whatever command it runs.
//!
//! Invariant: called before anything secret is read.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core file is written of this process, and no other process of its user may look into it
/// (ptrace, /proc/PID/mem).
///
/// # Errors
/// The system's.
pub fn keep_memory_to_itself() -> io::Result<()> {
    // Both, for a limit of nought does not keep a core from a program that takes it through a pipe.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
