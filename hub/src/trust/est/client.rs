//! Who asks: the client's certificate, read and verified against the authorities of the tenant it
//! names. TLS has seen to it that the client has the key.

use openssl::x509::X509Ref;
use storage::{Authority, AuthorityNumber, BatchName, TenantId, UnixSeconds};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use super::Refusal;
use crate::trust::chain::{self, At};
use crate::trust::profile::STATION_BATCH;

/// What a station's certificate says; nothing of it is verified yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Station {
    pub(super) tenant: TenantId,
    pub(super) batches: Vec<BatchName>,
}

impl Station {
    pub(super) fn read(der: &[u8]) -> Result<Self, Refusal> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Refusal::NotAStation)?;
        let subject = certificate.subject();
        let unit = only(subject.iter_organizational_unit());
        if unit != Some("station") {
            return Err(Refusal::NotAStation);
        }
        let tenant = only(subject.iter_organization()).and_then(|name| name.parse().ok());
        let names = certificate.subject_alternative_name().ok().flatten();
        let batches = names.iter().flat_map(|names| &names.value.general_names);
        let batches = batches.filter_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix(STATION_BATCH)?.parse().ok(),
            _ => None,
        });
        let batches: Vec<_> = batches.collect();
        match tenant {
            Some(tenant) if !batches.is_empty() => Ok(Self { tenant, batches }),
            _ => Err(Refusal::NotAStation),
        }
    }
}

fn only<'a>(mut of: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Option<&'a str> {
    let first = of.next()?.as_str().ok()?;
    of.next().is_none().then_some(first)
}

/// Which of the tenant's authorities has issued the certificate for a client; refuses one that none
/// has, or that is not valid at the time.
pub(super) fn verify(
    certificate: &X509Ref,
    tenant: &TenantId,
    authorities: &[Authority],
    now: UnixSeconds,
) -> Result<AuthorityNumber, Refusal> {
    // X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of <openssl/x509_vfy.h>.
    let issuer = chain::issuer(certificate, &[], authorities, At::Moment(now));
    issuer.map_err(|verdict| match verdict.as_raw() {
        9 | 10 => Refusal::NotNow(verdict),
        _ => Refusal::Forged { tenant: tenant.clone(), reason: verdict },
    })
}
