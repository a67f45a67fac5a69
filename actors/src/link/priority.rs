//! Lets the threads of handshakes and of the front door yield to those with sessions.

use rustix::process::setpriority_process;

/// Ten steps are a ninth of the processor beside a busy thread of ordinary priority, all of it beside
/// idle ones: a flood of handshakes is slowed, the boards that have a session are not.
const NICENESS: i32 = 10;

/// Lowers the priority of the calling thread.
pub(crate) fn yield_to_sessions() {
    // On Linux "the process" of no id is the calling thread, and anybody may be nicer.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread kept its priority");
    }
}
