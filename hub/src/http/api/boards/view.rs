//! A board as the API shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use storage::{AuthorityNumber, Board, BoardState, StateKind};
use utoipa::ToSchema;

use crate::http::api::moment::Moment;

/// A board.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Board)]
pub(in crate::http::api) struct View {
    /// Its hardware id.
    #[schema(example = "CB-0001")]
    id: String,
    /// Whose it is.
    #[schema(example = "acme")]
    tenant: String,
    /// Whether it may connect.
    state: State,
    /// Why not, in words; none while it may.
    reason: Option<String>,
    /// Since when not.
    since: Option<Moment>,
    /// What people call it and sort it by.
    #[schema(example = json!({ "site": "roof" }))]
    labels: BTreeMap<String, String>,
    /// Its address on a plain CoAP listener.
    address: Option<String>,
    /// Its certificate; none while it has none.
    certificate: Option<Certificate>,
    /// When it was added.
    created: Moment,
    /// When it was first heard.
    first_seen: Option<Moment>,
    /// When it was last heard.
    last_seen: Option<Moment>,
}

/// The certificate that a board presents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BoardCertificate)]
pub(in crate::http::api) struct Certificate {
    /// SHA-256 of its DER.
    fingerprint: String,
    /// Its serial number, in hexadecimal, where the hub has seen it.
    serial: Option<String>,
    /// Which of the tenant's authorities issued it, where the hub knows.
    authority: Option<u16>,
    /// Its end, where the hub knows.
    ends: Option<Moment>,
}

/// Whether a board may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = BoardState)]
pub(in crate::http::api) enum State {
    /// It may.
    Active,
    /// Refused until somebody lifts the block.
    Blocked,
    /// Refused until somebody releases it: more than one seems to have what only one board has.
    Held,
    /// Refused for good.
    Revoked,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Revoked => "revoked",
        }
    }
}

impl From<StateKind> for State {
    fn from(kind: StateKind) -> Self {
        match kind {
            StateKind::Active => Self::Active,
            StateKind::Blocked => Self::Blocked,
            StateKind::Held => Self::Held,
            StateKind::Revoked => Self::Revoked,
        }
    }
}

impl From<Board> for View {
    fn from(board: Board) -> Self {
        let state = StateKind::of(&board.state).into();
        let (reason, since) = match board.state {
            BoardState::Active => (None, None),
            BoardState::Blocked { reason, since }
            | BoardState::Held { reason, since }
            | BoardState::Revoked { reason, since } => (Some(reason), Some(since.into())),
        };
        let certificate = board.fingerprint.map(|fingerprint| Certificate {
            fingerprint: fingerprint.to_string(),
            serial: board.serial.map(|serial| serial.to_string()),
            authority: board.issuer.map(AuthorityNumber::get),
            ends: board.not_after.map(Moment::from),
        });
        Self {
            id: board.id.to_string(),
            tenant: board.tenant.to_string(),
            state,
            reason,
            since,
            labels: board.labels,
            address: board.address.map(|address| address.to_string()),
            certificate,
            created: board.created.into(),
            first_seen: board.first_seen.map(Moment::from),
            last_seen: board.last_seen.map(Moment::from),
        }
    }
}

impl View {
    /// What of it is changed by people: all but when it was heard.
    pub(super) fn changeable(&self) -> impl Serialize + '_ {
        let Self { id, tenant, state, reason, labels, address, certificate, .. } = self;
        (id, tenant, state, reason, labels, address, certificate)
    }
}
