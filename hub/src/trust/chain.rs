//! Chains from a certificate to one of a tenant's authorities, as OpenSSL verifies them: dates, path
//! lengths and name constraints included.
//!
//! Invariant: an authority is an anchor itself, whoever signed it; one that is not believed is none.

use actors::link::profile::AUTHORITIES_LEVEL;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult};
use storage::{Authority, AuthorityNumber, UnixSeconds};

/// When a chain is to be valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum At {
    /// Then.
    Moment(UnixSeconds),
    /// Whenever: its dates do not count.
    AnyTime,
}

/// Which of the authorities has issued the client's certificate, by way of those `between`.
///
/// # Errors
/// OpenSSL's verdict where none has.
pub(super) fn issuer(
    certificate: &X509Ref,
    between: &[X509],
    authorities: &[Authority],
    at: At,
) -> Result<AuthorityNumber, X509VerifyResult> {
    let unable = |_: ErrorStack| X509VerifyResult::APPLICATION_VERIFICATION;
    let believed = || authorities.iter().filter(|authority| authority.is_believed());
    let anchors = believed().map(|authority| X509::from_der(&authority.certificate));
    let anchors = anchors.collect::<Result<Vec<_>, _>>().map_err(unable)?;
    let purpose = X509PurposeId::SSL_CLIENT;
    let anchor = verify(certificate, between, &anchors, (purpose, at)).map_err(unable)??;
    let known = believed().find(|authority| authority.certificate == anchor);
    known.map(|authority| authority.number).ok_or(X509VerifyResult::APPLICATION_VERIFICATION)
}

/// The DER of the anchor that the certificate leads to.
fn verify(
    certificate: &X509Ref,
    between: &[X509],
    anchors: &[X509],
    (purpose, at): (X509PurposeId, At),
) -> Result<Result<Vec<u8>, X509VerifyResult>, ErrorStack> {
    let store = trusting(anchors, purpose, at)?;
    let mut chain = Stack::new()?;
    for certificate in between {
        chain.push(certificate.clone())?;
    }
    X509StoreContext::new()?.init(&store, certificate, &chain, |context| {
        let is_good = context.verify_cert()?;
        let anchor = context.chain().and_then(|chain| chain.iter().last());
        match anchor.filter(|_| is_good) {
            Some(anchor) => Ok(Ok(anchor.to_der()?)),
            None => Ok(Err(context.error())),
        }
    })
}

/// What OpenSSL has against an authority as an anchor: nothing that it could not verify a chain with
/// is believed.
pub(super) fn fault(anchor: &X509) -> Result<(), X509VerifyResult> {
    let unable = |_: ErrorStack| X509VerifyResult::APPLICATION_VERIFICATION;
    let itself = std::slice::from_ref(anchor);
    verify(anchor, &[], itself, (X509PurposeId::ANY, At::AnyTime)).map_err(unable)?.map(drop)
}

fn trusting(anchors: &[X509], purpose: X509PurposeId, at: At) -> Result<X509Store, ErrorStack> {
    let mut param = X509VerifyParam::new()?;
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    match at {
        // Times that a clock here cannot say have ended.
        At::Moment(now) => param.set_time(now.0.try_into().unwrap_or(i64::MAX)),
        At::AnyTime => param.set_flags(X509VerifyFlags::NO_CHECK_TIME)?,
    }
    param.set_purpose(purpose)?;
    param.set_auth_level(AUTHORITIES_LEVEL);
    let mut store = X509StoreBuilder::new()?;
    for anchor in anchors {
        store.add_cert(anchor.clone())?;
    }
    store.set_param(&param)?;
    Ok(store.build())
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

    use storage::{AuthorityState, Origin};

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
            let anchor = certificate("acme", "acme", authority, authority, sha256);
            let authority = Authority {
                tenant: "acme".parse().unwrap(),
                number: AuthorityNumber::FIRST,
                certificate: anchor.to_der().unwrap(),
                origin: Origin::Own { key: String::from("tenant/acme") },
                state: AuthorityState::Active,
                added: UnixSeconds(0),
            };
            let station = certificate("line", "acme", &own, by, digest);
            let at = At::Moment(UnixSeconds(now));
            issuer(&station, &[], &[authority], at).map_err(|verdict| verdict.to_string())
        };
        assert_eq!(verified(&own, &own, sha256, 1_500), Ok(AuthorityNumber::FIRST));
        for (authority, by, digest, now, reason) in [
            (&own, &own, sha256, 2_001, "has expired"),
            (&own, &own, sha256, 999, "not yet valid"),
            (&own, &other, sha256, 1_500, "certificate signature failure"),
            (&own, &own, sha1, 1_500, "CA signature digest algorithm too weak"),
            (&weak, &weak, sha256, 1_500, "CA certificate key too weak"),
        ] {
            let refused = verified(authority, by, digest, now).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
