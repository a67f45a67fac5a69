//! `cellular-hub station`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use storage::{BatchName, Fingerprint, TenantId};

use super::certificate::Reason;
use super::{Failure, Files, Invocation, now, output};
use crate::admin::Admin;
use crate::trust::{Authorities, Expiry, Issuing, StationName};

#[derive(Debug, Subcommand)]
pub(super) enum Station {
    Issue(Issue),
    /// List the stations that were issued, and which of them still enrol boards.
    List {
        /// Only this tenant's.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
    },
    /// Have a station enrol no more boards, for good; those that it has enrolled stay.
    Revoke {
        /// SHA-256 of its certificate's DER, as `station list` has it.
        fingerprint: Fingerprint,
        /// Why (RFC 5280 5.3.1).
        #[arg(long, value_name = "REASON", default_value = "unspecified")]
        reason: Reason,
    },
}

/// Issue the certificate and key of a production station, which may enrol boards of its batches.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  cellular-hub station issue line-1 --tenant acme --batch spring \\
      --out line-1.pem --key line-1.key.pem")]
pub(super) struct Issue {
    /// The station's name, for people: a line, a bench.
    station: StationName,
    /// Whose boards it enrols.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// A batch whose boards it enrols; may be repeated.
    #[arg(long = "batch", value_name = "BATCH", required = true)]
    batches: Vec<BatchName>,
    /// Where the certificate goes: a new file, PEM.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where the key goes: a new file, PEM, mode 0600.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Years until the certificate expires.
    #[arg(long, value_name = "YEARS", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=10))]
    years: u16,
}

impl Station {
    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        match self {
            Self::Issue(Issue { out, key, .. }) => {
                Files { made: vec![out.clone()], keys: vec![key.clone()], ..Files::default() }
            }
            Self::List { .. } | Self::Revoke { .. } => Files::default(),
        }
    }

    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Issue(issue) => issue.run(hub),
            Self::List { tenant } => list(hub, tenant.as_ref()),
            Self::Revoke { fingerprint, reason } => {
                let revoked =
                    hub.admin()?.revoke_station(&fingerprint, reason.into(), None, now())?;
                hub.output.answer(&revoked, || format!("station {} revoked", revoked.name))
            }
        }
    }
}

fn list(hub: &Invocation, tenant: Option<&TenantId>) -> Result<(), Failure> {
    let (store, now) = (hub.store()?, now());
    let lines = store.stations().list(None).filter_map(|entry| match entry {
        Ok((_, station)) if tenant.is_none_or(|tenant| station.tenant == *tenant) => {
            Some(Ok(station))
        }
        Ok(_) => None,
        Err(error) => Some(Err(Failure::from(error))),
    });
    let head = format!(
        "{:<16} {:<16} {:<8} {:<20} {:<64} BATCHES",
        "STATION", "TENANT", "STATE", "ENDS", "CERTIFICATE"
    );
    hub.output.list(&head, lines, |station: &storage::Station| {
        let state = match &station.revoked {
            Some(_) => "revoked",
            None if station.not_after < now => "expired",
            None => "active",
        };
        let batches: Vec<_> = station.batches.iter().map(ToString::to_string).collect();
        format!(
            "{:<16} {:<16} {state:<8} {:<20} {:<64} {}",
            station.name,
            station.tenant,
            output::moment(station.not_after),
            station.fingerprint,
            batches.join(" ")
        )
    })
}

impl Issue {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let tenant = admin.tenant(&self.tenant)?;
        for name in &self.batches {
            admin.batch(&self.tenant, name)?;
        }
        let authorities = Authorities::new(hub.pki()?, admin.store().clone());
        let issuing = authorities.issuing(&tenant)?.ok_or_else(|| {
            Failure::Refused(format!(
                "{}'s boards are issued by another authority than the hub's; \
                 have it issue the station's certificate",
                self.tenant
            ))
        })?;
        let made = [&self.out, &self.key];
        hub.must_be_new(made)?;
        self.issue(hub, &admin, &issuing).inspect_err(|_| hub.forget(made))
    }

    fn issue(&self, hub: &Invocation, admin: &Admin, issuing: &Issuing) -> Result<(), Failure> {
        let public = hub.new_key(&self.key)?;
        let expiry = Expiry::Years(self.years);
        let batches: Vec<_> = self.batches.iter().map(ToString::to_string).collect();
        let (name, tenant) = (self.station.as_str(), &self.tenant);
        let station = crate::trust::Station { name, tenant, batches: &batches };
        let certificate = issuing.authority.issue_station(station, &public, expiry, now())?;
        let fingerprint = certificate.fingerprint();
        admin.add_station(&storage::Station {
            tenant: self.tenant.clone(),
            name: name.to_owned(),
            batches: self.batches.clone(),
            fingerprint,
            serial: certificate.serial(),
            issuer: issuing.number,
            issued: now(),
            issued_by: admin.author().who.clone(),
            not_after: certificate.not_after(),
            revoked: None,
        })?;
        hub.write_new(&self.out, certificate.to_pem().as_bytes())?;
        let answer = json!({
            "station": self.station.as_str(), "tenant": self.tenant, "batches": self.batches,
            "fingerprint": fingerprint,
            "file": self.out, "key_file": self.key,
        });
        hub.output.answer(&answer, || {
            let (out, key) = (self.out.display(), self.key.display());
            format!("station {} of {}: {out}, key {key}", self.station.as_str(), self.tenant)
        })
    }
}
