//! `cellular-hub firmware`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use openssl::pkey::PKey;
use serde_json::json;
use storage::{HardwareName, ProductName, Release, ReleaseState, StoreError, TenantId};

use super::{Failure, Files, Invocation, now, output};
use crate::admin::{AdminError, Upload};
use crate::trust::keys::KeyLabel;

#[derive(Debug, Subcommand)]
pub(super) enum Firmware {
    /// Take an image in, signed or not.
    ///
    /// It is read as boards read it. One that is signed has to be signed with a known key (see
    /// `firmware keys`); one that is not becomes a draft. A version that is not later than what boards
    /// may run already is refused, and so is a lower security counter.
    Add(Add),
    /// List releases, oldest first.
    List {
        /// Those of one product alone.
        #[arg(long)]
        product: Option<ProductName>,
    },
    /// Show a release.
    Show {
        /// Its number.
        release: u64,
    },
    /// Show what is to be signed of a release where the key is elsewhere: its SHA-256.
    Digest {
        /// Its number.
        release: u64,
        /// Write the digest's 32 bytes to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Sign a release with a key of the key store, or with a signature that was made elsewhere.
    ///
    /// On the hub's host this is done at once; over the API it takes two people.
    Sign {
        /// Its number.
        release: u64,
        /// The key in the key store: firmware, firmware/2 ... (`key new firmware` makes it).
        #[arg(long, default_value = "firmware", conflicts_with = "signature")]
        key: KeyLabel,
        /// ECDSA signature over the digest, DER, by a key that `firmware trust` made known.
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
    },
    /// Give a release to no board any more; those that run it go on.
    Withdraw {
        /// Its number.
        release: u64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Write a release's image, as it is now, to a file.
    Export {
        /// Its number.
        release: u64,
        /// The file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write what a release is made of, its SBOM as it came, to a file; or give it one.
    Sbom {
        /// Its number.
        release: u64,
        /// The file to write.
        #[arg(long, value_name = "FILE", required_unless_present = "set", conflicts_with = "set")]
        out: Option<PathBuf>,
        /// The bill of materials that it is to have from now on.
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
    /// List the keys whose signatures are taken.
    Keys,
    /// Take the signatures of a key that is held elsewhere.
    Trust {
        /// What to call it.
        name: String,
        /// Its public half, PEM.
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
    },
    /// Take no signatures of a key held elsewhere any more; releases that have one stay.
    Distrust {
        /// What it is called.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The image: MCUboot's format.
    image: PathBuf,
    /// The kind of product it is for, as its boards call themselves.
    #[arg(long)]
    product: ProductName,
    /// A revision of the hardware it is for; again for more, not at all for every one.
    #[arg(long)]
    hardware: Vec<HardwareName>,
    /// The tenant whose boards may have it; without, every tenant's.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// What is new, a text file.
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// What it is made of: a software bill of materials.
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
}

impl Firmware {
    /// The files that it hands to a running hub.
    pub(super) fn files(&self) -> Files {
        let mut files = Files::default();
        match self {
            Self::Add(add) => {
                files.read.push(add.image.clone());
                files.read.extend(add.notes.iter().chain(&add.sbom).cloned());
            }
            Self::Sign { signature, .. } => files.read.extend(signature.clone()),
            Self::Trust { public_key, .. } => files.read.push(public_key.clone()),
            Self::Digest { out, .. } => files.made.extend(out.clone()),
            Self::Export { out, .. } => files.made.push(out.clone()),
            Self::Sbom { out, set, .. } => {
                files.made.extend(out.clone());
                files.read.extend(set.clone());
            }
            Self::List { .. }
            | Self::Show { .. }
            | Self::Withdraw { .. }
            | Self::Keys
            | Self::Distrust { .. } => {}
        }
        files
    }

    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::List { product } => list(hub, product.as_ref()),
            Self::Show { release } => {
                let admin = hub.admin()?;
                let release = admin.firmware(release)?;
                let running = match admin.store().boards().running() {
                    Err(StoreError::ListsNotReady) => None,
                    running => Some(running.map_err(AdminError::from)?),
                };
                let runs_on = running.map(|running| running.of(&release, None));
                let answer = Counted { release: &release, runs_on };
                hub.output.answer(&answer, || shown(&answer))
            }
            Self::Digest { release, out } => {
                hub.must_be_new(&out)?;
                let release = hub.admin()?.firmware(release)?;
                if let Some(out) = &out {
                    hub.write_new(out, &release.digest.0)?;
                }
                hub.output.answer(&release, || release.digest.to_string())
            }
            Self::Sign { release, key, signature } => {
                let admin = hub.admin()?;
                let signed = match signature {
                    Some(file) => {
                        admin.attach_signature(release, &hub.read(&file)?, false, now())?
                    }
                    None => admin.sign_release(release, &key, now())?,
                };
                hub.output.answer(&signed, || said(&signed))
            }
            Self::Withdraw { release, reason } => {
                let withdrawn = hub.admin()?.withdraw_release(release, reason, now())?;
                hub.output.answer(&withdrawn, || said(&withdrawn))
            }
            Self::Export { release, out } => {
                hub.must_be_new([&out])?;
                let admin = hub.admin()?;
                let release = admin.firmware(release)?;
                hub.write_new(&out, &admin.image(&release)?)?;
                hub.output.answer(&release, || {
                    format!("{}: {} bytes, {}", out.display(), release.size, release.file)
                })
            }
            Self::Sbom { release, out, set } => sbom(hub, release, out.as_ref(), set.as_ref()),
            Self::Keys => keys(hub),
            Self::Trust { name, public_key } => {
                let key = PKey::public_key_from_pem(&hub.read(&public_key)?)
                    .and_then(|key| key.public_key_to_der());
                let spki = key.map_err(|_| {
                    Failure::Refused(format!("{} is no public key, PEM", public_key.display()))
                })?;
                let key = hub.admin()?.trust_firmware_key(&name, &spki, now())?;
                hub.output.answer(&key, || format!("signatures of {name} are taken: {}", key.id))
            }
            Self::Distrust { name } => {
                hub.admin()?.distrust_firmware_key(&name)?;
                hub.output.answer(&json!({ "name": name }), || {
                    format!("signatures of {name} are taken no more")
                })
            }
        }
    }
}

impl Add {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let notes = self.notes.map(|file| hub.read(&file)).transpose()?.unwrap_or_default();
        let notes = String::from_utf8(notes)
            .map_err(|_| Failure::Refused(String::from("the notes are no text in UTF-8")))?;
        let upload = Upload {
            tenant: self.tenant,
            product: self.product,
            hardware: self.hardware,
            image: hub.read(&self.image)?,
            notes,
            sbom: self.sbom.map(|file| hub.read(&file)).transpose()?,
            now: now(),
        };
        let release = hub.admin()?.add_release(upload)?;
        hub.output.answer(&release, || said(&release))
    }
}

fn list(hub: &Invocation, product: Option<&ProductName>) -> Result<(), Failure> {
    let releases = hub.admin()?.releases()?.into_iter();
    let wanted = releases.filter(|it| product.is_none_or(|product| it.product == *product));
    let head = format!(
        "{:>7} {:<20} {:<16} {:>7} {:<12} {:<20} STATE",
        "RELEASE", "PRODUCT", "VERSION", "COUNTER", "TENANT", "ADDED"
    );
    hub.output.list(&head, wanted.map(Ok), |release| {
        let Release { number, product, version, security_counter, tenant, added, .. } = release;
        let tenant = tenant.as_ref().map_or("all", TenantId::as_str);
        let (added, state) = (output::moment(*added), words(&release.state));
        format!(
            "{number:>7} {product:<20} {version:<16} {security_counter:>7} {tenant:<12} {added:<20} {state}"
        )
    })
}

fn sbom(
    hub: &Invocation,
    number: u64,
    out: Option<&PathBuf>,
    set: Option<&PathBuf>,
) -> Result<(), Failure> {
    hub.must_be_new(out)?;
    let admin = hub.admin()?;
    let release = match set {
        Some(file) => admin.attach_sbom(number, &hub.read(file)?)?,
        None => admin.firmware(number)?,
    };
    let sbom = admin.sbom(&release)?;
    if let Some(out) = out {
        hub.write_new(out, &sbom.bytes)?;
    }
    let (kind, size) = (sbom.kind.media_type(), sbom.bytes.len());
    let answer = json!({ "release": number, "sbom": release.sbom, "type": kind, "bytes": size });
    hub.output.answer(&answer, || format!("release {number}: SBOM of {size} bytes, {kind}"))
}

fn keys(hub: &Invocation) -> Result<(), Failure> {
    let keys = hub.admin()?.signing_keys()?.into_iter().map(Ok);
    hub.output.list(&format!("{:<24} {:<10} SHA-256", "KEY", "WHERE"), keys, |key| {
        let place = if key.in_key_store { "key store" } else { "elsewhere" };
        format!("{:<24} {place:<10} {}", key.name, key.id)
    })
}

fn said(release: &Release) -> String {
    let Release { number, product, version, .. } = release;
    format!("release {number}, {product} {version}: {}", words(&release.state))
}

/// A release, and how many boards run it, where they can be counted.
#[derive(serde::Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    release: &'a Release,
    runs_on: Option<u64>,
}

fn shown(Counted { release, runs_on }: &Counted<'_>) -> String {
    let hardware: Vec<_> = release.hardware.iter().map(ToString::to_string).collect();
    let or = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
    let mut lines = vec![
        said(release),
        format!("tenant    {}", release.tenant.as_ref().map_or("all", TenantId::as_str)),
        format!("hardware  {}", or(hardware.join(", "), "all")),
        format!("counter   {}", release.security_counter),
        format!("digest    {}", release.digest),
        format!("image     {} ({} bytes)", release.file, release.size),
        format!("added     {} by {}", output::moment(release.added), release.by),
    ];
    if let Some(boards) = runs_on {
        lines.push(format!("runs on   {boards} boards"));
    }
    if let Some(needs) = release.needs {
        lines.push(format!("needs     {needs} or later to run before"));
    }
    if let Some(sbom) = release.sbom {
        lines.push(format!("SBOM      {sbom}"));
    }
    if !release.notes.is_empty() {
        lines.push(format!("\n{}", release.notes.trim_end()));
    }
    lines.join("\n")
}

fn words(state: &ReleaseState) -> String {
    match state {
        ReleaseState::Draft => String::from("draft"),
        ReleaseState::Approved { approved_by, .. } => format!("may be signed, says {approved_by}"),
        ReleaseState::Signed { signed, .. } => format!("signed {}", output::moment(*signed)),
        ReleaseState::Withdrawn { why, .. } => format!("withdrawn: {why}"),
    }
}
