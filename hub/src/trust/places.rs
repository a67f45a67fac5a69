//! Where to ask what is revoked among an authority's certificates, as these say it: the address of its list
//! (RFC 5280, 4.2.1.13), and of OCSP (4.2.2.1).

use rcgen::{CertificateParams, CrlDistributionPoint, CustomExtension};
use storage::AuthorityName;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{Ia5String, ObjectIdentifier};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AccessDescription, AuthorityInfoAccessSyntax};

use super::TrustError;
use crate::config::Config;
use crate::origin;

/// `id-pe-authorityInfoAccess` (RFC 5280).
const AUTHORITY_INFORMATION: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];

/// `id-ad-ocsp` (RFC 5280).
const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");

/// How the hub's server is reached by who reads a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Places {
    url: String,
    ocsp: bool,
}

impl Places {
    /// Those of the configuration; `None` where certificates are to name none.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let https = &config.https;
        let wanted = https.enabled && https.named_in_certificates;
        wanted.then(|| Self { url: origin::of(config), ocsp: https.ocsp })
    }

    /// Has a certificate of the authority name them: its list, whichever of the tenant's issues then.
    pub(super) fn name_in(
        &self,
        params: &mut CertificateParams,
        authority: &AuthorityName,
    ) -> Result<(), TrustError> {
        let list = format!("{}/crl/{authority}.crl", self.url);
        params.crl_distribution_points.push(CrlDistributionPoint { uris: vec![list] });
        if self.ocsp {
            let answers = format!("{}/ocsp/{}", self.url, authority.tenant);
            let described = Ia5String::new(&answers).and_then(|answers| {
                let access_location = GeneralName::UniformResourceIdentifier(answers);
                let described = AccessDescription { access_method: OCSP, access_location };
                AuthorityInfoAccessSyntax(vec![described]).to_der()
            });
            let der = described.map_err(|error| TrustError::Unissuable {
                doing: "name https.origin in a certificate",
                problem: error.to_string(),
            })?;
            let named = CustomExtension::from_oid_content(&AUTHORITY_INFORMATION, der);
            params.custom_extensions.push(named);
        }
        Ok(())
    }
}
