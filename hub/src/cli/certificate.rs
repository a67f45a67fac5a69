//! `cellular-hub certificate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use storage::{
    AuthorityName, AuthorityNumber, BoardId, CertificateEnds, Fingerprint, RevocationReason,
    RevokedCertificate, Serial, TenantId,
};

use super::{Failure, Files, Invocation, now, output};
use crate::admin::Which;
use crate::trust::BoardCertificate;

#[derive(Debug, Subcommand)]
pub(super) enum Certificate {
    /// Trust a certificate no more; its board may get another one (`ca issue`).
    ///
    /// In a running hub the session of the board that has it ends. To shut out the board itself, use
    /// `board block` or `board revoke`.
    Revoke(Revoke),
    /// List what is revoked.
    List,
    /// How many certificates end soon: boards' by tenant, authorities', the root's and the servers'.
    ///
    /// Boards that are revoked are not counted. Boards without a certificate, or whose the hub has not
    /// seen yet, are of unknown end.
    Forecast {
        /// Of this tenant alone.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Revoke {
    #[command(flatten)]
    which: Chosen,
    /// The tenant whose authority issued it, for --serial; with its number (acme/2) where that is not
    /// the first.
    #[arg(long, value_name = "TENANT", value_parser = issuer)]
    tenant: Option<AuthorityName>,
    /// The board it was issued to, for --certificate.
    #[arg(long, value_name = "BOARD")]
    board: Option<BoardId>,
    /// Why (RFC 5280 5.3.1).
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    reason: Reason,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Chosen {
    /// SHA-256 of the certificate's DER, as `board show` has it.
    fingerprint: Option<Fingerprint>,
    /// The certificate's serial number, in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = serial, requires = "tenant")]
    serial: Option<Serial>,
    /// The certificate itself, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "board")]
    certificate: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Reason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::CaCompromise => Self::CaCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

impl Certificate {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Revoke(revoke) => revoke.run(hub),
            Self::List => list(hub),
            Self::Forecast { tenant } => forecast(hub, tenant.as_ref()),
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        let read = match self {
            Self::Revoke(revoke) => revoke.which.certificate.clone(),
            Self::List | Self::Forecast { .. } => None,
        };
        Files { read: read.into_iter().collect(), ..Files::default() }
    }
}

impl Revoke {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let which = match (self.which, self.tenant, self.board) {
            (Chosen { fingerprint: Some(fingerprint), .. }, ..) => Which::Fingerprint(fingerprint),
            (Chosen { serial: Some(serial), .. }, Some(issuer), _) => Which::Serial(issuer, serial),
            (Chosen { certificate: Some(file), .. }, _, Some(board)) => {
                let authorities = admin.authorities_of(&admin.board(&board)?.tenant)?;
                let certificate = BoardCertificate::parse(&file, &hub.read(&file)?)?;
                let certificate = certificate.check(&board, &authorities)?;
                Which::Whole(board, certificate)
            }
            _ => return Err(Failure::Unusable(String::from("name a certificate"))),
        };
        let revoked = admin.revoke_certificate(&which, self.reason.into(), None, now())?;
        hub.output.answer(&revoked, || match &revoked.board {
            Some(board) => {
                let sessions = output::ended(revoked.sessions_ended);
                format!("certificate of board {board} revoked{sessions}")
            }
            None => String::from("certificate revoked; no board has it"),
        })
    }
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let head = format!("{:<76} {:<32} {:<20} REASON", "CERTIFICATE", "BOARD", "SINCE");
    let revoked = admin.store().revoked().list().map(|revoked| Ok(revoked?));
    hub.output.list(&head, revoked, |revoked| {
        let named = match &revoked.certificate {
            RevokedCertificate::Fingerprint(fingerprint) => format!("sha-256 {fingerprint}"),
            RevokedCertificate::Serial(serial) => {
                let digits: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
                let number = revoked.issuer.unwrap_or(AuthorityNumber::FIRST);
                format!("serial {digits} of {}/{number}", revoked.tenant)
            }
        };
        let board = revoked.board.as_ref().map_or("", |board| board.as_ref());
        let (since, reason) = (output::moment(revoked.since), revoked.reason.code());
        format!("{named:<76} {board:<32} {since:<20} {reason} {:?}", revoked.reason)
    })
}

fn forecast(hub: &Invocation, tenant: Option<&TenantId>) -> Result<(), Failure> {
    let (config, pki) = (hub.config()?, hub.pki()?);
    let forecast = hub.admin()?.forecast((&config, &pki), tenant, now())?;
    hub.output.answer(&forecast, || {
        let line = |name: &str, ends: &CertificateEnds| {
            let CertificateEnds { ended, within_30_days, within_90_days, .. } = ends;
            let CertificateEnds { within_365_days, later, unknown, .. } = ends;
            let next = ends.next.map(output::moment).unwrap_or_default();
            format!(
                "{name:<32} {ended:>8} {within_30_days:>8} {within_90_days:>8} \
                 {within_365_days:>8} {later:>8} {unknown:>8} {next}\n"
            )
        };
        let mut text = format!(
            "{:<32} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} NEXT\n",
            "BOARDS OF", "ENDED", "30 DAYS", "90 DAYS", "365 DAYS", "LATER", "UNKNOWN"
        );
        for (tenant, ends) in &forecast.tenants {
            text += &line(tenant.as_str(), ends);
        }
        text += &line("all", &forecast.boards);
        let authorities = forecast.authorities.iter();
        let authorities = authorities.map(|it| {
            let campaign = it.campaign.map(|number| format!("; campaign {number} leaves it"));
            (it.authority.to_string(), it.not_after, campaign.unwrap_or_default())
        });
        let root = forecast.root.map(|end| (String::from("root"), end, String::new()));
        let servers = forecast.servers.iter();
        let servers =
            servers.map(|it| (it.certificate.display().to_string(), it.not_after, String::new()));
        for (name, end, campaign) in authorities.chain(root).chain(servers) {
            text += &format!("{name:<32} ends {}{campaign}\n", output::moment(end));
        }
        text
    })
}

/// An authority, or a tenant for its first.
fn issuer(text: &str) -> Result<AuthorityName, String> {
    let named = match text.contains('/') {
        true => text.parse(),
        false => {
            text.parse().map(|tenant| AuthorityName { tenant, number: AuthorityNumber::FIRST })
        }
    };
    named.map_err(|error| error.to_string())
}

/// Up to 20 bytes (RFC 5280 4.1.2.2), without leading zeros.
fn serial(text: &str) -> Result<Serial, String> {
    let rule = || String::from("a serial number is 1 to 40 hexadecimal digits, not all of them 0");
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b':')
        .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or_else(rule)?;
    let digits: Vec<u8> = digits.into_iter().skip_while(|digit| *digit == 0).collect();
    if digits.is_empty() || digits.len() > 40 {
        return Err(rule());
    }
    let bytes = digits.rchunks(2).rev().map(|pair| match *pair {
        [high, low] => high << 4 | low,
        [low] => low,
        _ => 0,
    });
    Ok(Serial::new(&bytes.collect::<Vec<u8>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_read_with_and_without_colons_and_zeros() {
        for text in ["1ab", "01AB", "00:01:ab", "0001:ab"] {
            assert_eq!(serial(text).unwrap().as_bytes(), [1, 0xab], "{text}");
        }
        for text in ["", "0", "xy", "é", &"1".repeat(41)] {
            assert!(serial(text).is_err(), "{text:?}");
        }
    }
}
