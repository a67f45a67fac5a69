//! A filter made ready to be asked of a million rows.

use super::{BoardFilter, LabelFilter, Span};
use crate::rows::{LABELS_MAX, Row, key_hash, label_hash, short, tenant_hash};
use crate::{AuthorityNumber, FirmwareVersion, StateKind};

/// What of a filter a row does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It fits.
    Fits,
    /// It fits but for one thing that is counted by itself.
    But(Part),
    /// It does not.
    Not,
}

/// A part of a filter that is left out when this very thing is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Tenant,
    State,
    /// Labels whose key has this hash.
    Label(u32),
    Firmware,
}

pub(crate) struct Matcher {
    tenants: Option<Vec<u64>>,
    states: Vec<StateKind>,
    id_contains: Vec<u8>,
    labels: Vec<Wanted>,
    created: Bounds,
    last_seen: Bounds,
    heard: Option<bool>,
    certificate_ends: Bounds,
    issuers: Vec<Option<AuthorityNumber>>,
    versions: Vec<FirmwareVersion>,
    products: Vec<u32>,
    hardware: Vec<u32>,
}

struct Wanted {
    filter: LabelFilter,
    key: u32,
    values: Vec<u32>,
}

/// A span of moments as rows have them; `None` without bounds.
struct Bounds(Option<(u32, u32)>);

impl Bounds {
    fn of(span: Span) -> Self {
        let Span { from, before } = span;
        Self((from.is_some() || before.is_some()).then(|| {
            (short(from).max(1), before.map_or(u32::MAX, |before| short(Some(before)) - 1))
        }))
    }

    fn has(&self, moment: u32) -> bool {
        self.0.is_none_or(|(from, to)| (from..=to).contains(&moment))
    }
}

impl Matcher {
    pub(crate) fn new(filter: &BoardFilter) -> Self {
        let hashes = |tenants: &Vec<_>| tenants.iter().map(tenant_hash).collect();
        let wanted = |label: &LabelFilter| Wanted {
            key: key_hash(&label.key),
            values: label.values.iter().map(|value| label_hash(&label.key, value)).collect(),
            filter: label.clone(),
        };
        Self {
            tenants: filter.tenants.as_ref().map(hashes),
            states: filter.states.clone(),
            id_contains: filter.id_contains.clone().unwrap_or_default().to_ascii_lowercase().into(),
            labels: filter.labels.iter().map(wanted).collect(),
            created: Bounds::of(filter.created),
            last_seen: Bounds::of(filter.last_seen),
            heard: filter.heard,
            certificate_ends: Bounds::of(filter.certificate_ends),
            issuers: filter.issuers.clone(),
            versions: filter.versions.clone(),
            products: filter.products.iter().map(|name| key_hash(name.as_str())).collect(),
            hardware: filter.hardware.iter().map(|name| key_hash(name.as_str())).collect(),
        }
    }

    /// Looks at a row; `has_label` is asked where the row has no room for all labels.
    pub(crate) fn look<E>(
        &self,
        state: StateKind,
        row: Row<'_>,
        has_label: impl Fn(&LabelFilter) -> Result<bool, E>,
    ) -> Result<Look, E> {
        let heard = row.last_seen() != 0;
        let fits = self.last_seen.has(row.last_seen())
            && self.heard.is_none_or(|wanted| wanted == heard)
            && self.created.has(row.created())
            && self.certificate_ends.has(row.certificate_end())
            && (self.issuers.is_empty() || self.issuers.contains(&row.issuer()))
            && contains(row.id(), &self.id_contains);
        if !fits {
            return Ok(Look::Not);
        }
        let mut look = Look::Fits;
        if self.tenants.as_ref().is_some_and(|tenants| !tenants.contains(&row.tenant())) {
            look = look.but(Part::Tenant);
        }
        if !self.states.is_empty() && !self.states.contains(&state) {
            look = look.but(Part::State);
        }
        if !self.runs_it(row) {
            look = look.but(Part::Firmware);
        }
        for wanted in &self.labels {
            if look == Look::Not {
                break;
            }
            let is_there = row.labels().any(|(key, pair)| {
                key == wanted.key && (wanted.values.is_empty() || wanted.values.contains(&pair))
            });
            let may_be = row.label_count() > LABELS_MAX;
            if !(is_there || may_be && has_label(&wanted.filter)?) {
                look = look.but(Part::Label(wanted.key));
            }
        }
        Ok(look)
    }

    fn runs_it(&self, row: Row<'_>) -> bool {
        if self.versions.is_empty() && self.products.is_empty() && self.hardware.is_empty() {
            return true;
        }
        row.runs().is_some_and(|runs| {
            (self.versions.is_empty() || self.versions.contains(&runs.version))
                && (self.products.is_empty() || self.products.contains(&runs.product))
                && (self.hardware.is_empty() || self.hardware.contains(&runs.hardware))
        })
    }
}

impl Look {
    fn but(self, part: Part) -> Self {
        match self {
            Self::Fits => Self::But(part),
            Self::But(other) if other == part => self,
            Self::But(_) | Self::Not => Self::Not,
        }
    }
}

/// Whether `part`, in lower case, is in an id of whatever case.
fn contains(id: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else { return true };
    let Some(last) = id.len().checked_sub(part.len()) else { return false };
    let is_first = |byte: &u8| byte.to_ascii_lowercase() == *first;
    let mut starts = (0..=last).filter(|at| id.get(*at).is_some_and(is_first));
    starts.any(|at| {
        let here = id.get(at + 1..at + part.len()).unwrap_or_default();
        here.iter().map(u8::to_ascii_lowercase).eq(rest.iter().copied())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_id_is_found_wherever_it_stands_and_in_whatever_case() {
        for (id, part, found) in [
            ("CB-0001", "", true),
            ("CB-0001", "cb-0001", true),
            ("CB-0001", "0001", true),
            ("CB-0001", "b-", true),
            ("CB-0001", "0002", false),
            ("CB-0001", "cb-00011", false),
            ("aab", "ab", true),
        ] {
            assert_eq!(contains(id.as_bytes(), part.as_bytes()), found, "{part} in {id}");
        }
    }
}
