//! A tenant: one customer, with its own boards, upstreams and certificate authorities.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::quota::WithoutPlan;
use crate::record::{Record, RecordError, decode_body};
use crate::{AuthorityNumber, Quota, TenantId, UnixSeconds};

/// One customer of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Tenant {
    /// The name in keys, topics and on the command line.
    pub id: TenantId,
    /// The name people read.
    pub name: String,
    /// Whether its boards may connect.
    pub state: TenantState,
    /// When it was added.
    pub created: UnixSeconds,
    /// Which of its authorities issues its boards' certificates, where the hub does.
    pub issuer: Option<AuthorityNumber>,
    /// What it and its boards may take; the hub's configuration where a bound is left out.
    pub quota: Quota,
}

/// A tenant as it was written while it had one authority, which stood in its record: DER.
pub(crate) struct Former {
    pub(crate) tenant: Tenant,
    pub(crate) authority: Option<Vec<u8>>,
}

/// The layout of version 1, before quotas; version 2 has one behind it.
#[derive(Decode)]
struct TenantV1 {
    id: TenantId,
    name: String,
    state: TenantState,
    created: UnixSeconds,
    authority: Option<Vec<u8>>,
}

/// The layout of version 3, before data plans.
#[derive(Decode)]
struct TenantV3 {
    id: TenantId,
    name: String,
    state: TenantState,
    created: UnixSeconds,
    issuer: Option<AuthorityNumber>,
    quota: WithoutPlan,
}

impl From<TenantV3> for Tenant {
    fn from(older: TenantV3) -> Self {
        let TenantV3 { id, name, state, created, issuer, quota } = older;
        Self { id, name, state, created, issuer, quota: quota.into() }
    }
}

impl Former {
    fn new(older: TenantV1, quota: Quota) -> Self {
        let TenantV1 { id, name, state, created, authority } = older;
        let tenant = Tenant { id, name, state, created, issuer: None, quota };
        Self { tenant, authority }
    }

    /// From a record's body, and the bytes used; `None` for other versions.
    pub(crate) fn decode(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        match version {
            1 => Some(
                decode_body(body).map(|(older, used)| (Self::new(older, Quota::default()), used)),
            ),
            2 => Some(
                decode_body::<(_, WithoutPlan)>(body)
                    .map(|((older, quota), used)| (Self::new(older, quota.into()), used)),
            ),
            _ => None,
        }
    }
}

/// Whether a tenant's boards may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// They may.
    #[default]
    Active,
    /// They are refused until the tenant is active again.
    Suspended,
}

impl Record for Tenant {
    const VERSION: u8 = 4;

    /// Without its authority: [`crate::store::authorities`] makes that a noun of its own.
    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        if version == 3 {
            return Some(decode_body::<TenantV3>(body).map(|(older, used)| (older.into(), used)));
        }
        Former::decode(version, body)
            .map(|former| former.map(|(former, used)| (former.tenant, used)))
    }
}
