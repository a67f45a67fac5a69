//! How many boards of each kind fit a filter.

use actix_web::{get, web};
use serde::Serialize;
use storage::{
    BoardQuery, Counted, FacetCounts, Facets as Wanted, FirmwareCount, FirmwareCounts, StateKind,
    TenantId,
};
use utoipa::ToSchema;

use super::asked::{Asked, CountQuery, ValuesOf};
use super::view::State;
use crate::http::api::caller::Caller;
use crate::http::api::problem::Problem;
use crate::http::api::serving::Api;
use crate::people::Permission;

/// How many boards of each kind fit; each kind counted without what the filter says of it, so that
/// the other choices show.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Facets {
    /// How many boards fit in all.
    total: u64,
    /// By state.
    states: Vec<CountedState>,
    /// By tenant, the largest first.
    tenants: Vec<CountedName>,
    /// How many have a label of this key, the most frequent first.
    keys: Vec<CountedName>,
    /// By the values of the labels that were asked for.
    values: Vec<Values>,
    /// By what they run, as they said last.
    firmware: FirmwareFacet,
}

/// Which firmware boards run.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct FirmwareFacet {
    /// The most frequent first; 200 at most.
    kinds: Vec<CountedFirmware>,
    /// Boards that run something else.
    others: u64,
    /// Boards that have never said what they run.
    unknown: u64,
}

/// A version of a product on a revision of its hardware, and how many boards run it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct CountedFirmware {
    /// The kind of product that they are.
    #[schema(example = "valve")]
    product: String,
    /// The revision of their hardware.
    hardware: String,
    /// The version that they run.
    #[schema(example = "1.4.0")]
    version: String,
    /// How many.
    boards: u64,
}

/// A state, and how many boards are in it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct CountedState {
    /// The state.
    value: State,
    /// How many.
    boards: u64,
}

/// A name, and how many boards have it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct CountedName {
    /// The name.
    value: String,
    /// How many.
    boards: u64,
}

/// A label's values.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Values {
    /// The label's key.
    key: String,
    /// Its values, the most frequent first; 50 at most.
    values: Vec<CountedName>,
    /// Boards with other values.
    others: u64,
}

impl From<Counted<StateKind>> for CountedState {
    fn from(Counted { value, boards }: Counted<StateKind>) -> Self {
        Self { value: value.into(), boards }
    }
}

impl From<Counted<String>> for CountedName {
    fn from(Counted { value, boards }: Counted<String>) -> Self {
        Self { value, boards }
    }
}

impl From<Counted<TenantId>> for CountedName {
    fn from(Counted { value, boards }: Counted<TenantId>) -> Self {
        Self { value: value.to_string(), boards }
    }
}

impl From<FirmwareCounts> for FirmwareFacet {
    fn from(FirmwareCounts { kinds, others, unknown }: FirmwareCounts) -> Self {
        let kind = |FirmwareCount { product, hardware, version, boards }| CountedFirmware {
            product,
            hardware,
            version: version.to_string(),
            boards,
        };
        Self { kinds: kinds.into_iter().map(kind).collect(), others, unknown }
    }
}

fn all<T, C: From<T>>(counts: Vec<T>) -> Vec<C> {
    counts.into_iter().map(C::from).collect()
}

/// How many boards of each state, tenant, label and firmware fit a filter.
#[utoipa::path(
    tag = "boards",
    operation_id = "count_boards",
    extensions(("x-permission" = json!("boards:read"))),
    params(Asked, ValuesOf),
    responses((status = 200, body = Facets)),
)]
#[get("/boards/facets")]
pub(in crate::http::api) async fn facets(
    caller: Caller,
    CountQuery(asked, wanted): CountQuery,
    api: web::Data<Api>,
) -> Result<web::Json<Facets>, Problem> {
    let reach = caller.reach(Permission::BoardsRead)?;
    let filter = asked.filter(&reach)?;
    let values_of = wanted.values_of;
    let facets = Wanted { states: true, tenants: true, keys: true, values_of, firmware: true };
    let query = BoardQuery { filter, facets, ..BoardQuery::default() };
    let page = api.run(&caller, move |admin| admin.store().boards().query(&query)).await?;
    let FacetCounts { states, tenants, keys, values, firmware } = page.counts;
    let seen = tenants.into_iter().filter(|counted| reach.includes(&counted.value)).collect();
    let values = values.into_iter().map(|of| Values {
        key: of.key,
        values: all(of.values),
        others: of.others,
    });
    let (states, tenants, keys) = (all(states), all(seen), all(keys));
    let (values, firmware) = (values.collect(), firmware.into());
    Ok(web::Json(Facets { total: page.total, states, tenants, keys, values, firmware }))
}
