//! `/events`: what changes while one looks, in four kinds of events that do not grow with the fleet.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa_actix_web::service_config::ServiceConfig;

use super::caller::Caller;
use super::jobs;
use super::overview::{Point, UpstreamHealth};
use super::problem::Problem;
use super::serving::Api;
use super::stream::{Event, Source, tell};
use crate::people::{Permission, Powers};
use crate::watch::{self, Happening};

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(listen);
}

struct Happenings {
    api: web::Data<Api>,
    happenings: Receiver<Arc<Happening>>,
}

/// An event without content.
#[derive(Serialize)]
struct Nothing {}

impl Source for Happenings {
    async fn next(&mut self, powers: &Powers) -> Option<Vec<Event>> {
        loop {
            return match self.happenings.recv().await {
                Ok(happening) => Some(self.events(&happening, powers)),
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => None,
            };
        }
    }

    fn may_listen(&self, powers: &Powers) -> bool {
        powers.has(Permission::BoardsRead)
    }
}

impl Happenings {
    fn events(&self, happening: &Happening, powers: &Powers) -> Vec<Event> {
        let boards = powers.reach(Permission::BoardsRead);
        let event = match happening {
            Happening::Tick(at) => {
                let rates = self.api.watch().course().now(&boards);
                let point = Point::from(watch::Point { at: *at, rates });
                Some(Event::new("rates", &point))
            }
            Happening::Upstream(tenant, name, status) => {
                let is_seen = powers.has_in(Permission::RoutesRead, tenant);
                is_seen.then(|| Event::new("upstream", &UpstreamHealth::of(tenant, name, status)))
            }
            Happening::Attention => Some(Event::new("attention", &Nothing {})),
            Happening::Job(job) => jobs::may_see(&boards, job)
                .then(|| Event::new("job", &jobs::View::from((**job).clone()))),
        };
        event.into_iter().collect()
    }
}

/// What changes, from now on, as server-sent events: `rates` every two seconds, as a point of the
/// overview's series; `upstream` when one goes up or down, as the overview shows it; `attention` when
/// what wants looking after may have changed; `job` when one has gone on, as it is shown. It ends with the
/// sign-in. At most eight of a caller's at a time.
#[utoipa::path(
    tag = "system",
    operation_id = "listen_to_events",
    extensions(("x-permission" = json!("boards:read"))),
    responses((status = 200, body = String, content_type = "text/event-stream")),
)]
#[get("/events")]
pub(super) async fn listen(caller: Caller, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    caller.reach(Permission::BoardsRead)?;
    let happenings = api.watch().happenings();
    tell(&api, caller, Happenings { api: api.clone(), happenings })
}
