//! `/system`: how the hub itself is, for who runs it.

use std::collections::BTreeMap;

use actix_web::{get, web};
use serde::Serialize;
use storage::{RowsState, Store};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::problem::Problem;
use super::serving::Api;
use crate::config::KeyStoreKind;
use crate::people::Permission;
use crate::watch::Host;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(show);
}

/// How the hub itself is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct System {
    /// Its version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Seconds since its start.
    uptime_s: u64,
    /// With which OpenSSL.
    openssl: &'static str,
    /// Bytes of the machine's memory that it takes.
    memory_bytes: u64,
    /// What it remembers.
    store: StoreHealth,
    /// The keys that sign.
    keys: KeysHealth,
    /// When the certificate ends that it shows to boards; none where its file cannot be read.
    certificate_end: Option<Moment>,
    /// Addresses it listens at, by what for.
    #[schema(example = json!({ "coaps": "0.0.0.0:5684", "https": "0.0.0.0:8443" }))]
    listen: BTreeMap<&'static str, String>,
}

/// How the store is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StoreHealth {
    /// Whether it takes what is to be remembered.
    healthy: bool,
    /// Why not, and what to do.
    failure: Option<String>,
    /// Whether boards can be listed; else lists are being made anew from their records.
    lists_ready: bool,
    /// Bytes that it takes on the disk.
    bytes: u64,
    /// Bytes that are free there for the hub.
    disk_free: u64,
    /// Bytes of the disk in all.
    disk_total: u64,
}

/// How the key store is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeysHealth {
    /// What it is.
    store: KeyStoreView,
    /// Whether keys can be used.
    ok: bool,
    /// Why not.
    detail: Option<String>,
}

/// A kind of key store.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = KeyStore)]
pub(super) enum KeyStoreView {
    /// Sealed files.
    File,
    /// A token behind PKCS#11.
    Pkcs11,
}

impl StoreHealth {
    fn of(store: &Store, host: &Host) -> Self {
        let failure = store.failure().map(str::to_owned);
        Self {
            healthy: failure.is_none(),
            failure,
            lists_ready: store.rows_state() == RowsState::Ready,
            bytes: host.store,
            disk_free: host.disk.map_or(0, |disk| disk.free),
            disk_total: host.disk.map_or(0, |disk| disk.total),
        }
    }
}

impl KeysHealth {
    fn of(host: &Host) -> Self {
        Self {
            store: match host.key_store {
                KeyStoreKind::File => KeyStoreView::File,
                KeyStoreKind::Pkcs11 => KeyStoreView::Pkcs11,
            },
            ok: host.key_trouble.is_none(),
            detail: host.key_trouble.clone(),
        }
    }
}

/// How the hub itself is, as of some seconds ago.
#[utoipa::path(
    tag = "system",
    operation_id = "show_system",
    extensions(("x-permission" = json!("system:read"))),
    responses((status = 200, body = System)),
)]
#[get("/system")]
pub(super) async fn show(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<System>, Problem> {
    caller.require(Permission::SystemRead, &Scope::Hub)?;
    let shared = api.clone();
    let looked = api.run(&caller, move |admin| {
        let host = shared.watch().host();
        Ok::<_, Problem>((StoreHealth::of(admin.store(), &host), host))
    });
    let (store, host) = looked.await?;
    Ok(web::Json(System {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: api.watch().uptime().as_secs(),
        openssl: openssl::version::version(),
        memory_bytes: host.memory,
        store,
        keys: KeysHealth::of(&host),
        certificate_end: host.certificate_end.map(Moment::from),
        listen: host.listen.iter().cloned().collect(),
    }))
}
