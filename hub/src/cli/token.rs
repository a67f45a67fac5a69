//! `cellular-hub token`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use serde_json::json;
use storage::{BatchName, TenantId, TokenDigest, UnixSeconds};
use zeroize::Zeroizing;

use super::{Failure, Invocation, now, output};

/// Random bytes of a token.
const BYTES: usize = 32;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a one-time token, with which one board of a batch can be enrolled.
    ///
    /// It is shown now and never again: the hub keeps only its SHA-256. Whoever has it first uses it.
    New {
        /// Whose boards.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
        /// Of which batch.
        #[arg(long, value_name = "BATCH")]
        batch: BatchName,
        /// Hours until it expires.
        #[arg(long, value_name = "HOURS", default_value_t = 24,
              value_parser = clap::value_parser!(u64).range(1..=8760))]
        hours: u64,
    },
}

impl Token {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let Self::New { tenant, batch, hours } = self;
        let admin = hub.admin()?;
        let mut random = Zeroizing::new([0; BYTES]);
        getrandom::fill(random.as_mut())
            .map_err(|_| Failure::Unusable(String::from("the system gives no random bytes")))?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        let expires = UnixSeconds(now().0 + hours * 3600);
        let token = storage::Token { tenant, batch, created: now(), expires, used: None };
        admin.add_token(&TokenDigest::of(&text), &token)?;
        let answer = json!({
            "token": text.as_str(), "tenant": token.tenant, "batch": token.batch,
            "expires": token.expires,
        });
        hub.output.answer(&answer, || {
            let (tenant, batch, until) = (&token.tenant, &token.batch, output::moment(expires));
            let text = text.as_str();
            format!("{text}\nfor one board of {tenant}'s batch {batch}, until {until}; shown once")
        })
    }
}
