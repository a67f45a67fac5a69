//! A tenant: one customer, with its own boards, upstreams and certificate authority.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::{Record, RecordError, decode_body};
use crate::{Quota, TenantId, UnixSeconds};

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
    /// DER of the CA certificate that issues this tenant's boards; hexadecimal in JSON.
    #[serde(serialize_with = "as_hex")]
    pub authority: Option<Vec<u8>>,
    /// What it and its boards may take; the hub's configuration where a bound is left out.
    pub quota: Quota,
}

/// The layout of version 1, before quotas.
#[derive(Decode)]
struct TenantV1 {
    id: TenantId,
    name: String,
    state: TenantState,
    created: UnixSeconds,
    authority: Option<Vec<u8>>,
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
    const VERSION: u8 = 2;

    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        (version == 1).then(|| {
            let (TenantV1 { id, name, state, created, authority }, used) = decode_body(body)?;
            let quota = Quota::default();
            Ok((Self { id, name, state, created, authority, quota }, used))
        })
    }
}

fn as_hex<S: serde::Serializer>(der: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match der {
        Some(der) => serializer.collect_str(&format_args!("{}", Hex(der))),
        None => serializer.serialize_none(),
    }
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
