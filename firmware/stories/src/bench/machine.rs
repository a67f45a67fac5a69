//! A board that is switched on: a QEMU of its own, whose UART is read and whose flash is kept.
//!
//! Never waits for ever: a board that says nothing has failed.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::debugger::Debugger;
use super::monitor::Monitor;
use super::{Board, Failure, MAP, Told};

/// How long a board may take to say what is expected. A start takes a second, and giving up on a hub that is
/// silent three quarters of a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// Where the emulated flash looks how much longer there is power.
const PLUG: u32 = 0x8000_0000;
/// Where stacks are, memory is filled with something that is not there by chance.
const STACK: u32 = 0x8000;
const UNTOUCHED: u8 = 0xa5;

/// Whose stack.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stack {
    /// The bootloader's, and the probe's: to the end of the memory.
    Bootloader,
    /// The application's: to where it leaves what failed.
    Application,
}

impl Stack {
    fn begin(self) -> u32 {
        let end = match self {
            Self::Bootloader => MAP.memory.end(),
            Self::Application => 0x3803_0000,
        };
        end - STACK
    }
}

pub(crate) struct Machine {
    process: Child,
    monitor: Monitor,
    debug_port: PathBuf,
    lines: Receiver<String>,
    /// What it has said so far, for whoever has to find out why.
    said: Vec<String>,
    board: Board,
    _folder: TempDir,
}

impl Machine {
    pub(crate) fn start(board: Board, operations: Option<u32>) -> Told<Self> {
        let folder = TempDir::new().map_err(Failure::bench("a folder"))?;
        let (monitor, debug_port) = (folder.path().join("monitor"), folder.path().join("debug"));
        let socket = |path: &PathBuf| format!("unix:{},server=on,wait=off", path.display());
        let (network, modem) = match board.modem {
            Some(port) => ("user,model=lan9118", format!("tcp:{}:{port}", Ipv4Addr::LOCALHOST)),
            None => ("none", "null".to_owned()),
        };
        let mut process = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an505", "-display", "none", "-monitor", "none", "-S"])
            .args(["-serial", "stdio", "-serial", &modem, "-nic", network])
            .args(["-qmp", &socket(&monitor)])
            .args(["-gdb", &socket(&debug_port)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::bench("qemu-system-arm, which scripts/install brings"))?;
        let (sender, lines) = channel();
        if let Some(said) = process.stdout.take() {
            thread::spawn(move || {
                BufReader::new(said).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
            });
        }
        let monitor = Monitor::connect(&monitor)?;
        let said = Vec::new();
        let mut machine =
            Self { process, monitor, debug_port, lines, said, board, _folder: folder };
        let mut debugger = Debugger::connect(&machine.debug_port)?;
        debugger.write(MAP.address, machine.board.flash())?;
        let stack = usize::try_from(STACK).unwrap_or_default();
        for of in [Stack::Bootloader, Stack::Application] {
            debugger.write(of.begin(), &vec![UNTOUCHED; stack])?;
        }
        if let Some(operations) = operations {
            // The one after them is done by half.
            debugger.write(PLUG, &(operations + 1).to_le_bytes())?;
        }
        // The processor takes its first address at a reset.
        machine.monitor.run("system_reset")?;
        debugger.detach()?;
        Ok(machine)
    }

    /// The next line that begins so; what comes before it is remembered.
    pub(crate) fn hears(&mut self, begin: &str) -> Told<String> {
        self.hears_one_of(&[begin])
    }

    pub(crate) fn hears_one_of(&mut self, begins: &[&str]) -> Told<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                let said = self.said.join(" | ");
                return Err(Failure::Board(format!("{begins:?} was never said: {said}")));
            };
            self.said.push(line.clone());
            if begins.iter().any(|begin| line.starts_with(begin)) {
                return Ok(line);
            }
        }
    }

    /// A number that the board says, as `name=7` in a line.
    pub(crate) fn number(line: &str, name: &str) -> Told<u32> {
        let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        word.and_then(|number| number.parse().ok())
            .ok_or_else(|| Failure::Board(format!("no {name} in: {line}")))
    }

    /// Says `words` where the board says something else.
    pub(crate) fn expect(&mut self, begin: &str, words: &[&str]) -> Told<String> {
        let line = self.hears(begin)?;
        match words.iter().find(|word| !line.split(' ').any(|one| one == **word)) {
            None => Ok(line),
            Some(missing) => Err(Failure::Board(format!("no {missing} in: {line}"))),
        }
    }

    /// Bytes of stack that were ever used since it was switched on, as far as they go.
    pub(crate) fn stack_used(mut self, of: Stack) -> Told<usize> {
        self.monitor.run("stop")?;
        let mut debugger = Debugger::connect(&self.debug_port)?;
        let stack = usize::try_from(STACK).unwrap_or_default();
        let bytes = debugger.read(of.begin(), stack)?;
        Ok(stack - bytes.iter().take_while(|byte| **byte == UNTOUCHED).count())
    }

    /// Switches it off; what is in its flash stays.
    pub(crate) fn power_off(mut self) -> Told<Board> {
        self.monitor.run("stop")?;
        let mut debugger = Debugger::connect(&self.debug_port)?;
        // After a reset the port sees what is secure, whatever ran before.
        self.monitor.run("system_reset")?;
        let flash = debugger.read(MAP.address, self.board.flash().len())?;
        self.monitor.run("quit")?;
        Ok(Board { flash, modem: self.board.modem })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
