//! `/rollouts/preview`: what a rollout would mean, before there is one.

use actix_web::{post, web};
use actors::rollout::air::Radio;
use actors::rollout::{NewRollout, Preview, Stand, Total};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::TermsView;
use super::{checked_filter, checked_groups, seen_release, within};
use crate::admin::AdminError;
use crate::http::api::caller::Caller;
use crate::http::api::problem::Problem;
use crate::http::api::serving::Api;
use crate::people::Permission;

/// A rollout that is thought about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PreviewedRollout)]
pub(in crate::http::api) struct Ask {
    /// The release, by number; it need not be signed yet.
    release: u64,
    /// Which boards: what stands behind `?` where boards are listed, without a page.
    #[schema(example = "tenant=acme&label=site%3Dnorth", max_length = 2000)]
    filter: String,
    /// The groups, as a rollout has them.
    #[schema(example = json!(["canary:5%:95%:2%", "others:rest:90%:5%"]))]
    groups: Vec<String>,
    /// On which terms.
    #[serde(default)]
    terms: TermsView,
}

/// What a rollout would mean. How many is counted, of what boards said last; how long, how many bytes and
/// how much energy is estimated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutPreview)]
pub(in crate::http::api) struct View {
    /// Boards that fit the filter.
    boards: u64,
    /// Boards that would fetch the release: those that run something older, and those that have never
    /// said what they run.
    fetching: u64,
    /// Boards that run something older.
    older: u64,
    /// Boards that run it.
    same: u64,
    /// Boards that run something newer.
    newer: u64,
    /// Boards that are another product or have another hardware.
    other: u64,
    /// Boards that have never said what they run.
    unknown: u64,
    /// The groups, in their order.
    groups: Vec<GroupSize>,
    /// Bytes on the air for each board, both ways and down to IP.
    bytes_each: u64,
    /// For all of them.
    bytes: u64,
    /// If all were on LTE-M.
    lte_m: Effort,
    /// If all were on NB-IoT.
    nb_iot: Effort,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewedGroup)]
pub(in crate::http::api) struct GroupSize {
    /// What it is called.
    name: String,
    /// How many boards are in it.
    boards: u64,
}

/// Time and energy with one kind of radio; estimates.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RadioEffort)]
pub(in crate::http::api) struct Effort {
    /// Seconds of radio for each board.
    seconds_each: f64,
    /// Joules for each board.
    joules_each: f64,
    /// Watt hours for all boards together.
    watt_hours: f64,
    /// Seconds from the start until the last group is through, at this pace and in these windows.
    seconds: f64,
}

impl View {
    fn of(seen: Preview, names: Vec<String>) -> Self {
        let Stand { older, same, newer, other, unknown } = seen.stand;
        let fetching = seen.stand.fetching();
        let effort = |radio: Radio| {
            let total = seen.efforts.iter().find(|total| total.radio == radio);
            let of = |read: fn(&Total) -> f64| total.map_or(0.0, read);
            let joules_each = of(|total| total.joules_each);
            Effort {
                seconds_each: of(|total| total.seconds_each),
                joules_each,
                watt_hours: joules_each * fetching as f64 / 3600.0,
                seconds: of(|total| total.seconds),
            }
        };
        let groups = names.into_iter().zip(&seen.groups);
        Self {
            boards: seen.boards,
            fetching,
            older,
            same,
            newer,
            other,
            unknown,
            groups: groups.map(|(name, boards)| GroupSize { name, boards: *boards }).collect(),
            bytes_each: seen.bytes_each,
            bytes: seen.bytes(),
            lte_m: effort(Radio::LteM),
            nb_iot: effort(Radio::NbIot),
        }
    }
}

/// See what a rollout would mean: how many boards, how long, how many bytes and how much energy. Nothing is
/// made or changed.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "preview_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    request_body = Ask,
    responses((status = 200, body = View)),
)]
#[post("/rollouts/preview")]
pub(in crate::http::api) async fn preview(
    caller: Caller,
    ask: web::Json<Ask>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let Ask { release, filter, groups, terms } = ask.into_inner();
    let reach = caller.reach(Permission::RolloutsWrite)?;
    let (groups, terms) = (checked_groups(&groups)?, terms.checked()?);
    checked_filter(&filter, &reach)?;
    let names = groups.iter().map(|group| group.name.clone()).collect();
    let new = NewRollout {
        name: String::new(),
        release,
        filter,
        within: within(&reach),
        dynamic: false,
        groups,
        terms,
        by: String::new(),
        approve_above: 0,
    };
    let seen = api.run(&caller, move |admin| {
        seen_release(admin, &reach, new.release)?;
        Ok::<_, Problem>(admin.rollouts()?.preview(&new).map_err(AdminError::from)?)
    });
    Ok(web::Json(View::of(seen.await?, names)))
}
