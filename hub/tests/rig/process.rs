//! A program run by a test: its output is kept, and it never outlives the test.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::eventually;

/// A running child with its output so far.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    pub stdout: Arc<Output>,
    pub stderr: Arc<Output>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Self::spawn_reading(command, Stdio::piped())
    }

    /// The same, with something else than the test for its standard input.
    pub fn spawn_reading(command: &mut Command, stdin: Stdio) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stdout = Output::collect(child.stdout.take().unwrap());
        let stderr = Output::collect(child.stderr.take().unwrap());
        Self { name, stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Runs a command to its end and returns what it said.
    pub fn run(command: &mut Command, limit: Duration) -> Finished {
        Self::run_reading(command, &[], limit)
    }

    /// The same, with something to read on standard input.
    pub fn run_reading(command: &mut Command, input: &[u8], limit: Duration) -> Finished {
        let mut process = Self::spawn(command);
        if !input.is_empty() {
            process.write(input);
        }
        process.close_stdin();
        let status = process.wait(limit);
        Finished { status, stdout: process.stdout.all(), stderr: process.stderr.all() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin was closed");
        stdin.write_all(bytes).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        stdin.flush().unwrap();
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends the signal named as kill(1) names it.
    pub fn signal(&self, signal: &str) {
        let status =
            Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status();
        assert!(status.unwrap().success(), "cannot send {signal} to {}", self.name);
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let name = format!("{} ends", self.name);
        let child = &mut self.child;
        eventually(&name, limit, || child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that ran to its end.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// What a child has written to one of its streams.
#[derive(Default)]
pub struct Output {
    state: Mutex<Collected>,
    changed: Condvar,
}

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    fn collect(mut stream: impl Read + Send + 'static) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let writer = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let read = stream.read(&mut chunk).unwrap_or(0);
                let mut state = writer.state.lock().unwrap();
                state.bytes.extend_from_slice(&chunk[..read]);
                state.ended = read == 0;
                writer.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        output
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().bytes.clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The whole output of a child that has ended.
    fn all(&self) -> String {
        let state = self.state.lock().unwrap();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(5), |state| !state.ended)
            .unwrap();
        String::from_utf8_lossy(&state.bytes).into_owned()
    }

    /// Waits until `wanted` finds what it looks for in the output; fails the test when it does not.
    pub fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl FnMut(&[u8]) -> Option<T>,
    ) -> T {
        self.poll(limit, wanted)
            .unwrap_or_else(|| panic!("never seen: {what}; the output was:\n{}", self.text()))
    }

    /// Waits until `wanted` finds what it looks for, the limit is over or the child has ended.
    pub fn poll<T>(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = wanted(&state.bytes) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for a line that contains `text` and returns it.
    pub fn wait_for_line(&self, text: &str, limit: Duration) -> String {
        self.wait(text, limit, |bytes| {
            let seen = String::from_utf8_lossy(bytes);
            let whole = &seen[..seen.rfind('\n')?];
            whole.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }
}
