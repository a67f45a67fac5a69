//! Production stations: remembered when they are issued, and revoked.
//!
//! Invariant: a station's certificate is handed out when the store has the station; one that is revoked
//! enrols no board from the moment on in which the call returns.

use serde_json::json;
use storage::{
    Fingerprint, Revocation, RevocationReason, RevokedCertificate, Station, StationRevoked,
    UnixSeconds,
};

use super::{Admin, AdminError, refused, unknown};

impl Admin {
    /// Remembers a station whose certificate was just made.
    ///
    /// # Errors
    /// Those of the store and of the audit log.
    pub fn add_station(&self, station: &Station) -> Result<(), AdminError> {
        let _changing = self.changing();
        self.store.stations().put(&station.fingerprint.0, station)?;
        let Station { tenant, batches, fingerprint, .. } = station;
        let detail = json!({ "tenant": tenant, "batches": batches, "fingerprint": fingerprint });
        self.record("station.issue", &station.name, detail)
    }

    /// The station with this certificate.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn station(&self, fingerprint: &Fingerprint) -> Result<Station, AdminError> {
        let found = self.store.stations().find(&fingerprint.0)?;
        let way_out = "`cellular-hub station list` shows those that the hub has issued";
        found.ok_or_else(|| unknown("station with the certificate", fingerprint, way_out))
    }

    /// Has a station enrol no more boards; those that it has enrolled stay.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; [`AdminError::Refused`] for one that is revoked already.
    pub fn revoke_station(
        &self,
        fingerprint: &Fingerprint,
        reason: RevocationReason,
        words: Option<&str>,
        now: UnixSeconds,
    ) -> Result<Station, AdminError> {
        let _changing = self.changing();
        let station = self.station(fingerprint)?;
        if station.revoked.is_some() {
            return Err(refused(format!("station {} is revoked already", station.name)));
        }
        let serial = RevokedCertificate::Serial(station.serial.as_bytes().to_vec());
        for certificate in [RevokedCertificate::Fingerprint(*fingerprint), serial] {
            self.store.revoked().put(&Revocation {
                tenant: station.tenant.clone(),
                issuer: Some(station.issuer),
                board: None,
                certificate,
                reason,
                since: now,
            })?;
        }
        let revoked = Some(StationRevoked { since: now, reason });
        let station = Station { revoked, ..station };
        self.store.stations().put(&fingerprint.0, &station)?;
        let detail = json!({
            "tenant": station.tenant, "fingerprint": fingerprint, "code": reason, "reason": words,
        });
        self.record("station.revoke", &station.name, detail)?;
        Ok(station)
    }
}
