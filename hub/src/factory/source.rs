//! Where a station's signing requests come from: files, folders of files, standard input.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use storage::BoardId;

use super::forms::{FormError, Reader};
use crate::trust::est::{CSR_MAX, Csr};

/// Bytes of the largest file that is read; a hundred thousand requests have 60 MB.
const FILE_MAX: u64 = 1 << 30;

/// One board that is to be enrolled.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The hardware id that its request names.
    pub id: BoardId,
    /// The request's DER.
    pub csr: Vec<u8>,
}

/// A request that cannot be asked for: where it stands and why.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// The file, with the line.
    pub place: String,
    /// Why not.
    pub reason: String,
}

/// What stands at some place.
pub type Item = Result<Asked, Unfit>;

/// Every request in `path`: a file, or all files of a folder by name.
pub fn read(path: &Path) -> io::Result<Vec<Item>> {
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let file = entry?.path();
            let is_hidden =
                file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if file.is_file() && !is_hidden {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let mut items = Vec::new();
    for file in files {
        read_file(&file, &mut items)?;
    }
    Ok(items)
}

fn read_file(file: &PathBuf, items: &mut Vec<Item>) -> io::Result<()> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    let name = file.display().to_string();
    if bytes.first() == Some(&0x30) && bytes.len() <= CSR_MAX {
        items.push(asked(&name, None, bytes));
        return Ok(());
    }
    lines(&name, bytes.as_slice(), |item| items.push(item))
}

/// Gives each request to `take` as soon as its last line is there.
pub(super) fn lines(
    name: &str,
    from: impl io::BufRead,
    mut take: impl FnMut(Item),
) -> io::Result<()> {
    let mut reader = Reader::default();
    let unfit = |number: usize, error: FormError| {
        Err(Unfit { place: format!("{name}:{number}"), reason: error.to_string() })
    };
    let mut last = 0;
    for (number, line) in from.split(b'\n').enumerate() {
        last = number + 1;
        match reader.line(&String::from_utf8_lossy(&line?)) {
            None => {}
            Some(Ok(found)) => take(asked(&format!("{name}:{last}"), found.id, found.der)),
            Some(Err(error)) => take(unfit(last, error)),
        }
    }
    if let Some(error) = reader.end() {
        take(unfit(last, error));
    }
    Ok(())
}

/// Standard input, while it lasts.
pub fn standard_input(take: impl FnMut(Item)) -> io::Result<()> {
    lines("stdin", io::stdin().lock(), take)
}

fn asked(place: &str, named: Option<String>, csr: Vec<u8>) -> Item {
    let unfit = |reason: String| Unfit { place: place.to_owned(), reason };
    let id = Csr::parse(&csr).map_err(|error| unfit(error.to_string()))?.hardware_id;
    let id: BoardId = id.parse().map_err(|error: storage::InvalidName| unfit(error.to_string()))?;
    match named {
        Some(named) if named != id.as_str() => {
            Err(unfit(format!("the request is for {id}, and {named} stands beside it")))
        }
        _ => Ok(Asked { id, csr }),
    }
}
