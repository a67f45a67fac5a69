//! Resources that the hub answers itself, as they are known here: by path, method and formats. What
//! stands behind them is the shell's.
//! Invariant: knows no resource's meaning, and holds none of their answers.

use super::message::code;

/// A resource that the hub answers itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Local {
    /// Its last segment.
    pub name: &'static str,
    /// Its resource type, as boards look for it with `?rt=`.
    pub kind: &'static str,
    /// What may be done with it.
    pub method: Method,
    /// The content formats it can be had in, the one given to whoever names none first.
    pub gives: &'static [u16],
}

/// What may be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET; to ask again is to ask anew.
    Get,
    /// POST of a body in this content format; done once for each message id.
    Post {
        /// The content format.
        takes: u16,
    },
}

impl Method {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Get => code::GET,
            Self::Post { .. } => code::POST,
        }
    }
}

/// Local resources under one base path, or none, with or without a label between.
#[derive(Debug, Default)]
pub(super) struct Locals {
    base: &'static str,
    label: Box<str>,
    list: &'static [Local],
}

impl Locals {
    pub(super) fn new(base: &'static str, label: &str, list: &'static [Local]) -> Self {
        Self { base, label: label.into(), list }
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.list.len()
    }

    /// The resource at `path`, and its place.
    pub(super) fn find(&self, path: &[u8]) -> Option<(usize, &'static Local)> {
        let path = str::from_utf8(path).ok()?;
        let rest = match self.base {
            "" => path,
            base => path.strip_prefix(base)?.strip_prefix('/')?,
        };
        let labelled = rest.strip_prefix(&*self.label).and_then(|rest| rest.strip_prefix('/'));
        let name = labelled.unwrap_or(rest);
        self.list.iter().enumerate().find(|(_, local)| local.name == name)
    }

    /// Each with its path, the label left out: the shortest is what a board should use.
    pub(super) fn each(&self) -> impl Iterator<Item = (String, &'static Local)> {
        self.list.iter().map(|local| match self.base {
            "" => (local.name.to_owned(), local),
            base => (format!("{base}/{}", local.name), local),
        })
    }
}
