//! What a query string says of boards: which, in what order, from where on.
//!
//! Names may be repeated, and unknown ones are refused: who misspells a filter is not given all
//! boards.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use storage::{
    AuthorityName, BoardFilter, Cursor, FirmwareVersion, HardwareName, LabelFilter, ProductName,
    Sort, Span, StateKind, TenantId, UnixSeconds,
};
use utoipa::{IntoParams, ToSchema};

use super::view::State;
use crate::http::api::moment::Moment;
use crate::http::api::page::LIMIT_MAX;
use crate::http::api::problem::{Code, Problem};
use crate::people::Reach;

/// Boards of a page where nothing is said.
const LIMIT: usize = 50;
/// Characters of the longest part of an id, label or cursor.
const TEXT_MAX: usize = 300;
/// How often a name may be repeated.
const REPEATED_MAX: usize = 20;

/// Which boards; those that fit everything that is said.
#[derive(Clone, Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::api) struct Asked {
    /// With this in their id, whatever the case.
    #[param(required = false, max_length = 300)]
    q: Option<String>,
    /// Of this tenant; repeated: of one of these.
    #[param(required = false, style = Form, explode, value_type = Vec<String>)]
    tenant: Vec<TenantId>,
    /// In this state; repeated: in one of these.
    #[param(required = false, inline, style = Form, explode, value_type = Vec<State>)]
    state: Vec<StateKind>,
    /// With this label, `key=value`, or `key` for any value. Repeated with one key: with one of these
    /// values; with several: with all of these.
    #[param(required = false, style = Form, explode, example = json!(["site=roof"]))]
    label: Vec<String>,
    /// With a certificate of this authority, as `acme/1`; repeated: of one of these, all one tenant's. Boards
    /// whose certificate was not seen since authorities have numbers are not among them.
    #[param(required = false, style = Form, explode, value_type = Vec<String>, example = json!(["acme/1"]))]
    authority: Vec<AuthorityName>,
    /// Last heard before this moment.
    #[param(required = false, value_type = Option<String>, format = DateTime)]
    seen_before: Option<UnixSeconds>,
    /// Last heard then or later.
    #[param(required = false, value_type = Option<String>, format = DateTime)]
    seen_after: Option<UnixSeconds>,
    /// Ever heard, or never.
    #[param(required = false)]
    heard: Option<bool>,
    /// Added before this moment.
    #[param(required = false, value_type = Option<String>, format = DateTime)]
    created_before: Option<UnixSeconds>,
    /// Added then or later.
    #[param(required = false, value_type = Option<String>, format = DateTime)]
    created_after: Option<UnixSeconds>,
    /// With a certificate that ends before this moment.
    #[param(required = false, value_type = Option<String>, format = DateTime)]
    certificate_ends_before: Option<UnixSeconds>,
    /// With a certificate that ends then or later.
    #[param(required = false, value_type = Option<String>, format = DateTime)]
    certificate_ends_after: Option<UnixSeconds>,
    /// That said last that they run this version of their firmware; repeated: one of these.
    #[param(required = false, style = Form, explode, value_type = Vec<String>, example = json!(["1.4.0"]))]
    version: Vec<FirmwareVersion>,
    /// That said last that they are this product; repeated: one of these.
    #[param(required = false, style = Form, explode, value_type = Vec<String>)]
    product: Vec<ProductName>,
    /// That said last that they are this revision of the hardware; repeated: one of these.
    #[param(required = false, style = Form, explode, value_type = Vec<String>)]
    hardware: Vec<HardwareName>,
}

/// In what order, and which page.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::api) struct Listed {
    /// By what: `id`, `last_seen`, `created` or `certificate_end`, with `-` before it the other way
    /// round; boards of the same moment by id.
    #[param(required = false, inline, value_type = Option<SortBy>)]
    pub(super) sort: Sort,
    #[param(ignore)]
    pub(super) descending: bool,
    /// How many boards at most: 50 where nothing is said.
    #[param(required = false, value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub(super) limit: usize,
    /// `next` of the page before, of a list in the same order.
    #[param(required = false, value_type = Option<String>)]
    pub(super) after: Option<Cursor>,
}

