//! When certificates end: boards' by tenant, authorities', the root's and the servers'.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use storage::{AuthorityName, Campaign, CertificateEnds, TenantId, UnixSeconds};

use super::{Admin, AdminError};
use crate::config::Config;
use crate::trust::{Pki, anchor_facts, certificate_end};

/// When certificates end.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// When boards' were counted.
    pub at: UnixSeconds,
    /// Boards', of all tenants that were asked after.
    pub boards: CertificateEnds,
    /// The same by tenant.
    pub tenants: BTreeMap<TenantId, CertificateEnds>,
    /// Of authorities that are believed, each.
    pub authorities: Vec<AuthorityEnd>,
    /// The root's, where its certificate is here.
    pub root: Option<UnixSeconds>,
    /// What the servers show, by file.
    pub servers: Vec<ServerEnd>,
}

/// When an authority ends.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorityEnd {
    /// Which.
    pub authority: AuthorityName,
    /// The last second of its validity.
    pub not_after: UnixSeconds,
    /// The campaign that has its boards leave it, where one is not over.
    pub campaign: Option<u64>,
}

/// When a server's certificate ends.
#[derive(Clone, Debug, Serialize)]
pub struct ServerEnd {
    /// Its file.
    pub certificate: PathBuf,
    /// The last second of its validity.
    pub not_after: UnixSeconds,
}

impl Admin {
    /// When certificates end: of one tenant's boards and authorities, or of all and of the hub's own.
    /// Boards are counted at most once a minute, whoever asks.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] for a tenant that there is not; that boards' rows are made anew.
    pub fn forecast(
        &self,
        (config, pki): (&Config, &Pki),
        tenant: Option<&TenantId>,
        now: UnixSeconds,
    ) -> Result<Forecast, AdminError> {
        if let Some(tenant) = tenant {
            self.tenant(tenant)?;
        }
        let counted = self.store.boards().forecast(&[], now)?;
        let is_meant = |id: &TenantId| tenant.is_none_or(|tenant| tenant == id);
        let mut tenants = counted.tenants.clone();
        tenants.retain(|id, _| is_meant(id));
        let mut boards = CertificateEnds::default();
        tenants.values().for_each(|ends| boards.add(ends));
        let campaigns = self.campaigns()?.list()?;
        let campaign_of = |name: &AuthorityName| {
            let leaves = |it: &&Campaign| {
                !it.state.is_over() && (&it.tenant, it.from) == (&name.tenant, name.number)
            };
            campaigns.iter().find(leaves).map(|it| it.number)
        };
        let mut authorities = Vec::new();
        for known in self.store.authorities().list(tenant) {
            let known = known?;
            let facts = anchor_facts(&known.certificate).ok().filter(|_| known.is_believed());
            authorities.extend(facts.map(|facts| AuthorityEnd {
                campaign: campaign_of(&known.name()),
                authority: known.name(),
                not_after: facts.not_after,
            }));
        }
        let (mut root, mut servers) = (None, Vec::new());
        if tenant.is_none() {
            root = certificate_end(&pki.root_file());
            let https = Some(&config.https.certificate).filter(|_| config.https.enabled);
            let other = https.filter(|file| **file != config.link.certificate);
            for file in [Some(&config.link.certificate), other].into_iter().flatten() {
                let end = certificate_end(file);
                let certificate = file.clone();
                servers.extend(end.map(|not_after| ServerEnd { certificate, not_after }));
            }
        }
        Ok(Forecast { at: counted.at, boards, tenants, authorities, root, servers })
    }
}
