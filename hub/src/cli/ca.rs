//! `cellular-hub ca`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use storage::{BoardId, Store, TenantId};

use super::{Failure, Files, Invocation, now, output};
use crate::admin::Admin;
use crate::trust::keys::KeyLabel;
use crate::trust::{
    Authorities, BOARD_YEARS, BoardRequest, Expiry, Imported, Initialised, Issuing, ListLives,
    ListName, Lists, Made, Pki, ServerName,
};

#[derive(Debug, Subcommand)]
pub(super) enum Ca {
    /// Make what is missing: the root with its key in the key store, and the server's certificate.
    ///
    /// Nothing is ever overwritten. `ca server renew` renews the server's certificate; for another key as
    /// well, move server.pem and keys/server.key away and run this again. Plain keys that a former
    /// hub left in the pki folder, the server's among them, are taken into the key files, and kept
    /// beside as *.imported for you to destroy. With keys in
    /// files, keep copies of pki/keys and of the passphrase off this machine, apart from each other.
    Init {
        /// A name or address that boards reach the server by; may be repeated.
        #[arg(long = "server-name", value_name = "NAME",
              default_values = ["localhost", "127.0.0.1", "::1"])]
        server_names: Vec<ServerName>,
    },
    /// The certificate that the hub's servers show.
    #[command(subcommand)]
    Server(Server),
    /// The root's rollover: another root, which boards are given before it counts.
    #[command(subcommand)]
    Root(Root),
    /// Issue a board's certificate with its tenant's authority, and register the board.
    Issue(Issue),
    /// Write an authority's list of revoked certificates (CRL, RFC 5280), signed now.
    ///
    /// A hub with [https] publishes it at /crl/TENANT.crl, /crl/TENANT/NUMBER.crl and /crl/root.crl. Certificates that were revoked by
    /// fingerprint alone cannot stand in it: a list names serial numbers.
    Crl {
        /// Who signs it: the authority that issues a tenant's boards (acme), one of the tenant's
        /// (acme/2), or the root.
        #[arg(value_name = "AUTHORITY")]
        authority: ListName,
        /// Where the list goes, DER; a new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Server {
    /// Make another for the key that there is; a running hub shows it within seconds.
    ///
    /// Boards' port and HTTPS show it from the next handshake on; sessions go on. The one before is kept
    /// as server.previous.pem.
    Renew {
        /// A name or address that boards reach the server by; may be repeated [default: those of the
        /// certificate before].
        #[arg(long = "server-name", value_name = "NAME")]
        server_names: Vec<ServerName>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Root {
    /// Show how far the rollover is, and how many boards may know the root before alone.
    Show,
    /// Make the next root, with a key of its own in the key store.
    ///
    /// Boards that ask (crts) are given it; the one before signs on. Each root signs the other, and the
    /// server's file has what leads from its certificate to the next one: boards that know either believe it.
    New,
    /// Have the next root sign from now on: servers, and authorities of tenants.
    ///
    /// The server gets a certificate by it, for the key that it has; boards that know the root before alone
    /// still believe it.
    Use,
    /// Believe the root before no more.
    Finish {
        /// Though boards may know that one alone, and would not believe the hub any more.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  The key was made on the board, where it stays:
    cellular-hub ca issue CB-1 --tenant acme --csr cb-1.csr --out cb-1.pem
  For the bench, a key made here:
    cellular-hub ca issue CB-1 --tenant acme --key cb-1.key.pem --out cb-1.pem")]
pub(super) struct Issue {
    /// The board's hardware id; it goes into the certificate.
    board: BoardId,
    /// The tenant it belongs to.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    #[command(flatten)]
    key: KeyOrRequest,
    /// Where the certificate goes, PEM [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Years until the certificate expires.
    #[arg(long, value_name = "YEARS", default_value_t = BOARD_YEARS, conflicts_with = "no_expiry",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    years: u16,
    /// A certificate without a known end (99991231235959Z, RFC 5280).
    #[arg(long)]
    no_expiry: bool,
    /// Take the place of the certificate that the board has.
    #[arg(long)]
    replace: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct KeyOrRequest {
    /// The board's signing request (PKCS#10, PEM or DER), signed with its key on P-256.
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Make the key here and write it to this new file (PEM, mode 0600): for the bench only.
    #[arg(long, value_name = "OUT")]
    key: Option<PathBuf>,
}

impl Ca {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Init { server_names } => init(hub, &server_names),
            Self::Server(Server::Renew { server_names }) => renew(hub, &server_names),
            Self::Root(root) => root.run(hub),
            Self::Issue(issue) => issue.run(hub),
            Self::Crl { authority, out } => crl(hub, &authority, &out),
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        let all = |files: &Option<PathBuf>| files.iter().cloned().collect();
        match self {
            Self::Issue(Issue { key: KeyOrRequest { csr, key }, out, .. }) => {
                Files { read: all(csr), made: all(out), keys: all(key), ..Files::default() }
            }
            Self::Init { .. } | Self::Server(_) | Self::Root(_) => Files::default(),
            Self::Crl { out, .. } => Files { made: vec![out.clone()], ..Files::default() },
        }
    }
}

fn init(hub: &Invocation, server_names: &[ServerName]) -> Result<(), Failure> {
    // First, so that nothing is made that cannot be recorded.
    let admin = hub.admin_or_new()?;
    let pki = hub.pki()?;
    let done = pki.init(server_names, now())?;
    record_init(&admin, &pki, &done, server_names)?;
    let (root, server) = (pki.root_file(), pki.server_files());
    let answer = json!({
        "root": { "certificate": root, "key": pki.keys().describe(), "done": done.root },
        "server": { "certificate": server.certificate, "key": server.key, "done": done.server },
        "imported": done.imported,
    });
    hub.output.answer(&answer, || {
        let line = |what: &str, made: Made, file: &PathBuf| match made {
            Made::Made => format!("{what} made: {}", file.display()),
            Made::Kept => format!(
                "{what} kept as it is, with the names and dates it has: {} (move it and its key \
                 away to make another)",
                file.display()
            ),
        };
        let mut text = String::new();
        for Imported { key, plain } in &done.imported {
            let (store, plain) = (pki.keys().describe(), plain.display());
            text += &format!("key {key} taken into {store}; destroy the plain one: {plain}\n");
        }
        text += &line("root", done.root, &root);
        if done.root == Made::Made {
            text += &format!("\nits key made in {}", pki.keys().describe());
        }
        format!("{text}\n{}", line("server certificate", done.server, &server.certificate))
    })
}

fn renew(hub: &Invocation, server_names: &[ServerName]) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let pki = hub.pki()?;
    let issued = pki.renew_server(server_names, now())?;
    let file = pki.server_files().certificate;
    let detail = json!({
        "fingerprint": issued.fingerprint(), "serial": issued.serial(),
        "not_after": issued.not_after(),
    });
    admin.record("certificate.renew", &"server", detail.clone())?;
    let answer = json!({ "certificate": file, "issued": detail });
    hub.output.answer(&answer, || {
        let until = output::moment(issued.not_after());
        format!("server certificate renewed until {until}: {}", file.display())
    })
}

fn crl(hub: &Invocation, name: &ListName, out: &Path) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let list_s = hub.config()?.https.crl_hours.saturating_mul(60 * 60);
    let lives = ListLives { list_s, answer_s: 0 };
    let authorities = Authorities::new(hub.pki()?, admin.store().clone());
    let list = Lists::new(authorities, lives).of(name, now())?;
    hub.write_new(out, &list.der)?;
    let count = list.revoked.len();
    let detail = json!({ "number": list.number, "revoked": count, "until": list.until });
    admin.record("ca.crl", name, detail)?;
    let answer = json!({
        "authority": name, "file": out, "number": list.number, "revoked": count,
        "until": list.until,
    });
    hub.output.answer(&answer, || {
        let (file, until) = (out.display(), output::moment(list.until));
        format!("{count} revoked certificates of {name}, in force until {until}: {file}")
    })
}

fn record_init(
    admin: &Admin,
    pki: &Pki,
    done: &Initialised,
    server_names: &[ServerName],
) -> Result<(), Failure> {
    let place = pki.keys().describe();
    for Imported { key, .. } in &done.imported {
        admin.record("key.import", key, json!({ "store": place }))?;
    }
    if done.root == Made::Made {
        let root = pki.root()?;
        let fingerprint = storage::Fingerprint(openssl::sha::sha256(root.certificate()));
        let detail = json!({ "fingerprint": fingerprint, "store": place });
        admin.record("ca.init", &KeyLabel::ROOT, detail)?;
    }
    if done.server == Made::Made {
        let names: Vec<_> = server_names.iter().map(ToString::to_string).collect();
        admin.record("certificate.issue", &"server", json!({ "names": names }))?;
    }
    Ok(())
}

impl Issue {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let tenant = admin.tenant(&self.tenant)?;
        let known = self.known_board(admin.store())?;
        let authorities = Authorities::new(hub.pki()?, admin.store().clone());
        let issuing = authorities.issuing(&tenant)?.ok_or_else(|| {
            let id = &tenant.id;
            Failure::Refused(format!(
                "{id}'s boards are issued by another authority than the hub's; \
                 have it issue the certificate, then `cellular-hub board add`"
            ))
        })?;
        let made = || [&self.out, &self.key.key].into_iter().flatten();
        hub.must_be_new(made())?;
        self.issue(hub, &admin, &issuing, known).inspect_err(|_| hub.forget(made()))
    }

    fn issue(
        &self,
        hub: &Invocation,
        admin: &Admin,
        Issuing { number, authority }: &Issuing,
        known: Option<storage::Board>,
    ) -> Result<(), Failure> {
        let expiry = if self.no_expiry { Expiry::Never } else { Expiry::Years(self.years) };
        let certificate = match (&self.key.csr, &self.key.key) {
            (Some(file), _) => {
                let request = BoardRequest::parse(file, &hub.read(file)?)?;
                authority.issue_board(&self.board, request.public_key(), expiry, now())?
            }
            (None, Some(file)) => {
                authority.issue_board(&self.board, &hub.new_key(file)?, expiry, now())?
            }
            (None, None) => return Err(Failure::Unusable(String::from("give --csr or --key"))),
        };

        let print = certificate.fingerprint();
        let pem = certificate.to_pem();
        if let Some(file) = &self.out {
            hub.write_new(file, pem.as_bytes())?;
        }
        let mut board = known
            .unwrap_or_else(|| storage::Board::new(self.board.clone(), self.tenant.clone(), now()));
        board.certify(certificate.remembered(*number));
        admin.put_board(&board, "board.certificate")?;

        let detail = json!({
            "tenant": self.tenant, "fingerprint": print, "serial": certificate.serial(),
            "authority": number, "not_after": certificate.not_after(),
        });
        admin.record("certificate.issue", &self.board, detail)?;
        let answer = json!({
            "board": board, "certificate": pem, "file": self.out, "key_file": self.key.key,
        });
        hub.output.answer(&answer, || match &self.out {
            Some(file) => format!("board {} of {}: {}", board.id, board.tenant, file.display()),
            None => pem.clone(),
        })
    }

    /// The board if it is registered, and may have this certificate.
    fn known_board(&self, store: &Store) -> Result<Option<storage::Board>, Failure> {
        let Some(board) = store.boards().find(&self.board)? else { return Ok(None) };
        if board.tenant != self.tenant {
            let (id, owner) = (&board.id, &board.tenant);
            return Err(Failure::Refused(format!("board {id} belongs to tenant {owner}")));
        }
        if board.fingerprint.is_some() && !self.replace {
            return Err(Failure::Refused(format!(
                "board {} has a certificate; --replace takes its place",
                board.id
            )));
        }
        Ok(Some(board))
    }
}
