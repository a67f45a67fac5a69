//! `cellular-hub fixture`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Failure, Invocation, now};
use crate::broker_url::BrokerUrl;
use crate::fixture::{BOARDS_MAX, Options, make};
use crate::trust::ServerName;

/// Make a whole hub for tests and measurements, with every board's key.
///
/// In a new folder: configuration, store, certificates, and each board's own key and certificate in
/// PEM and DER, so that any DTLS client can be one of its boards. A real board makes its key
/// itself, and the key stays on it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  cellular-hub fixture --boards 1000 --dir /tmp/hub --mqtt mqtts://127.0.0.1:8883 --mqtt-ca ca.pem
  cellular-hub serve --config /tmp/hub/hub.toml
  openssl s_client -dtls1_2 -connect 127.0.0.1:5684 -CAfile /tmp/hub/pki/root.pem \\
      -cert /tmp/hub/boards/0000/CB-00000000.cert.pem -key /tmp/hub/boards/0000/CB-00000000.key.pem")]
pub(super) struct Fixture {
    /// How many boards, CB-00000000 and on, shared out among the tenants in turn.
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(0..=i64::from(BOARDS_MAX)))]
    boards: u32,
    /// How many more boards that have a sleeping session each, and neither key nor certificate.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=16_000_000))]
    sleeping: u32,
    /// The folder to make it in: missing, or empty.
    #[arg(long)]
    dir: PathBuf,
    /// How many tenants, tenant-0 and on.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    tenants: u32,
    /// A broker for the readings of `t`, as mqtts://127.0.0.1:8883; without, `t` is discarded.
    #[arg(long, value_name = "URL")]
    mqtt: Option<BrokerUrl>,
    /// PEM of the CAs to trust for the broker instead of the system's.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_ca: Option<PathBuf>,
    /// Address and UDP port for `link.listen`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address and TCP port for `monitoring.listen`.
    #[arg(long, value_name = "ADDRESS")]
    monitoring: Option<SocketAddr>,
    /// Address and TCP port for `https.listen`.
    #[arg(long, value_name = "ADDRESS")]
    https: Option<SocketAddr>,
    /// A name or address in the server's certificate, beside localhost, 127.0.0.1 and ::1; may be
    /// repeated.
    #[arg(long = "server-name", value_name = "NAME")]
    server_names: Vec<ServerName>,
}

impl Fixture {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        if self.boards == 0 && self.sleeping == 0 {
            return Err(Failure::Unusable(String::from(
                "a fixture without boards is of no use; name at least one with --boards or --sleeping",
            )));
        }
        let options = Options {
            dir: self.dir,
            boards: self.boards,
            sleeping: self.sleeping,
            tenants: self.tenants,
            broker: self.mqtt,
            broker_authority: self.mqtt_ca,
            listen: self.listen,
            monitoring: self.monitoring,
            https: self.https,
            server_names: self.server_names,
            threads: available_parallelism().map_or(2, usize::from),
            now: now(),
        };
        // Drawn on standard error, and only where that is a terminal.
        let wanted = u64::from(options.boards) + u64::from(options.sleeping);
        let bar = ProgressBar::new(wanted).with_style(style());
        let started = Instant::now();
        let made = make(&options, &|boards| bar.inc(boards));
        bar.finish_and_clear();
        made?;

        let seconds = started.elapsed().as_secs_f64();
        let rate = f64::from(options.boards) / seconds;
        let config = options.dir.join("hub.toml");
        let answer = json!({
            "boards": options.boards, "sleeping": options.sleeping, "tenants": options.tenants, "config": config,
            "seconds": seconds, "boards_per_second": rate,
        });
        hub.output.answer(&answer, || {
            let (boards, tenants) = (options.boards, options.tenants);
            format!(
                "{boards} boards of {tenants} tenants in {seconds:.1} s ({rate:.0} a second)\n\
                 next: cellular-hub serve --config {}",
                config.display()
            )
        })
    }
}

fn style() -> ProgressStyle {
    let template = "{bar:40} {human_pos} of {human_len} boards, {per_sec}, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
