//! `enrol`: one station's run enrols all boards over HTTPS while the station is killed and started
//! again, and the hub is killed once as well; afterwards every board has exactly one certificate,
//! the one the hub knows.
//!
//! The boards' keys and requests are made here, beforehand. The rate is that of the runs that were
//! not killed, hub and station on one machine.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use openssl::base64::encode_block;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::x509::{X509, X509Name, X509ReqBuilder};
use storage::{BoardId, Fingerprint, Store};

use super::error::{ScenarioError, system};
use super::hub::{last_words, pause};
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure};
use crate::load::chance::Chance;
use crate::load::progress;
use crate::load::report::Report;

const LOOK: Duration = Duration::from_millis(5);
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(600);
/// Boards a second, over all of the time.
const TARGET: f64 = 100.0;
const TENANT: &str = "tenant-0";

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Boards.
    pub boards: usize,
    /// Chooses when who is killed.
    pub seed: u64,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size, seed: u64) -> Self {
        Self { boards: size.choose(600, 10_000), seed }
    }
}

/// What the end looks like.
#[derive(Default)]
struct Found {
    without: usize,
    other_than_known: usize,
    other_key: usize,
    unverified: usize,
    twice: usize,
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let site = Site::make(&Wanted { boards: 1, ..Wanted::default() })?;
    let https = site.enable_https()?;
    let bar = progress::counting("requests", options.boards);
    let keys = requests(&site.folder().join("requests.jsonl"), options.boards, || bar.inc(1))?;
    bar.finish_and_clear();
    let max = options.boards.to_string();
    site.command("batch add", &["--tenant", TENANT, "--prefix", "CB-F", "--max", &max, "run"])?;
    let (out, key) = (site.in_folder("line.pem"), site.in_folder("line.key"));
    let names = ["--tenant", TENANT, "--batch", "run", "--out", &out, "--key", &key, "line"];
    site.command("station issue", &names)?;

    let mut chance = Chance::new(options.seed);
    // The station is killed in the second quarter, the hub in the third.
    let mut within = |from: usize| from + chance.below(options.boards / 4);
    let (kill_station, kill_hub) = (within(options.boards / 4), within(options.boards / 2));

    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(30))?;
    let bar = progress::counting("boards", options.boards);
    let began = Instant::now();
    let first = Station::start(&site, https)?;
    first.wait_for(kill_station, &bar)?;
    first.kill()?;
    let second = Station::start(&site, https)?;
    second.wait_for(kill_hub, &bar)?;
    hub.kill()?;
    let mut hub = site.start()?;
    let away = hub.wait_ready(Duration::from_secs(30))?;
    let words = second.finish(&bar)?;
    let took = began.elapsed();
    bar.finish_and_clear();
    hub.terminate(Duration::from_secs(60))?;

    let found = look(&site, &keys)?;
    let rate = figure(options.boards) / took.as_secs_f64();
    let mut report = Report::new();
    report.row("boards", figure(options.boards), "");
    report.row("station_killed_after", figure(kill_station), "boards");
    report.row("hub_killed_after", figure(kill_hub), "boards");
    report.row("hub_away", away.as_secs_f64() * 1e3, "ms");
    report.row("took", took.as_secs_f64(), "s");
    report.row("boards_per_s", rate, "/s");
    report.row("without_certificate", figure(found.without), "");
    report.row("certificate_not_the_one_known", figure(found.other_than_known), "");
    report.row("certificate_for_another_key", figure(found.other_key), "");
    report.row("not_verified", figure(found.unverified), "");
    report.row("registered_beside", figure(found.twice), "");
    let Found { without, other_than_known, other_key, unverified, twice } = found;
    let wrong = without + other_than_known + other_key + unverified + twice;
    let figure = match wrong {
        0 => format!("{} boards, one valid certificate each, {rate:.0} a second", options.boards),
        wrong => format!("{wrong} of {} boards are not as they should be; {words}", options.boards),
    };
    Ok(Verdict { report, figure, met: wrong == 0 && rate >= TARGET })
}

/// Writes a request for each board as JSON lines, and returns the digests of their keys.
fn requests(
    file: &Path,
    boards: usize,
    made: impl Fn(),
) -> Result<HashMap<BoardId, [u8; 32]>, ScenarioError> {
    let to = File::create(file).map_err(system("write the requests"))?;
    let mut to = BufWriter::new(to);
    let mut keys = HashMap::new();
    for n in 0..boards {
        let id = format!("CB-F{n:07}");
        let (csr, key) = request(&id).map_err(cryptography)?;
        writeln!(to, "{{\"id\":\"{id}\",\"csr\":\"{}\"}}", encode_block(&csr))
            .map_err(system("write the requests"))?;
        if let Ok(id) = id.parse() {
            keys.insert(id, key);
        }
        made();
    }
    to.flush().map_err(system("write the requests"))?;
    Ok(keys)
}

