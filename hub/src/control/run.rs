//! A command that a running hub carries out for a process of its own user, and its answer.
//!
//! The request's body is one line of JSON, the arguments, the folder they were given in, and the names
//! and lengths of the files that the command reads; then what these hold, one after the other, to the
//! end of what the client says. The answer's body is frames: a byte of kind, four of length (big-endian),
//! and the bytes. `o` is standard output, `f` the name of a file to write, `d` a piece of that file, `x`
//! the end: the exit code in one byte, then the line of complaint.
//!
//! Invariant: no file of the client's is opened by the hub, and what has no `x` at its end broke off.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes of the longest body of a request: a list of a million hardware ids has 33 million at most.
pub const BODY_MAX: usize = 64 << 20;

/// Bytes of the line that a body begins with.
pub const HEAD_MAX: usize = 64 * 1024;

/// Bytes of the longest frame.
const FRAME_MAX: usize = 1 << 20;

/// Bytes of output that become one frame.
const OUTPUT: usize = 32 * 1024;

/// What is to be run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Run {
    /// The command line behind the program's name.
    pub arguments: Vec<String>,
    /// The folder that relative paths count from.
    pub folder: PathBuf,
    /// What the files hold that the command reads, by the names they have in the arguments; secrets
    /// may be among them.
    pub files: BTreeMap<PathBuf, Handed>,
}

/// What a file holds; wiped when it is dropped, for it may be a secret.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Handed(pub Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for Handed {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl std::fmt::Debug for Handed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The line that a body begins with.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head {
    arguments: Vec<String>,
    folder: PathBuf,
    /// Names, and how many bytes each has behind the line.
    files: BTreeMap<PathBuf, usize>,
}

/// How many bytes a body has by the line that it begins with; no more than it may have.
pub fn body_len(head: &[u8]) -> usize {
    let read: Option<Head> = serde_json::from_slice(head).ok();
    let files = read.into_iter().flat_map(|head| head.files.into_values());
    let files = files.fold(0_usize, usize::saturating_add);
    head.len().saturating_add(files).min(BODY_MAX)
}

impl Run {
    /// The request in a body; an error is the reason to answer with, in one line.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        if body.len() > BODY_MAX {
            return Err(format!("a command with its files has at most {BODY_MAX} bytes"));
        }
        let end = body.iter().take(HEAD_MAX).position(|byte| *byte == b'\n');
        let (head, mut rest) = body.split_at(end.unwrap_or(body.len().min(HEAD_MAX)));
        // Its own words would repeat what was said, with whatever is in it.
        let Head { arguments, folder, files } = serde_json::from_slice(head).map_err(|error| {
            format!("this is no command of this version: column {}", error.column())
        })?;
        rest = rest.get(1..).unwrap_or_default();
        let mut read = BTreeMap::new();
        for (path, length) in files {
            let whole = rest.split_at_checked(length);
            let (file, behind) = whole.ok_or("a file of the command is cut short")?;
            read.insert(path, file.to_vec().into());
            rest = behind;
        }
        match rest.is_empty() {
            true => Ok(Self { arguments, folder, files: read }),
            false => Err(String::from("there is something behind the files of the command")),
        }
    }

    /// The body of this request.
    pub fn body(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let files = self.files.iter().map(|(path, file)| (path.clone(), file.0.len())).collect();
        let (arguments, folder) = (self.arguments.clone(), self.folder.clone());
        let mut head = serde_json::to_vec(&Head { arguments, folder, files })?;
        head.push(b'\n');
        // Room for all of it: a buffer that grows leaves copies behind.
        let bytes: usize = self.files.values().map(|file| file.0.len()).sum();
        let mut body = Zeroizing::new(Vec::with_capacity(head.len() + bytes));
        body.extend_from_slice(&head);
        self.files.values().for_each(|file| body.extend_from_slice(&file.0));
        Ok(body)
    }
}

/// How a command ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct End {
    /// Its exit code.
    pub code: u8,
    /// The line of complaint; empty for none.
    pub complaint: String,
}

/// A piece of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Standard output.
    Output(Vec<u8>),
    /// A file that the command leaves, as it is named in the arguments; anybody may read it.
    File(PathBuf),
    /// What it holds, or the next part of that.
    Content(Vec<u8>),
    /// The end.
    End(End),
}

impl Piece {
    /// The next piece; an answer without an end is an error.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 5];
        from.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "this is no hub's answer");
        if length > FRAME_MAX {
            return Err(malformed());
        }
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        match kind {
            b'o' => Ok(Self::Output(bytes)),
            b'f' => Ok(Self::File(serde_json::from_slice(&bytes)?)),
            b'd' => Ok(Self::Content(bytes)),
            b'x' => {
                let (code, complaint) = bytes.split_first().ok_or_else(malformed)?;
                let complaint = String::from_utf8_lossy(complaint).into_owned();
                Ok(Self::End(End { code: *code, complaint }))
            }
            _ => Err(malformed()),
        }
    }
}

