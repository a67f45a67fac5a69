//! A thread that seals sessions under the current data key which nothing else writes: those that sleep
//! on. When none is left under an older key, that key goes.
//!
//! Invariant: it takes its time; no session waits for it longer than for one record.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use storage::{KeyId, StoreError};

use super::Vault;

/// How often it looks whether there are older keys.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause behind some hundred slots: a million of them in three minutes, at a tenth of a core.
const PAUSE: Duration = Duration::from_millis(50);
/// How long keys that could not go are left alone: what does not open is under them.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// The thread; it ends when this is dropped.
pub struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Starts it for a vault whose sessions are open.
    ///
    /// # Errors
    /// The system's, which gives no thread.
    pub fn start(vault: Vault) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name(String::from("vault"))
            .spawn(move || sweep(&vault, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

/// Whether nobody wants it to stop within `pause`.
fn goes_on(stopped: &Receiver<()>, pause: Duration) -> bool {
    stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
}

fn sweep(vault: &Vault, stopped: &Receiver<()>) {
    let mut left: Option<(BTreeSet<KeyId>, Instant)> = None;
    while goes_on(stopped, LOOK_EVERY) {
        let older: BTreeSet<_> = vault.keyring().older().into_iter().collect();
        let was_tried =
            left.as_ref().is_some_and(|(keys, at)| *keys == older && at.elapsed() < AGAIN_AFTER);
        if older.is_empty() || was_tried {
            continue;
        }
        match once(vault, stopped) {
            Ok(None) => return,
            Ok(Some((sessions, retired))) => {
                let retired = retired.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                tracing::info!(sessions, retired, "sessions are sealed under the current data key");
            }
            Err(error) => tracing::error!(%error, "sessions stay under older data keys"),
        }
        left = Some((vault.keyring().older().into_iter().collect(), Instant::now()));
    }
}

/// One way through all slots: how many sessions were sealed anew, and which keys went; `None` when it
/// was stopped.
fn once(vault: &Vault, stopped: &Receiver<()>) -> Result<Option<(u64, Vec<KeyId>)>, StoreError> {
    let store = vault.store();
    let (mut sessions, mut next) = (0, Some(0));
    while let Some(first) = next {
        let (count, further) = store.reseal_sessions(first)?;
        (sessions, next) = (sessions + count, further);
        if !goes_on(stopped, PAUSE) {
            return Ok(None);
        }
    }
    Ok(Some((sessions, vault.retire()?)))
}