/// What boards are sorted by.
#[derive(Debug, Serialize, ToSchema)]
#[expect(dead_code, reason = "the document is made of it")]
enum SortBy {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "-id")]
    IdDown,
    #[serde(rename = "last_seen")]
    LastSeen,
    #[serde(rename = "-last_seen")]
    LastSeenDown,
    #[serde(rename = "created")]
    Created,
    #[serde(rename = "-created")]
    CreatedDown,
    #[serde(rename = "certificate_end")]
    CertificateEnd,
    #[serde(rename = "-certificate_end")]
    CertificateEndDown,
}

/// Which labels' values are counted.
#[derive(Clone, Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ValuesOf {
    /// A label whose values are counted; may be repeated.
    #[param(required = false, style = Form, explode)]
    pub(super) values_of: Vec<String>,
}

/// The query of a list.
pub(super) struct ListQuery(pub(super) Asked, pub(super) Listed);

/// The query of counts.
pub(super) struct CountQuery(pub(super) Asked, pub(super) ValuesOf);

impl Default for Listed {
    fn default() -> Self {
        Self { sort: Sort::Id, descending: false, limit: LIMIT, after: None }
    }
}

impl Asked {
    /// What a query string says, as it stands in an address or is kept for later.
    ///
    /// # Errors
    /// [`Code::Malformed`] or [`Code::Invalid`], with the name that is wrong.
    pub(in crate::http::api) fn parse(query: &str) -> Result<Self, Problem> {
        let mut asked = Self::default();
        each(query, |name, value| asked.take(name, value))?;
        Ok(asked)
    }

    /// The same of a list's, which says its order as well.
    ///
    /// # Errors
    /// As [`Asked::parse`].
    pub(in crate::http::api) fn with(query: &str, listed: &mut Listed) -> Result<Self, Problem> {
        let mut asked = Self::default();
        each(query, |name, value| Ok(asked.take(name, value)? || listed.take(name, value)?))?;
        Ok(asked)
    }

    /// The filter, of what the caller may see.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a tenant that the caller has nothing to do with.
    pub(in crate::http::api) fn filter(mut self, reach: &Reach) -> Result<BoardFilter, Problem> {
        if let Some(hidden) = self.tenant.iter().find(|tenant| !reach.includes(tenant)) {
            return Err(Problem::unknown("tenant", hidden));
        }
        if let Some(hidden) = self.authority.iter().find(|it| !reach.includes(&it.tenant)) {
            return Err(Problem::unknown("authority", hidden));
        }
        let issuers = self.authority.iter().map(|name| Some(name.number)).collect();
        if let Some(AuthorityName { tenant, .. }) = self.authority.first() {
            if self.authority.iter().any(|other| other.tenant != *tenant) {
                return Err(Problem::new(
                    Code::Invalid,
                    "authority names those of one tenant alone",
                ));
            }
            if !self.tenant.is_empty() && !self.tenant.contains(tenant) {
                return Err(Problem::new(Code::Invalid, "authority is none of the tenant's"));
            }
            self.tenant = vec![tenant.clone()];
        }
        let tenants = match (self.tenant.is_empty(), reach) {
            (false, _) => Some(self.tenant),
            (true, Reach::Everywhere) => None,
            (true, Reach::Tenants(tenants)) => Some(tenants.iter().cloned().collect()),
        };
        let mut labels: Vec<LabelFilter> = Vec::new();
        for label in &self.label {
            let (key, value) = label
                .split_once('=')
                .map_or((label.as_str(), None), |(key, value)| (key, Some(value.to_owned())));
            match (labels.iter_mut().find(|known| known.key == key), value) {
                // Any value will do for the one, and these for the other: these.
                (Some(known), value) => known.values.extend(value),
                (None, value) => {
                    labels.push(LabelFilter {
                        key: key.to_owned(),
                        values: value.into_iter().collect(),
                    });
                }
            }
        }
        Ok(BoardFilter {
            tenants,
            states: self.state,
            issuers,
            id_contains: self.q,
            labels,
            created: Span { from: self.created_after, before: self.created_before },
            last_seen: Span { from: self.seen_after, before: self.seen_before },
            heard: self.heard,
            certificate_ends: Span {
                from: self.certificate_ends_after,
                before: self.certificate_ends_before,
            },
            versions: self.version,
            products: self.product,
            hardware: self.hardware,
        })
    }

