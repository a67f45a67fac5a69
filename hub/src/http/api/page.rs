//! Pages of lists: `?limit=` how many, `?after=` behind which; the answer says how to go on.
//!
//! A cursor is the key of a page's last item, in base64url: whoever holds one goes on where the page
//! ended, however much was added or removed meanwhile. Invariant: a cursor is opaque to clients
//! and trusted by nobody: it names a place in an order, never something that may be seen.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Code, Problem};

/// Items of a page where the client does not say.
const LIMIT: u16 = 50;
/// Items of the largest page.
pub(super) const LIMIT_MAX: u16 = 500;
/// Characters of the longest cursor.
const CURSOR_MAX: usize = 512;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many items at most: 50 where nothing is said.
    #[param(minimum = 1, maximum = 500, required = false)]
    pub(super) limit: Option<u16>,
    /// `next` of the page before.
    #[param(required = false)]
    pub(super) after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// Its items, in the list's order.
    pub(super) items: Vec<T>,
    /// What to give as `after` for the next page; none behind the last.
    pub(super) next: Option<String>,
}

impl Paging {
    /// How many items the page may have.
    ///
    /// # Errors
    /// [`Code::Invalid`] for none, or too many.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(LIMIT) {
            limit @ 1..=LIMIT_MAX => Ok(usize::from(limit)),
            _ => {
                let detail = format_args!("limit is to be from 1 to {LIMIT_MAX}");
                Err(Problem::new(Code::Invalid, detail))
            }
        }
    }

    /// The key that the page begins behind.
    ///
    /// # Errors
    /// [`Code::Invalid`] for what no page gave.
    pub(super) fn after(&self) -> Result<Option<Vec<u8>>, Problem> {
        self.after.as_deref().map(decode).transpose()
    }

    /// The same, of keys that are text of this kind.
    ///
    /// # Errors
    /// As [`Paging::after`].
    pub(super) fn after_text<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        let Some(key) = self.after()? else { return Ok(None) };
        let parsed = std::str::from_utf8(&key).ok().and_then(|text| text.parse().ok());
        parsed.map(Some).ok_or_else(no_cursor)
    }
}

impl Paging {
    /// The cursor behind the item of this key.
    pub(super) fn cursor(key: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(key)
    }
}

fn decode(cursor: &str) -> Result<Vec<u8>, Problem> {
    if cursor.len() > CURSOR_MAX {
        return Err(no_cursor());
    }
    URL_SAFE_NO_PAD.decode(cursor).map_err(|_| no_cursor())
}

fn no_cursor() -> Problem {
    Problem::new(Code::Invalid, "after is to be `next` of the page before")
}

impl<T> Page<T> {
    /// A page of at most `limit` of these items, which come in their keys' order and one more than
    /// fit where there are more.
    ///
    /// # Errors
    /// The first error among them.
    pub(super) fn of<K: AsRef<[u8]>, E: Into<Problem>>(
        items: impl Iterator<Item = Result<(K, T), E>>,
        limit: usize,
    ) -> Result<Self, Problem> {
        let mut items = items.fuse();
        let mut page = Vec::with_capacity(limit.min(usize::from(LIMIT_MAX)));
        let mut last = None;
        for item in items.by_ref().take(limit) {
            let (key, item) = item.map_err(Into::into)?;
            last = Some(Paging::cursor(key.as_ref()));
            page.push(item);
        }
        let more = items.next().transpose().map_err(Into::into)?.is_some();
        Ok(Self { items: page, next: last.filter(|_| more) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(all: &[String], paging: &Paging) -> Page<String> {
        let after = paging.after().unwrap();
        let behind = all.iter().filter(|key| after.as_deref().is_none_or(|a| key.as_bytes() > a));
        let keyed = behind.map(|key| Ok::<_, Problem>((key.as_bytes().to_vec(), key.clone())));
        Page::of(keyed, paging.limit().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn pages_one_behind_the_other_are_the_list(
            all in prop::collection::btree_set("[a-z]{1,5}", 0..40),
            limit in 1..10_u16,
        ) {
            let all: Vec<String> = all.into_iter().collect();
            let mut paging = Paging { limit: Some(limit), after: None };
            let mut seen = Vec::new();
            loop {
                let Page { items, next } = page(&all, &paging);
                prop_assert!(items.len() <= usize::from(limit));
                seen.extend(items);
                match next {
                    Some(next) => paging.after = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn any_text_is_a_cursor_or_refused(after in any::<String>()) {
            let paging = Paging { limit: None, after: Some(after) };
            let _ = (paging.after(), paging.after_text::<storage::BoardId>());
        }
    }

    #[test]
    fn a_page_has_bounds() {
        for limit in [0, 501, u16::MAX] {
            let refused = Paging { limit: Some(limit), after: None }.limit().unwrap_err();
            assert_eq!(refused.code(), Code::Invalid);
        }
        assert_eq!(Paging::default().limit().unwrap(), 50);
    }
}