/// An answer as it is written: what is written to it is standard output.
pub struct Answering<W: Write> {
    to: W,
    output: Vec<u8>,
}

impl<W: Write> Answering<W> {
    /// Writes pieces to `to`.
    pub fn new(to: W) -> Self {
        Self { to, output: Vec::with_capacity(OUTPUT) }
    }

    /// Has the client write a file.
    pub fn file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.flush_output()?;
        frame(&mut self.to, b'f', &serde_json::to_vec(path)?)?;
        bytes.chunks(FRAME_MAX).try_for_each(|part| frame(&mut self.to, b'd', part))
    }

    /// The end; nothing comes after it.
    pub fn end(&mut self, end: &End) -> io::Result<()> {
        self.flush_output()?;
        let text = end.complaint.as_bytes();
        let text = text.get(..text.len().min(OUTPUT)).unwrap_or_default();
        frame(&mut self.to, b'x', &[&[end.code], text].concat())?;
        self.to.flush()
    }

    fn flush_output(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            frame(&mut self.to, b'o', &self.output)?;
            self.output.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for Answering<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(OUTPUT);
        self.output.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.output.len() >= OUTPUT {
            self.flush_output()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_output()?;
        self.to.flush()
    }
}

fn frame(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    to.write_all(&[kind])?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_body_is_a_command_or_one_line_of_reason(body in any::<Vec<u8>>()) {
            if let Err(reason) = Run::parse(&body) {
                prop_assert!(!reason.contains('\n'));
            }
        }

        #[test]
        fn a_command_reads_back(
            arguments in prop::collection::vec(".*", 0..5),
            folder in ".*",
            files in prop::collection::btree_map("[^\0]*", any::<Vec<u8>>(), 0..3),
        ) {
            let files = files.into_iter().map(|(path, bytes)| (path.into(), bytes.into())).collect();
            let run = Run { arguments, folder: folder.into(), files };
            prop_assert_eq!(Run::parse(&run.body().unwrap()), Ok(run));
        }

        #[test]
        fn any_bytes_are_pieces_or_an_error(bytes in any::<Vec<u8>>()) {
            let mut from = bytes.as_slice();
            while Piece::read(&mut from).is_ok() {}
        }

        #[test]
        fn an_answer_reads_back(
            output in prop::collection::vec(any::<u8>(), 0..100_000),
            length in 0..3 * FRAME_MAX,
            code in any::<u8>(),
            complaint in ".{0,80}",
        ) {
            let mut bytes = Vec::new();
            let mut to = Answering::new(&mut bytes);
            let end = End { code, complaint };
            to.write_all(&output).unwrap();
            let file = vec![7; length];
            to.file(Path::new("cb.pem"), &file).unwrap();
            to.end(&end).unwrap();
            let (mut from, mut heard, mut files) = (bytes.as_slice(), Vec::new(), 0);
            let mut content = Vec::new();
            let heard_end = loop {
                match Piece::read(&mut from).unwrap() {
                    Piece::Output(piece) => heard.extend(piece),
                    Piece::File(_) => files += 1,
                    Piece::Content(part) => content.extend(part),
                    Piece::End(end) => break end,
                }
            };
            prop_assert_eq!((heard, files, heard_end), (output, 1, end));
            prop_assert!(content == file);
            prop_assert!(from.is_empty());
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(Run::parse(&vec![b' '; BODY_MAX + 1]).unwrap_err().contains("at most"));
        assert!(!Run::parse(br#"{"a\nb":1}"#).unwrap_err().contains('\n'));
        let head =
            |files: &str| format!("{{\"arguments\":[],\"folder\":\"/\",\"files\":{{{files}}}}}");
        let parse = |text: String| Run::parse(text.as_bytes());
        assert_eq!(parse(head("\"a\":2") + "\nxy").unwrap().files[Path::new("a")].0[..], b"xy"[..]);
        for (text, reason) in [
            (head("\"a\":3") + "\nxy", "cut short"),
            (head("\"a\":18446744073709551615") + "\nxy", "cut short"),
            (head("\"a\":1") + "\nxy", "behind the files"),
            (head("") + "\nx", "behind the files"),
            (" ".repeat(HEAD_MAX) + &head(""), "no command"),
        ] {
            assert!(parse(text).unwrap_err().contains(reason), "{reason}");
        }
        assert!(Piece::read(&mut [b'o', 255, 255, 255, 255].as_slice()).is_err());
        assert!(Piece::read(&mut [b'x', 0, 0, 0, 0].as_slice()).is_err());
    }
}
