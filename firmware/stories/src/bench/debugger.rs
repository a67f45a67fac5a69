//! The processor's debug port, spoken to in GDB's remote protocol: how flash is put into a board, and
//! read back from it.
//!
//! Never steps, stops at or changes an instruction.

use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::monitor::connect;
use super::{Failure, Told};

/// Bytes in one packet; QEMU takes four thousand characters.
const PIECE: usize = 2000;

pub(crate) struct Debugger {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Debugger {
    /// Connects; the machine stands still from now on.
    pub(crate) fn connect(path: &Path) -> Told<Self> {
        let writer = connect(path)?;
        let reader = writer.try_clone().map_err(Failure::bench("the debug port"))?;
        Ok(Self { reader: BufReader::new(reader), writer })
    }

    pub(crate) fn write(&mut self, address: u32, bytes: &[u8]) -> Told {
        let mut at = address;
        for piece in bytes.chunks(PIECE) {
            let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            let said = self.ask(&format!("M{at:x},{:x}:{hex}", piece.len()))?;
            if said != "OK" {
                return Err(Failure::Tool(format!("the debug port refuses {at:#x}: {said}")));
            }
            at = at.saturating_add(u32::try_from(piece.len()).unwrap_or_default());
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, address: u32, length: usize) -> Told<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = address.saturating_add(u32::try_from(bytes.len()).unwrap_or_default());
            let wanted = PIECE.min(length - bytes.len());
            let said = self.ask(&format!("m{at:x},{wanted:x}"))?;
            let digit = |place: usize| said.get(place..place + 2);
            let piece = (0..said.len())
                .step_by(2)
                .map(|place| digit(place).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
            let piece: Option<Vec<u8>> = piece.collect();
            match piece.filter(|piece| piece.len() == wanted) {
                Some(piece) => bytes.extend(piece),
                None => return Err(Failure::Tool(format!("no memory at {at:#x}: {said}"))),
            }
        }
        Ok(bytes)
    }

    /// Lets the machine run, and goes.
    pub(crate) fn detach(mut self) -> Told {
        self.ask("D").map(drop)
    }

    fn ask(&mut self, packet: &str) -> Told<String> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        let failed = "the debug port";
        write!(self.writer, "${packet}#{sum:02x}").map_err(Failure::bench(failed))?;
        let mut said = String::new();
        let mut byte = [0];
        // `+`, `$`, the answer, `#` and two digits.
        loop {
            self.reader.read_exact(&mut byte).map_err(Failure::bench(failed))?;
            match byte {
                [b'$'] => said.clear(),
                [b'#'] => break,
                [other] => said.push(char::from(other)),
            }
        }
        let mut sum = [0; 2];
        self.reader.read_exact(&mut sum).map_err(Failure::bench(failed))?;
        write!(self.writer, "+").map_err(Failure::bench(failed))?;
        Ok(said)
    }
}
