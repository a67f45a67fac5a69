//! `store check`: reads everything in a store and says what does not add up.
//!
//! One function a tree, in [`WALKS`]; a tree without one is named and measured. The sessions' file,
//! the boards' rows and their histories count as three more. Invariant: nothing
//! is repaired or written.

mod walks;

use std::collections::BTreeMap;

use serde::Serialize;

use self::walks::WALKS;
use crate::store::histories::TREE as HISTORIES;
use crate::store::rows::FILE as ROWS;
use crate::store::sessions::RECORDS;
use crate::store::tree::Tree;
use crate::store::{Inner, printable};
use crate::{Store, StoreError};

/// Problems that are kept word for word; the others are only counted.
pub const PROBLEMS_MAX: usize = 100;

/// What a check found.
#[derive(Debug, Clone, Default, Serialize, serde::Deserialize)]
pub struct Report {
    /// Each tree there is, by name.
    pub trees: BTreeMap<String, TreeReport>,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problems_total: u64,
}

/// One tree.
#[derive(Debug, Clone, Default, Serialize, serde::Deserialize)]
pub struct TreeReport {
    /// How many records it has.
    pub records: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
    /// How many problems it has.
    pub problems: u64,
    /// Whether this hub knows what is in it.
    pub is_known: bool,
}

/// Something that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Problem {
    /// In which tree.
    pub tree: String,
    /// At which key, as text or in hexadecimal.
    pub key: String,
    /// What is wrong there.
    pub what: String,
}

impl Store {
    /// Checks every record and every index, both ways; `progress` is called with the records read
    /// since its last call. Whoever would change the registry waits meanwhile.
    ///
    /// # Errors
    /// None for what is wrong in the store: that is in the report.
    pub fn check(&self, progress: impl FnMut(u64)) -> Result<Report, StoreError> {
        let names = self.tree_names()?;
        let _writer = self.inner.writer();
        let mut walk = Walk {
            inner: &self.inner,
            tree: String::new(),
            report: Report::default(),
            progress: Box::new(progress),
            since: 0,
        };
        for name in names.into_iter().filter(|name| name != "__sled__default") {
            let known = WALKS.iter().find(|(tree, _)| *tree == name);
            walk.begin(&name, known.is_some());
            match known {
                Some((_, check)) => check(&mut walk),
                None => walks::unknown(&mut walk),
            }
        }
        walk.begin(RECORDS, true);
        walks::sessions(&mut walk);
        walk.begin(ROWS, true);
        walks::rows(&mut walk);
        walk.begin(HISTORIES, true);
        walks::histories(&mut walk);
        (walk.progress)(walk.since);
        Ok(walk.report)
    }
}

/// A check under way, at one tree.
struct Walk<'a> {
    inner: &'a Inner,
    tree: String,
    report: Report,
    progress: Box<dyn FnMut(u64) + 'a>,
    since: u64,
}

impl Walk<'_> {
    fn begin(&mut self, tree: &str, is_known: bool) {
        tree.clone_into(&mut self.tree);
        self.report.trees.insert(tree.to_owned(), TreeReport { is_known, ..TreeReport::default() });
    }

    /// Gives each entry of the tree to `check`, which says what is wrong with it.
    fn each(&mut self, mut check: impl FnMut(&Inner, &[u8], &[u8]) -> Result<(), String>) {
        let tree = match Tree::open(&self.inner.db, &self.tree, &self.inner.health) {
            Ok(tree) => tree,
            Err(error) => return self.problem(b"", error.to_string()),
        };
        for entry in tree.iter() {
            match entry {
                Ok((key, value)) => {
                    self.count(key.len() + value.len());
                    if let Err(what) = check(self.inner, &key, &value) {
                        self.problem(&key, what);
                    }
                }
                Err(error) => self.problem(b"", format!("the rest cannot be read: {error}")),
            }
        }
    }

    fn count(&mut self, bytes: usize) {
        if let Some(tree) = self.report.trees.get_mut(&self.tree) {
            tree.records += 1;
            tree.bytes += bytes as u64;
        }
        self.since += 1;
        if self.since == 1000 {
            (self.progress)(self.since);
            self.since = 0;
        }
    }

    fn problem(&mut self, key: &[u8], what: String) {
        if let Some(tree) = self.report.trees.get_mut(&self.tree) {
            tree.problems += 1;
        }
        self.report.problems_total += 1;
        if self.report.problems.len() < PROBLEMS_MAX {
            let (tree, key) = (self.tree.clone(), readable(key));
            self.report.problems.push(Problem { tree, key, what });
        }
    }
}

/// A key as text where it is some, else in hexadecimal.
fn readable(key: &[u8]) -> String {
    let is_text = key.iter().all(|byte| byte.is_ascii_graphic() || *byte == 0);
    match is_text {
        true => printable(key),
        false => key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests;
