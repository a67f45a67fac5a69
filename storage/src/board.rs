//! A Connectivity Board as the hub knows it. Holds no key: a board's private key never leaves it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::{Record, RecordError, decode_body};
use crate::rows::RowNumber;
use crate::{
    AuthorityNumber, BoardId, Certificate, DataUse, Fingerprint, Serial, Slot, TenantId,
    UnixSeconds,
};

/// One board: who it is, whose it is, and when it was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Board {
    /// The hardware id, as in the certificate.
    pub id: BoardId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The one certificate it may present; none while it is not provisioned.
    pub fingerprint: Option<Fingerprint>,
    /// Whether it may connect; in JSON its fields stand beside the board's.
    #[serde(flatten)]
    pub state: BoardState,
    /// What people call it and sort it by.
    pub labels: BTreeMap<String, String>,
    /// Its identity on a plain CoAP listener: the SIM's address on a private APN.
    pub address: Option<IpAddr>,
    /// When it was added.
    pub created: UnixSeconds,
    /// When it was first heard.
    pub first_seen: Option<UnixSeconds>,
    /// When it was last heard; may lag by what [`crate::Boards::mark_seen`] had not yet flushed.
    pub last_seen: Option<UnixSeconds>,
    /// The serial number of that certificate, where the hub has seen it: what a list of revoked
    /// certificates names it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Serial>,
    /// Which of the tenant's authorities issued that certificate; unknown until the board's first
    /// session where it was registered by its fingerprint alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<AuthorityNumber>,
    /// The last second of that certificate's validity, where the hub has seen it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<UnixSeconds>,
}

/// Whether a board may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BoardState {
    /// It may.
    #[default]
    Active,
    /// Refused until an admin lifts the block.
    Blocked {
        /// Why, in an admin's words.
        reason: String,
        /// Since when.
        since: UnixSeconds,
    },
    /// Refused for good: its certificate is not to be trusted any more.
    Revoked {
        /// Why, in an admin's words.
        reason: String,
        /// Since when.
        since: UnixSeconds,
    },
    /// Refused until an admin releases it: more than one seems to have what only one board has.
    Held {
        /// What was seen, in the hub's words.
        reason: String,
        /// Since when.
        since: UnixSeconds,
    },
}

impl Board {
    /// An active board without certificate, labels or address that was never heard.
    pub fn new(id: BoardId, tenant: TenantId, created: UnixSeconds) -> Self {
        Self {
            id,
            tenant,
            fingerprint: None,
            state: BoardState::Active,
            labels: BTreeMap::new(),
            address: None,
            created,
            first_seen: None,
            last_seen: None,
            serial: None,
            issuer: None,
            not_after: None,
        }
    }

    /// Gives the board another certificate; the one before is nobody's.
    pub fn certify(&mut self, certificate: Certificate) {
        let Certificate { fingerprint, serial, issuer, not_after } = certificate;
        self.fingerprint = Some(fingerprint);
        (self.serial, self.issuer, self.not_after) = (serial, issuer, not_after);
    }

    /// The certificate that it has.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        let (serial, issuer, not_after) = (self.serial.clone(), self.issuer, self.not_after);
        self.fingerprint.map(|fingerprint| Certificate { fingerprint, serial, issuer, not_after })
    }

    /// Takes its certificate away.
    pub fn decertify(&mut self) {
        (self.fingerprint, self.serial, self.issuer, self.not_after) = (None, None, None, None);
    }
}

/// A board as it was written before its certificate's issuer and end were.
#[derive(Decode)]
struct WithoutIssuer {
    board: WithoutSerial,
    serial: Option<Serial>,
}

/// A board as it was written before its certificate's serial number was.
#[derive(Decode)]
struct WithoutSerial {
    id: BoardId,
    tenant: TenantId,
    fingerprint: Option<Fingerprint>,
    state: BoardState,
    labels: BTreeMap<String, String>,
    address: Option<IpAddr>,
    created: UnixSeconds,
    first_seen: Option<UnixSeconds>,
    last_seen: Option<UnixSeconds>,
}

impl From<WithoutSerial> for Board {
    fn from(older: WithoutSerial) -> Self {
        let WithoutSerial { id, tenant, fingerprint, state, labels, address, .. } = older;
        let WithoutSerial { created, first_seen, last_seen, .. } = older;
        Self {
            id,
            tenant,
            fingerprint,
            state,
            labels,
            address,
            created,
            first_seen,
            last_seen,
            serial: None,
            issuer: None,
            not_after: None,
        }
    }
}

impl From<WithoutIssuer> for Board {
    fn from(older: WithoutIssuer) -> Self {
        Self { serial: older.serial, ..older.board.into() }
    }
}

/// What is kept of a board: itself, and where its session and its row are.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct BoardRecord {
    pub(crate) board: Board,
    /// The slot of its session. It may be out of date: whoever follows it looks whose session is
    /// there.
    pub(crate) session: Option<Slot>,
    /// Its row ([`crate::rows`]), which is its alone; none until it is given one.
    pub(crate) row: Option<RowNumber>,
    /// What passed between it and the hub this month.
    pub(crate) used: DataUse,
}

impl BoardRecord {
    fn older(board: Board, session: Option<Slot>, row: Option<RowNumber>) -> Self {
        Self { board, session, row, used: DataUse::default() }
    }
}

impl Record for BoardRecord {
    const VERSION: u8 = 6;

    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        match version {
            // Before sessions were found by their board's record.
            1 => Some(decode_body::<WithoutSerial>(body).map(|(board, used)| {
                let board = board.into();
                (Self::older(board, None, None), used)
            })),
            2 => Some(decode_body::<(WithoutSerial, _)>(body).map(|((board, session), used)| {
                let board = board.into();
                (Self::older(board, session, None), used)
            })),
            // Before boards had rows.
            3 => Some(decode_body::<(WithoutIssuer, _)>(body).map(|((board, session), used)| {
                let board = board.into();
                (Self::older(board, session, None), used)
            })),
            4 => Some(decode_body::<(WithoutIssuer, _, _)>(body).map(
                |((board, session, row), used)| {
                    let board = board.into();
                    (Self::older(board, session, row), used)
                },
            )),
            // Before what passes was counted.
            5 => Some(
                decode_body::<(Board, _, _)>(body)
                    .map(|((board, session, row), used)| (Self::older(board, session, row), used)),
            ),
            _ => None,
        }
    }
}
