//! Lines out of the bytes of a UART: of a modem that is on one, or of the person who sets a board up.
//!
//! Invariant: a line that is too long is dropped as a whole; what comes behind it is not.

use alloc::string::String;
use alloc::vec::Vec;

/// Characters of the longest line; a signing request in base64 has some 900.
pub const LINE_MAX: usize = 4096;

/// Gathers bytes until a line is whole.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    gathered: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// Takes a byte; gives the line that it ends. Empty ones, those that are too long and those that are not
    /// text are left out.
    pub fn take(&mut self, byte: u8) -> Option<String> {
        match byte {
            b'\r' | b'\n' => {
                let line = core::mem::take(&mut self.gathered);
                let is_whole = !core::mem::take(&mut self.is_too_long) && !line.is_empty();
                is_whole.then(|| String::from_utf8(line).ok()).flatten()
            }
            _ if self.gathered.len() >= LINE_MAX => {
                self.is_too_long = true;
                None
            }
            _ => {
                self.gathered.push(byte);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::default();
        bytes.iter().filter_map(|byte| lines.take(*byte)).collect()
    }

    #[test]
    fn lines_end_in_either_way_and_empty_ones_are_none() {
        assert_eq!(lines(b"\r\nOK\r\n\r\n+CEREG: 1\nhalf"), ["OK", "+CEREG: 1"]);
    }

    #[test]
    fn what_is_too_long_is_dropped_and_the_next_is_not() {
        let mut bytes = [b'x'; LINE_MAX + 1].to_vec();
        bytes.extend_from_slice(b"\r\nOK\r\n");
        assert_eq!(lines(&bytes), ["OK"]);
    }

    proptest! {
        #[test]
        fn any_bytes_make_lines_of_at_most_the_longest(bytes: Vec<u8>) {
            for line in lines(&bytes) {
                prop_assert!(!line.is_empty() && line.len() <= LINE_MAX && !line.contains('\n'));
            }
        }
    }
}
