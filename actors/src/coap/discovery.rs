//! The resources of a tenant, and what `GET /.well-known/core` says of them (RFC 6690).
//! Built when the tenant's routes change and shared by all its sessions.

use std::borrow::Cow;

use super::local::{Local, Locals};

/// Where discovery lives.
pub(super) const WELL_KNOWN_CORE: &[u8] = b".well-known/core";

/// Where the time of day is told; no route can have this path.
pub(super) const TIME: &[u8] = wire::resource::TIME.as_bytes();

/// The resource type of the time.
const TIME_TYPE: &str = "hub.time";

/// The resource type of a route, as boards look for it with `?rt=`.
const RESOURCE_TYPE: &str = "hub.uplink";

/// The paths a tenant's boards may POST or PUT to.
#[derive(Debug, Default)]
pub struct Resources {
    /// Sorted by path; the number is the place in the list given to `new`.
    by_path: Box<[(Box<str>, usize)]>,
    locals: Vec<Locals>,
    /// Below which the hub gives out files.
    files: Option<&'static str>,
    links: String,
}

impl Resources {
    /// Takes the paths of the routes ("t", "r/x"); deliveries name them by their place in this
    /// order. Of two equal paths the first counts.
    pub fn new(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut by_path: Vec<(Box<str>, usize)> =
            paths.into_iter().enumerate().map(|(at, path)| (path.as_ref().into(), at)).collect();
        by_path.sort();
        by_path.dedup_by(|later, earlier| later.0 == earlier.0);
        let by_path = by_path.into();
        let mut resources = Self { by_path, locals: Vec::new(), files: None, links: String::new() };
        resources.links = resources.links_where(|_, _| true);
        resources
    }

    /// The same with what the hub itself answers under `base`, and under `label` below it.
    #[must_use]
    pub fn with_locals(mut self, base: &'static str, label: &str, list: &'static [Local]) -> Self {
        self.locals.push(Locals::new(base, label, list));
        self.links = self.links_where(|_, _| true);
        self
    }

    /// The same with files below `base`, each by the first eight bytes of its SHA-256 in hexadecimal.
    #[must_use]
    pub fn with_files(mut self, base: &'static str) -> Self {
        self.files = Some(base);
        self
    }

    /// The local resource at a path, and its place in the lists, one behind the other.
    pub(super) fn local(&self, path: &[u8]) -> Option<(usize, &'static Local)> {
        let mut before = 0;
        for locals in &self.locals {
            if let Some((place, local)) = locals.find(path) {
                return Some((before + place, local));
            }
            before += locals.count();
        }
        None
    }

    /// The file at a path, whether there is one or not.
    pub(super) fn file(&self, path: &[u8]) -> Option<[u8; 8]> {
        let path = str::from_utf8(path).ok()?;
        let name = path.strip_prefix(self.files?)?.strip_prefix('/')?;
        let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if name.len() != 16 || !name.bytes().all(is_lower_hex) {
            return None;
        }
        Some(u64::from_str_radix(name, 16).ok()?.to_be_bytes())
    }

    /// The place of a path.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        let found = self.by_path.binary_search_by(|(known, _)| known.as_bytes().cmp(path)).ok()?;
        self.by_path.get(found).map(|&(_, at)| at)
    }

    /// Link format of the resources that match every query; all of them without one.
    pub(super) fn links<'q>(
        &self,
        queries: impl Iterator<Item = &'q [u8]> + Clone,
    ) -> Cow<'_, str> {
        if queries.clone().next().is_none() {
            return Cow::Borrowed(&self.links);
        }
        let all = |path: &str, kind: &str| queries.clone().all(|query| matches(path, kind, query));
        Cow::Owned(self.links_where(all))
    }

    /// Routes first, by path; then what the hub itself serves.
    fn links_where(&self, wanted: impl Fn(&str, &str) -> bool) -> String {
        let routes = self.by_path.iter().map(|(path, _)| (&**path, RESOURCE_TYPE));
        let mut links: Vec<String> = routes
            .filter(|(path, _)| path.as_bytes() != TIME)
            .chain([(wire::resource::TIME, TIME_TYPE)])
            .filter(|(path, kind)| wanted(path, kind))
            .map(|(path, kind)| format!("</{path}>;rt=\"{kind}\""))
            .collect();
        let locals = self.locals.iter().flat_map(Locals::each);
        let locals = locals.filter(|(path, local)| wanted(path, local.kind));
        links.extend(locals.map(|(path, local)| {
            let formats: Vec<String> = local.gives.iter().map(ToString::to_string).collect();
            format!("</{path}>;rt=\"{}\";ct=\"{}\"", local.kind, formats.join(" "))
        }));
        links.join(",")
    }
}

/// `href` and `rt` are known, each whole or as a prefix before `*` (section 4.1).
fn matches(path: &str, kind: &str, query: &[u8]) -> bool {
    let Some((name, wanted)) = str::from_utf8(query).ok().and_then(|query| query.split_once('='))
    else {
        return false;
    };
    let fits = |value: &str| match wanted.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == wanted,
    };
    match name {
        "href" => wanted.strip_prefix('/').is_some() && fits(&format!("/{path}")),
        "rt" => fits(kind),
        _ => false,
    }
}