    /// Takes in one name and value; whether it is one of its own.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        match name {
            "q" => once(name, &mut self.q, Ok(value.to_owned()))?,
            "tenant" => repeated(name, &mut self.tenant, value.parse().ok())?,
            "authority" => repeated(name, &mut self.authority, value.parse().ok())?,
            "state" => repeated(name, &mut self.state, state(value))?,
            "label" => repeated(name, &mut self.label, label(value))?,
            "seen_before" => once(name, &mut self.seen_before, moment(name, value))?,
            "seen_after" => once(name, &mut self.seen_after, moment(name, value))?,
            "heard" => once(name, &mut self.heard, value.parse().map_err(|_| wrong(name)))?,
            "created_before" => once(name, &mut self.created_before, moment(name, value))?,
            "created_after" => once(name, &mut self.created_after, moment(name, value))?,
            "certificate_ends_before" => {
                once(name, &mut self.certificate_ends_before, moment(name, value))?;
            }
            "certificate_ends_after" => {
                once(name, &mut self.certificate_ends_after, moment(name, value))?;
            }
            "version" => repeated(name, &mut self.version, value.parse().ok())?,
            "product" => repeated(name, &mut self.product, value.parse().ok())?,
            "hardware" => repeated(name, &mut self.hardware, value.parse().ok())?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Listed {
    fn take(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        match name {
            "sort" => {
                let (descending, by) = match value.strip_prefix('-') {
                    Some(by) => (true, by),
                    None => (false, value),
                };
                self.descending = descending;
                self.sort = match by {
                    "id" => Sort::Id,
                    "last_seen" => Sort::LastSeen,
                    "created" => Sort::Created,
                    "certificate_end" => Sort::CertificateEnd,
                    _ => return Err(wrong(name)),
                };
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                self.limit = limit.map(usize::from).ok_or_else(|| {
                    let detail = format_args!("limit is to be from 1 to {LIMIT_MAX}");
                    Problem::new(Code::Invalid, detail)
                })?;
            }
            "after" => {
                let bytes = URL_SAFE_NO_PAD.decode(value).ok();
                let cursor = bytes.and_then(|bytes| Cursor::from_bytes(&bytes));
                self.after = Some(cursor.ok_or_else(|| {
                    Problem::new(Code::Invalid, "after is to be `next` of the page before")
                })?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl FromRequest for ListQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut listed = Listed::default();
        ready(Asked::with(request.query_string(), &mut listed).map(|asked| Self(asked, listed)))
    }
}

impl FromRequest for CountQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut query = Self(Asked::default(), ValuesOf::default());
        let parsed = each(request.query_string(), |name, value| {
            if name == "values_of" {
                repeated(name, &mut query.1.values_of, Some(value.to_owned()))?;
                return Ok(true);
            }
            query.0.take(name, value)
        });
        ready(parsed.map(|()| query))
    }
}

/// Gives every name and its value to `take`, which says whether it is known.
fn each(
    query: &str,
    mut take: impl FnMut(&str, &str) -> Result<bool, Problem>,
) -> Result<(), Problem> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map_err(|_| Problem::new(Code::Malformed, "the query cannot be read"))?;
    for (name, value) in &pairs.0 {
        if value.len() > TEXT_MAX || value.contains(char::is_control) {
            return Err(wrong(name));
        }
        if !take(name, value)? {
            let detail = format_args!("there is no parameter {name:?} here");
            return Err(Problem::new(Code::Malformed, detail));
        }
    }
    Ok(())
}

fn once<T>(name: &str, to: &mut Option<T>, value: Result<T, Problem>) -> Result<(), Problem> {
    if to.is_some() {
        return Err(Problem::new(Code::Malformed, format_args!("{name} is given twice")));
    }
    *to = Some(value?);
    Ok(())
}

fn repeated<T>(name: &str, to: &mut Vec<T>, value: Option<T>) -> Result<(), Problem> {
    if to.len() == REPEATED_MAX {
        let detail = format_args!("{name} is given more than {REPEATED_MAX} times");
        return Err(Problem::new(Code::Invalid, detail));
    }
    to.push(value.ok_or_else(|| wrong(name))?);
    Ok(())
}

fn state(value: &str) -> Option<StateKind> {
    StateKind::ALL.into_iter().find(|kind| State::from(*kind).as_str() == value)
}

fn label(value: &str) -> Option<String> {
    (!value.is_empty() && !value.starts_with('=')).then(|| value.to_owned())
}

fn moment(name: &str, value: &str) -> Result<UnixSeconds, Problem> {
    let Moment(at) = value.parse().map_err(|_| wrong(name))?;
    Ok(at)
}

fn wrong(name: &str) -> Problem {
    Problem::new(Code::Invalid, format_args!("the value of {name:?} is none there can be"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(query: &str) -> BoardFilter {
        Asked::parse(query).unwrap().filter(&Reach::Everywhere).unwrap()
    }

    #[test]
    fn labels_of_one_key_are_a_choice_and_of_several_all_wanted() {
        let labels = filter("label=site%3Droof&label=site=a%3Db&label=model").labels;
        let site = LabelFilter { key: "site".into(), values: vec!["roof".into(), "a=b".into()] };
        let model = LabelFilter { key: "model".into(), values: vec![] };
        assert_eq!(labels, [site, model]);
    }

    #[test]
    fn a_filter_goes_no_further_than_the_caller_may_see() {
        let acme: TenantId = "acme".parse().unwrap();
        let reach = Reach::Tenants([acme.clone()].into());
        let within = |query: &str| Asked::parse(query).unwrap().filter(&reach);
        assert_eq!(within("").unwrap().tenants, Some(vec![acme.clone()]));
        assert_eq!(within("tenant=acme").unwrap().tenants, Some(vec![acme]));
        assert_eq!(within("tenant=acme&tenant=other").unwrap_err().code(), Code::NotFound);
        let nowhere = Asked::default().filter(&Reach::Tenants([].into())).unwrap();
        assert_eq!(nowhere.tenants, Some(vec![]));
        assert_eq!(filter("").tenants, None);
    }

    #[test]
    fn an_authority_is_of_a_tenant_that_the_caller_may_see() {
        let acme: TenantId = "acme".parse().unwrap();
        let numbers = |filter: BoardFilter| {
            let all = filter.issuers.into_iter().flatten();
            (filter.tenants, all.map(storage::AuthorityNumber::get).collect::<Vec<_>>())
        };
        let both = filter("authority=acme/1&authority=acme%2F2&tenant=acme&tenant=other");
        assert_eq!(numbers(both), (Some(vec![acme.clone()]), vec![1, 2]));
        let reach = Reach::Tenants([acme].into());
        let refused = |query: &str| Asked::parse(query).unwrap().filter(&reach).unwrap_err().code();
        assert_eq!(refused("authority=other/1"), Code::NotFound);
        assert_eq!(refused("authority=acme/1&authority=other/1"), Code::NotFound);
        let of_two = Asked::parse("authority=acme/1&authority=other/1").unwrap();
        assert_eq!(of_two.filter(&Reach::Everywhere).unwrap_err().code(), Code::Invalid);
        assert_eq!(refused("authority=acme/1&tenant=other"), Code::NotFound);
    }

    #[test]
    fn what_is_misspelt_is_refused_by_name() {
        for (query, code, name) in [
            ("stat=active", Code::Malformed, "stat"),
            ("q=a&q=b", Code::Malformed, "q"),
            ("state=aktiv", Code::Invalid, "state"),
            ("tenant=A", Code::Invalid, "tenant"),
            ("label==x", Code::Invalid, "label"),
            ("authority=acme", Code::Invalid, "authority"),
            ("seen_before=yesterday", Code::Invalid, "seen_before"),
            ("heard=maybe", Code::Invalid, "heard"),
            ("q=%00", Code::Invalid, "q"),
            ("version=1.2", Code::Invalid, "version"),
            ("product=a%20b", Code::Invalid, "product"),
        ] {
            let refused = Asked::parse(query).unwrap_err();
            assert_eq!(refused.code(), code, "{query}");
            assert!(refused.to_string().contains(name), "{query}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in any::<String>()) {
            let _ = Asked::parse(&query);
        }

        #[test]
        fn any_value_is_read_or_refused(
            name in prop::sample::select(vec![
                "q", "tenant", "authority", "state", "label", "seen_before", "heard", "sort", "limit", "after",
                "version", "product", "hardware",
            ]),
            value in any::<String>(),
        ) {
            let (mut asked, mut listed) = (Asked::default(), Listed::default());
            let _ = (asked.take(name, &value), listed.take(name, &value));
            let _ = asked.filter(&Reach::Everywhere);
        }
    }
}
