//! Another certificate, key and set of authorities for the handshakes that begin from now on.
//!
//! Invariant: a handshake in progress keeps what it began with, a session notices nothing, and what
//! cannot be used changes nothing.

use std::sync::Arc;

use actix::{Addr, Handler, Message, ResponseFuture};
use openssl::x509::X509;
use storage::Store;

use crate::admission::Admission;
use crate::credentials::Credentials;
use crate::hub::{Hub, StartError};
use crate::link::handshaker::{Handshaker, UseProfile};
use crate::link::profile::Profile;

/// The hub's certificate and key, as handshakes are to use them from now on; the tenants' authorities
/// are read from the store.
#[derive(Message)]
#[rtype(result = "Result<(), StartError>")]
pub struct Reload(pub Credentials);

/// What stays the same from profile to profile.
pub struct Reloadable {
    pub(super) store: Store,
    pub(super) admission: Arc<dyn Admission>,
    pub(super) mtu: u16,
    /// The hub's certificate and key, as they are used now.
    pub(super) credentials: Credentials,
}

impl Reloadable {
    pub(super) fn profile(&self, credentials: &Credentials) -> Result<Arc<Profile>, StartError> {
        let mut authorities = Vec::new();
        for authority in self.store.authorities().list(None) {
            // Those as well that are not believed: admission says so, and in words.
            authorities.push(X509::from_der(&authority?.certificate)?);
        }
        let admission = Arc::clone(&self.admission);
        Ok(Profile::new(credentials, &authorities, admission, self.mtu)?)
    }
}

impl Handler<Reload> for Hub {
    type Result = ResponseFuture<Result<(), StartError>>;

    fn handle(&mut self, Reload(credentials): Reload, _: &mut Self::Context) -> Self::Result {
        let profile = self.reloadable.profile(&credentials);
        if profile.is_ok() {
            self.reloadable.credentials = credentials;
        }
        let handshakers = self.handshakers.clone();
        Box::pin(async move {
            give(&handshakers, &profile?).await;
            Ok(())
        })
    }
}

/// Has all workers use another profile. Waits for room: a flood must not keep the old one. A dead
/// worker needs none.
pub(super) async fn give(handshakers: &[Addr<Handshaker>], profile: &Arc<Profile>) {
    for handshaker in handshakers {
        let _ = handshaker.send(UseProfile(Arc::clone(profile))).await;
    }
}