fn request(id: &str) -> Result<(Vec<u8>, [u8; 32]), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key: PKey<Private> = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, id)?;
    let mut builder = X509ReqBuilder::new()?;
    builder.set_subject_name(&subject.build())?;
    builder.set_pubkey(&key)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build().to_der()?, sha256(&key.public_key_to_der()?)))
}

fn cryptography(error: ErrorStack) -> ScenarioError {
    system("make a request")(error.into())
}

/// A run of `cellular-hub factory`.
struct Station {
    child: Child,
    result: PathBuf,
    log: PathBuf,
}

impl Station {
    fn start(site: &Site, https: std::net::SocketAddr) -> Result<Self, ScenarioError> {
        let doing = system("start the station");
        let log = site.folder().join("station.log");
        let output = File::options().create(true).append(true).open(&log).map_err(&doing)?;
        let again = output.try_clone().map_err(&doing)?;
        let result = site.folder().join("result.jsonl");
        let mut command = site.program("factory");
        command.arg(site.folder().join("requests.jsonl"));
        command.args(["--hub", &https.to_string(), "--tenant", TENANT]);
        command.arg("--authority").arg(site.folder().join("pki/root.pem"));
        command.arg("--certificate").arg(site.in_folder("line.pem"));
        command.arg("--key").arg(site.in_folder("line.key"));
        command.arg("--out").arg(site.folder().join("certificates"));
        command.arg("--result").arg(&result);
        command.stdin(Stdio::null()).stdout(output).stderr(again);
        Ok(Self { child: command.spawn().map_err(doing)?, result, log })
    }

    /// Waits until the result file has so many boards.
    fn wait_for(&self, boards: usize, bar: &indicatif::ProgressBar) -> Result<(), ScenarioError> {
        let began = Instant::now();
        loop {
            let done = self.done();
            bar.set_position(done as u64);
            if done >= boards {
                return Ok(());
            }
            if began.elapsed() > WITHIN {
                return Err(self.silent(boards as u64, done));
            }
            pause(LOOK);
        }
    }

    fn done(&self) -> usize {
        let text = fs::read(&self.result).unwrap_or_default();
        text.iter().filter(|byte| **byte == b'\n').count()
    }

    fn silent(&self, boards: u64, done: usize) -> ScenarioError {
        let words = last_words(&fs::read(&self.log).unwrap_or_default());
        let words = format!("{done} of {boards} boards are enrolled; {words}");
        ScenarioError::Command { command: "factory", words }
    }

    fn kill(mut self) -> Result<(), ScenarioError> {
        self.child.kill().map_err(system("kill the station"))?;
        self.child.wait().map_err(system("wait for the station"))?;
        Ok(())
    }

    /// Waits for its end and returns its last words.
    fn finish(mut self, bar: &indicatif::ProgressBar) -> Result<String, ScenarioError> {
        let began = Instant::now();
        loop {
            bar.set_position(self.done() as u64);
            let ended = self.child.try_wait().map_err(system("wait for the station"))?;
            if ended.is_some() {
                return Ok(last_words(&fs::read(&self.log).unwrap_or_default()));
            }
            if began.elapsed() > WITHIN {
                return Err(self.silent(bar.length().unwrap_or_default(), self.done()));
            }
            pause(LOOK);
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compares what the boards have with what the hub knows, and has OpenSSL's program verify it.
fn look(site: &Site, keys: &HashMap<BoardId, [u8; 32]>) -> Result<Found, ScenarioError> {
    let store = Store::open(&site.folder().join("store"))?;
    let (mut found, mut files) = (Found::default(), Vec::new());
    for (id, key) in keys {
        let file = site.folder().join("certificates").join(format!("{id}.pem"));
        let pem = fs::read(&file).unwrap_or_default();
        let Ok(certificate) = X509::from_pem(&pem) else {
            found.without += 1;
            continue;
        };
        let known = store.boards().find(id)?.and_then(|board| board.fingerprint);
        let own = certificate.to_der().map(|der| Fingerprint(sha256(&der))).ok();
        found.other_than_known += usize::from(known != own || own.is_none());
        let its_key = certificate.public_key().and_then(|key| key.public_key_to_der());
        let its_key = its_key.map(|der| sha256(&der)).ok();
        found.other_key += usize::from(its_key.as_ref() != Some(key));
        files.push(file);
    }
    // The fixture's one board, and those.
    found.twice = store.boards().count().abs_diff(keys.len() + 1);
    found.unverified = unverified(site, &files)?;
    Ok(found)
}

fn unverified(site: &Site, files: &[PathBuf]) -> Result<usize, ScenarioError> {
    let pki = site.folder().join("pki");
    let mut verified = 0;
    for some in files.chunks(500) {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-purpose", "sslclient", "-CAfile"]).arg(pki.join("root.pem"));
        openssl.arg("-untrusted").arg(pki.join(format!("tenants/{TENANT}.pem"))).args(some);
        let said = openssl.output().map_err(system("run openssl verify"))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        verified += said.lines().filter(|line| line.ends_with(": OK")).count();
    }
    Ok(files.len().saturating_sub(verified))
}
