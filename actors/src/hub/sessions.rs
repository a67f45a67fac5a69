//! Which sessions are awake, for people who look; and one of them ended.
//!
//! Invariant: what is asked of a tenant's supervisor or of a session takes it no longer than a reading
//! does, however many sessions there are: pages have bounds, and so has what is looked at for one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Handler, Message, ResponseFuture, WeakAddr};
use storage::{BoardId, TenantId};

use crate::hub::Hub;
use crate::session::{Close, DescribeSession, DeviceSession};
use crate::tenant::{self, FindAwake, FindOne, Found, Tenant};

/// Sessions that are looked at for one page, at most.
const LOOKS: usize = 20_000;
/// How long a session may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks how many boards of each tenant have a session awake.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<(TenantId, usize)>")]
pub struct CountAwake;

/// Asks for sessions that are awake, by tenant and board.
#[derive(Debug, Clone, Message)]
#[rtype(result = "AwakePage")]
pub struct FindSessions {
    /// Of these tenants; `None` is of all.
    pub within: Option<BTreeSet<TenantId>>,
    /// From the first behind this board of this tenant on.
    pub after: Option<(TenantId, BoardId)>,
    /// With this in the board's id, whatever the case.
    pub contains: String,
    /// At most so many.
    pub limit: usize,
}

/// A page of them.
#[derive(Debug, Default)]
pub struct AwakePage {
    /// The sessions; fewer than wanted where one has just ended, or many had to be looked at.
    pub sessions: Vec<Awake>,
    /// Where the next page begins; none behind the last.
    pub next: Option<(TenantId, BoardId)>,
}

/// A session that is awake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awake {
    /// Whose board.
    pub tenant: TenantId,
    /// The board.
    pub board: BoardId,
    /// How it is.
    pub seen: SessionSeen,
}

/// How a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSeen {
    /// Where its board is.
    pub peer: SocketAddr,
    /// Its Connection ID; none where the board is known by its address.
    pub connection_id: Option<[u8; 6]>,
    /// Whether it is CoAP over DTLS.
    pub is_secured: bool,
    /// How long ago it was admitted: in a handshake, or when it woke.
    pub admitted_ago: Duration,
    /// How long ago its board was heard.
    pub heard_ago: Duration,
}

/// Ends the session of a board, which may begin another; says whether there was one awake.
#[derive(Debug, Clone, Message)]
#[rtype(result = "bool")]
pub struct EndSession {
    /// Whose board.
    pub tenant: TenantId,
    /// The board.
    pub board: BoardId,
}

impl Handler<CountAwake> for Hub {
    type Result = ResponseFuture<Vec<(TenantId, usize)>>;

    fn handle(&mut self, _: CountAwake, _: &mut Self::Context) -> Self::Result {
        let tenants = self.tenants.each();
        Box::pin(async move {
            // All are asked before any is waited for.
            let asked = tenants
                .iter()
                .map(|tenant| (tenant.id.clone(), tenant.supervisor().send(tenant::CountAwake)));
            let asked: Vec<_> = asked.collect();
            let mut counts = Vec::with_capacity(asked.len());
            for (tenant, count) in asked {
                // A supervisor that is dead has no sessions.
                counts.push((tenant, count.await.unwrap_or(0)));
            }
            counts
        })
    }
}

impl Handler<FindSessions> for Hub {
    type Result = ResponseFuture<AwakePage>;

    fn handle(&mut self, find: FindSessions, _: &mut Self::Context) -> Self::Result {
        let mut tenants = self.tenants.each();
        tenants.retain(|tenant| {
            find.within.as_ref().is_none_or(|within| within.contains(&tenant.id))
                && find.after.as_ref().is_none_or(|(after, _)| tenant.id >= *after)
        });
        tenants.sort_by(|one, other| one.id.cmp(&other.id));
        Box::pin(page(tenants, find))
    }
}

impl Handler<EndSession> for Hub {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, end: EndSession, _: &mut Self::Context) -> Self::Result {
        let supervisor = self.tenants.find(&end.tenant).map(|tenant| tenant.supervisor());
        Box::pin(async move {
            let Some(supervisor) = supervisor else { return false };
            let found = supervisor.send(FindOne(end.board)).await.ok().flatten();
            let Some(session) = found.and_then(|session| session.upgrade()) else { return false };
            session.send(Close::Ended).timeout(PATIENCE).await.is_ok()
        })
    }
}

async fn page(tenants: Vec<Arc<Tenant>>, find: FindSessions) -> AwakePage {
    let contains = find.contains.to_ascii_lowercase();
    let (mut left, mut looks) = (find.limit, LOOKS);
    let (mut names, mut asked, mut next) = (Vec::new(), Vec::new(), None);
    for tenant in tenants {
        let after = find.after.as_ref().filter(|(after, _)| *after == tenant.id);
        let after = after.map(|(_, board)| board.clone());
        let question = FindAwake { after, contains: contains.clone(), limit: left, looks };
        let Ok(Found { sessions, until, looked }) = tenant.supervisor().send(question).await else {
            continue;
        };
        left = left.saturating_sub(sessions.len());
        looks = looks.saturating_sub(looked);
        for (board, session) in sessions {
            names.push((tenant.id.clone(), board));
            asked.push(describe(&session));
        }
        if let Some(board) = until {
            next = Some((tenant.id.clone(), board));
            break;
        }
        if left == 0 || looks == 0 {
            // Behind every board of this tenant; there may be none of the next.
            next = names.last().cloned();
            break;
        }
    }
    let mut sessions = Vec::with_capacity(names.len());
    for ((tenant, board), seen) in names.into_iter().zip(asked) {
        let Some(seen) = seen else { continue };
        // One that has just ended says nothing.
        if let Ok(seen) = seen.await {
            sessions.push(Awake { tenant, board, seen });
        }
    }
    AwakePage { sessions, next }
}

/// Asked at once, and waited for later.
fn describe(
    session: &WeakAddr<DeviceSession>,
) -> Option<actix::dev::Request<DeviceSession, DescribeSession>> {
    Some(session.upgrade()?.send(DescribeSession).timeout(PATIENCE))
}
