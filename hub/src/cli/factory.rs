//! `cellular-hub factory`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use storage::TenantId;
use zeroize::Zeroizing;

use super::{Failure, Invocation};
use crate::factory::{Address, Boards, Credential, Hub, Options, Summary, read, run};

/// Enrol boards where they are made: signing requests in, certificates out.
///
/// The station's program: it needs no configuration and no store, only the hub's address. Requests
/// come in PEM, DER, base64, JSON lines ({"id": ..., "csr": ...}) or as the modem of an nRF9160
/// answers AT%KEYGEN; each names its board's hardware id in the subject's serialNumber or CN or as
/// hardwareModuleName. A run that ended early goes on where it was when it is started again.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  A folder of requests, with the station's certificate:
    cellular-hub factory requests/ --hub https://hub.example.com:8443 --authority root.pem \\
        --certificate line-1.pem --key line-1.key.pem --out certificates
  As they come from a tester:
    tester | cellular-hub factory - --hub hub.example.com --authority root.pem \\
        --certificate line-1.pem --key line-1.key.pem --out certificates --result today.csv
Exit codes: 0 every board has its certificate; 1 some were refused, and the result file says why;
2 it could not be tried, or the hub is away.")]
pub(super) struct Factory {
    /// Files or folders of signing requests; - is standard input.
    #[arg(required = true, value_name = "REQUESTS")]
    requests: Vec<PathBuf>,
    /// The hub's HTTPS address, as https://hub.example.com:8443.
    #[arg(long, value_name = "ADDRESS")]
    hub: Address,
    /// The hub's root (PEM), which vouches for the hub.
    #[arg(long, value_name = "FILE")]
    authority: PathBuf,
    /// The tenant whose boards they are [default: the station's].
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// The station's certificate, PEM.
    #[arg(
        long,
        value_name = "FILE",
        requires = "key",
        required_unless_present = "token_file",
        conflicts_with = "token_file"
    )]
    certificate: Option<PathBuf>,
    /// The station's key, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// A file that holds a one-time token, for one board, instead of certificate and key.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The folder for the certificates, <id>.pem each.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The result file, CSV where its name ends in .csv, else JSON lines [default: result.jsonl in
    /// --out].
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// Boards that are asked for at a time.
    #[arg(long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Seconds the hub may be away before this gives up.
    #[arg(long, value_name = "S", default_value_t = 120)]
    patience: u64,
}

impl Factory {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let credential = self.credential()?;
        let tls = |error| Failure::Unusable(format!("TLS to the hub cannot be set up: {error}"));
        let to = Hub::new(self.hub.clone(), self.tenant.as_ref(), &self.authority, &credential);
        let options = Options {
            hub: to.map_err(tls)?,
            result: self.result.clone().unwrap_or_else(|| self.out.join("result.jsonl")),
            out: self.out.clone(),
            connections: usize::from(self.connections),
            patience: Duration::from_secs(self.patience),
        };
        let (boards, bar) = self.boards()?;
        let began = Instant::now();
        let done = run(&options, boards, || bar.inc(1));
        bar.finish_and_clear();
        let summary = done.map_err(|error| Failure::Unusable(error.to_string()))?;
        told(hub, &summary, began.elapsed(), &options)
    }

    fn credential(&self) -> Result<Credential, Failure> {
        match (&self.certificate, &self.key, &self.token_file) {
            (Some(certificate), Some(key), _) => {
                Ok(Credential::Certificate { certificate: certificate.clone(), key: key.clone() })
            }
            (_, _, Some(file)) => {
                let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| {
                    Failure::Unusable(format!("cannot read {}: {error}", file.display()))
                })?);
                let token = text.lines().next().unwrap_or_default().trim();
                let is_token = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
                match is_token {
                    true => Ok(Credential::Token(Zeroizing::new(token.to_owned()))),
                    false => Err(Failure::Unusable(format!("{} holds no token", file.display()))),
                }
            }
            _ => Err(Failure::Unusable(String::from(
                "give --certificate and --key, or --token-file",
            ))),
        }
    }

    fn boards(&self) -> Result<(Boards, ProgressBar), Failure> {
        if self.requests.iter().any(|path| path.as_os_str() == "-") {
            if self.requests.len() > 1 {
                let way_out = "- stands alone: standard input, or files";
                return Err(Failure::Unusable(String::from(way_out)));
            }
            let bar = ProgressBar::new_spinner();
            return Ok((Boards::StandardInput, styled(bar, "{spinner} {pos} boards, {per_sec}")));
        }
        let mut items = Vec::new();
        for path in &self.requests {
            let found = read(path).map_err(|error| {
                Failure::Unusable(format!("cannot read {}: {error}", path.display()))
            })?;
            items.extend(found);
        }
        if items.is_empty() {
            return Err(Failure::Unusable(String::from("there are no signing requests in there")));
        }
        let bar = ProgressBar::new(items.len() as u64);
        let style = "{bar:32} {pos}/{len} boards, {per_sec}, {eta} left";
        Ok((Boards::Known(items), styled(bar, style)))
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn told(
    hub: &Invocation,
    summary: &Summary,
    took: Duration,
    options: &Options,
) -> Result<(), Failure> {
    let Summary { enrolled, done_before, refused, reasons } = summary;
    let seconds = took.as_secs_f64();
    let enrolled_f = u32::try_from(*enrolled).map_or(f64::INFINITY, f64::from);
    let rate = if seconds > 0.0 { enrolled_f / seconds } else { 0.0 };
    let result = options.result.display().to_string();
    let answer = json!({
        "enrolled": enrolled, "done_before": done_before, "refused": refused, "reasons": reasons,
        "seconds": seconds, "boards_per_second": rate, "result": result,
    });
    hub.output.answer(&answer, || {
        let mut text = format!("{enrolled} boards enrolled in {seconds:.1} s, {rate:.0} a second");
        if *done_before > 0 {
            text += &format!("; {done_before} were before");
        }
        if *refused > 0 {
            text += &format!("; {refused} refused:");
        }
        for reason in reasons {
            text += &format!("\n  {reason}");
        }
        if *refused > reasons.len() as u64 {
            text += "\n  ...";
        }
        format!("{text}\nresults: {result}")
    })?;
    match refused {
        0 => Ok(()),
        1 => Err(Failure::Refused(format!("1 board was refused; {result} says why"))),
        count => Err(Failure::Refused(format!("{count} boards were refused; {result} says why"))),
    }
}
