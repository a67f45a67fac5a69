//! Who asks: the client's certificate, read and verified against the authority of the tenant it
//! names. TLS has seen to it that the client has the key.

use actors::link::profile::AUTHORITIES_LEVEL;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult};
use storage::{BatchName, Tenant, TenantId, UnixSeconds};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use super::Refusal;
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

/// Refuses a certificate that the tenant's authority has not issued for a client, or that is not
/// valid at the time.
pub(super) fn verify(
    certificate: &X509Ref,
    tenant: &Tenant,
    now: UnixSeconds,
) -> Result<(), Refusal> {
    let forged = |reason| Refusal::Forged { tenant: tenant.id.clone(), reason };
    let verdict =
        verdict(certificate, tenant, now).unwrap_or(X509VerifyResult::APPLICATION_VERIFICATION);
    // X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of <openssl/x509_vfy.h>.
    match verdict.as_raw() {
        0 => Ok(()),
        9 | 10 => Err(Refusal::NotNow(verdict)),
        _ => Err(forged(verdict)),
    }
}

fn verdict(certificate: &X509Ref, tenant: &Tenant, now: UnixSeconds) -> Option<X509VerifyResult> {
    let anchor = X509::from_der(tenant.authority.as_deref()?).ok()?;
    let mut param = X509VerifyParam::new().ok()?;
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN).ok()?;
    param.set_purpose(X509PurposeId::SSL_CLIENT).ok()?;
    param.set_auth_level(AUTHORITIES_LEVEL);
    param.set_time(now.0.try_into().ok()?);
    let mut store = X509StoreBuilder::new().ok()?;
    store.add_cert(anchor).ok()?;
    store.set_param(&param).ok()?;
    let store = store.build();
    let chain = Stack::new().ok()?;
    let mut context = X509StoreContext::new().ok()?;
    let verified = context
        .init(&store, certificate, &chain, |context| Ok((context.verify_cert()?, context.error())));
    match verified.ok()? {
        (true, _) => Some(X509VerifyResult::OK),
        (false, reason) => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use openssl::x509::X509Name;
    use openssl::x509::extension::BasicConstraints;

    use super::*;
    use crate::trust::new_key;

    fn certificate(
        subject: &str,
        issuer: &str,
        key: &PKey<Private>,
        by: &PKey<Private>,
        digest: MessageDigest,
    ) -> X509 {
        let name = |text: &str| {
            let mut name = X509Name::builder().unwrap();
            name.append_entry_by_text("CN", text).unwrap();
            name.build()
        };
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_subject_name(&name(subject)).unwrap();
        builder.set_issuer_name(&name(issuer)).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(1_000).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(2_000).unwrap()).unwrap();
        builder.set_pubkey(key).unwrap();
        if subject == issuer {
            let authority = BasicConstraints::new().critical().ca().build().unwrap();
            builder.append_extension(authority).unwrap();
        }
        builder.sign(by, digest).unwrap();
        builder.build()
    }

    #[test]
    fn what_a_tenants_authority_signed_is_taken_while_it_is_valid_and_nothing_weak() {
        let (own, other) = (new_key().unwrap(), new_key().unwrap());
        let weak = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let (sha1, sha256) = (MessageDigest::sha1(), MessageDigest::sha256());
        let verified = |authority: &PKey<Private>, by: &PKey<Private>, digest, now| {
            let tenant = Tenant {
                id: "acme".parse().unwrap(),
                name: String::from("Acme"),
                state: storage::TenantState::Active,
                created: UnixSeconds(0),
                authority: Some(
                    certificate("acme", "acme", authority, authority, sha256).to_der().unwrap(),
                ),
                quota: storage::Quota::default(),
            };
            let station = certificate("line", "acme", &own, by, digest);
            verify(&station, &tenant, UnixSeconds(now)).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(verified(&own, &own, sha256, 1_500), Ok(()));
        for (authority, by, digest, now, reason) in [
            (&own, &own, sha256, 2_001, "has expired"),
            (&own, &own, sha256, 999, "not yet valid"),
            (&own, &other, sha256, 1_500, "not by acme's authority: certificate signature failure"),
            (&own, &own, sha1, 1_500, "CA signature digest algorithm too weak"),
            (&weak, &weak, sha256, 1_500, "CA certificate key too weak"),
        ] {
            let refused = verified(authority, by, digest, now).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
