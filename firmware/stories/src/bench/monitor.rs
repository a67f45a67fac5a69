//! QEMU's monitor (QMP): commands to the machine as a whole.
//!
//! Never looks into its memory.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Failure, Told};

pub(crate) struct Monitor {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Monitor {
    /// Connects, as soon as QEMU listens.
    pub(crate) fn connect(path: &Path) -> Told<Self> {
        let writer = connect(path)?;
        let reader = writer.try_clone().map_err(Failure::bench("the monitor's socket"))?;
        let mut monitor = Self { reader: BufReader::new(reader), writer };
        monitor.line()?;
        monitor.run("qmp_capabilities")?;
        Ok(monitor)
    }

    /// Runs a command without arguments; what happens meanwhile is passed over.
    pub(crate) fn run(&mut self, command: &str) -> Told {
        // In one piece: what ends the machine ends it at the closing brace.
        let request = format!("{}\n", json!({ "execute": command }));
        self.writer.write_all(request.as_bytes()).map_err(Failure::bench("the monitor"))?;
        loop {
            let said = self.line()?;
            if said.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = said.get("error") {
                return Err(Failure::Tool(format!("qemu refuses {command}: {error}")));
            }
        }
    }

    fn line(&mut self) -> Told<Value> {
        let mut line = String::new();
        self.reader.read_line(&mut line).map_err(Failure::bench("the monitor"))?;
        serde_json::from_str(&line).map_err(|_| Failure::Tool(format!("qemu says: {line}")))
    }
}

/// Connects to a socket that a program just started is about to make.
pub(crate) fn connect(path: &Path) -> Told<UnixStream> {
    let begun = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                let patience = Some(Duration::from_secs(20));
                stream.set_read_timeout(patience).map_err(Failure::bench("a socket of qemu"))?;
                return Ok(stream);
            }
            Err(error) if begun.elapsed() > Duration::from_secs(20) => {
                return Err(Failure::Bench { what: path.display().to_string(), source: error });
            }
            Err(_) => thread::yield_now(),
        }
    }
}
