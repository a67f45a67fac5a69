//! `/audit`: who did what, and whether that is still what was written.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use storage::{AuditEntry, TenantId};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::cli::in_one_line;
use crate::people::{Permission, Reach};
use crate::trust::CheckpointError;

/// Entries that are looked at for one page: a rare thing is found over several.
const LOOKED_AT: usize = 20_000;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct View {
    /// Its number.
    number: u64,
    /// When.
    at: Moment,
    /// Who did it.
    #[schema(example = "user:anna@example.com")]
    who: String,
    /// From where, over the network.
    source: Option<String>,
    /// What, as a noun and a verb.
    #[schema(example = "board.block")]
    what: String,
    /// To what.
    #[schema(example = "CB-1")]
    subject: String,
    /// Whose that is, where it is a tenant's.
    tenant: Option<String>,
    /// The rest: what there was before and after, reasons. Never a secret.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

impl View {
    fn of(number: u64, entry: AuditEntry) -> Self {
        let event = entry.event;
        Self {
            number,
            at: event.at.into(),
            who: event.who,
            source: event.source.map(|source| source.to_string()),
            what: event.what,
            subject: event.subject,
            tenant: event.tenant.map(|tenant| tenant.to_string()),
            detail: serde_json::from_str(&event.detail).unwrap_or_default(),
        }
    }
}

/// Which page, and of which.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// How many items at most: 50 where nothing is said.
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(required = false)]
    after: Option<String>,
    /// Only by whoever has this in their name.
    #[param(required = false)]
    who: Option<String>,
    /// Only what begins so: `board.` or `board.block`.
    #[param(required = false)]
    what: Option<String>,
    /// Only what was done to this.
    #[param(required = false)]
    subject: Option<String>,
    /// Only what was done to this tenant's.
    #[param(value_type = Option<String>, required = false)]
    tenant: Option<TenantId>,
    /// Only from then on.
    #[param(value_type = Option<String>, required = false)]
    since: Option<Moment>,
    /// Only until then.
    #[param(value_type = Option<String>, required = false)]
    until: Option<Moment>,
}

impl Which {
    fn is_wanted(&self, entry: &AuditEntry, reach: &Reach) -> bool {
        let event = &entry.event;
        let is_seen = match &event.tenant {
            Some(tenant) => reach.includes(tenant),
            None => *reach == Reach::Everywhere,
        };
        is_seen
            && self.who.as_ref().is_none_or(|who| event.who.contains(who.as_str()))
            && self.what.as_ref().is_none_or(|what| event.what.starts_with(what.as_str()))
            && self.subject.as_ref().is_none_or(|subject| event.subject == *subject)
            && self.tenant.as_ref().is_none_or(|tenant| event.tenant.as_ref() == Some(tenant))
            && self.since.is_none_or(|since| event.at >= since.0)
            && self.until.is_none_or(|until| event.at <= until.0)
    }
}

/// What was done, the latest first.
///
/// A page may have fewer items than `limit`, or none, and be followed by others: `next` says.
#[utoipa::path(
    tag = "audit",
    operation_id = "list_audit",
    extensions(("x-permission" = json!("audit:read"))),
    params(Which),
    responses((status = 200, body = Page<View>)),
)]
#[get("/audit")]
pub(super) async fn list(
    caller: Caller,
    which: web::Query<Which>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::AuditRead)?;
    let which = which.into_inner();
    let paging = Paging { limit: which.limit, after: which.after.clone() };
    let (limit, before) = (paging.limit()?, paging.after()?);
    let before = before.map(|key| <[u8; 8]>::try_from(key).map(u64::from_be_bytes)).transpose();
    let before = before.map_err(|_| Problem::new(Code::Invalid, "after is no entry's"))?;
    let page = api.run(&caller, move |admin| {
        let audit = admin.store().audit()?;
        let mut number = match before {
            Some(before) => before.saturating_sub(1),
            None => audit.head()?.entries,
        };
        let mut items = Vec::new();
        for _ in 0..LOOKED_AT {
            if number == 0 || items.len() == limit {
                break;
            }
            if let Some(entry) = audit.entry(number)?
                && which.is_wanted(&entry, &reach)
            {
                items.push(View::of(number, entry));
            }
            number -= 1;
        }
        let behind = (number + 1).to_be_bytes();
        let next = (number > 0).then(|| Paging::cursor(&behind));
        Ok::<_, Problem>(Page { items, next })
    });
    Ok(web::Json(page.await?))
}

/// Whether the log is what was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    /// Whether it is.
    holds: bool,
    /// What is wrong.
    broken: Option<String>,
    /// How many entries it has.
    entries: Option<u64>,
    /// The last one's digest: whoever writes it down elsewhere notices any later change.
    digest: Option<String>,
    /// How many entries a signed checkpoint vouches for.
    signed: Option<u64>,
    /// When the last checkpoint was signed.
    signed_at: Option<Moment>,
}

/// Follow the whole log, and hold it against its signed checkpoints.
#[utoipa::path(
    tag = "audit",
    operation_id = "verify_audit",
    extensions(("x-permission" = json!("audit:read"))),
    responses((status = 200, body = Verification)),
)]
#[get("/audit/verification")]
pub(super) async fn verify(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<Verification>, Problem> {
    caller.require(Permission::AuditRead, &Scope::Hub)?;
    let checkpoints = api.checkpoints().clone();
    let verified = api.blocking(move || match checkpoints.verify() {
        Ok(found) => Ok(Verification {
            holds: true,
            broken: None,
            entries: Some(found.head.entries),
            digest: Some(found.head.digest.to_string()),
            signed: Some(found.signed),
            signed_at: found.signed_at.map(Moment::from),
        }),
        Err(
            error @ (CheckpointError::Store(_)
            | CheckpointError::Key(_)
            | CheckpointError::Admin(_)),
        ) => Err(Problem::internal(&error)),
        Err(broken) => Ok(Verification {
            holds: false,
            broken: Some(in_one_line(&broken)),
            entries: None,
            digest: None,
            signed: None,
            signed_at: None,
        }),
    });
    Ok(web::Json(verified.await?))
}
