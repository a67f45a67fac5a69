//! What makes the demo's hub look like one that is at work: labels, a board that was lost, a batch in
//! production, firmware that waits to be rolled out.
//!
//! Invariant: none of it keeps a reading of the demo's boards from arriving.

use std::collections::BTreeMap;

use actors::rollout::NewRollout;
use image::{Unsigned, Version, write_tail};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use storage::{
    Again, Allowed, Batch, BatchState, Board, CertificateLife, Errors, ProductName, RolloutGroup,
    Share, Store, TenantId, Terms, UnixSeconds,
};

use super::{DemoError, Options};
use crate::admin::{Admin, Upload};

/// Customers, as people call them, and what they make.
const CUSTOMERS: [(&str, &str); 2] = [("Acme Pumps", "pump"), ("Bell Meters", "meter")];
const SITES: [&str; 5] = ["hamburg", "rotterdam", "gdansk", "lyon", "porto"];
/// Every so many boards have the older hardware.
const OLDER_EVERY: usize = 4;

const LOST: &str = "CB-lost-0001";
const SPARE: &str = "CB-spare-0001";
const HELD_BY: &str = "build-server";
const NOTES: &str = "Reads the flow sensor every minute instead of every ten.\nSurvives a SIM that is changed while it sleeps.\n";
/// What a small application has.
const PROGRAM: usize = 96 * 1024;

/// Gives the fixture's fleet all that; `boards` are its boards with their tenants.
pub(super) fn furnish(
    store: &Store,
    boards: &[(String, String)],
    options: &Options,
) -> Result<(), DemoError> {
    let now = options.now;
    let admin = Admin::stopped(store.clone(), options.author.clone());
    let mut tenants: Vec<TenantId> = Vec::new();
    for tenant in store.tenants().list().collect::<Result<Vec<_>, _>>()? {
        let mut tenant = tenant;
        if let Some((name, _)) = CUSTOMERS.get(tenants.len()) {
            (*name).clone_into(&mut tenant.name);
            store.tenants().put(&tenant)?;
        }
        tenants.push(tenant.id);
    }
    for (index, (id, tenant)) in boards.iter().enumerate() {
        let customer = tenants.iter().position(|known| known.as_str() == tenant);
        let labels = labels(index, customer.unwrap_or(0));
        store.boards().change(&id.parse()?, |board| board.labels.clone_from(&labels))?;
    }
    let Some(first) = tenants.into_iter().next() else { return Ok(()) };
    register(&admin, &first, now)?;
    let batch = Batch {
        tenant: first,
        name: "spring".parse()?,
        allowed: Allowed::Prefix { prefix: "CB-7".parse()?, max: 500 },
        state: BatchState::Open,
        certificates: CertificateLife::Years(20),
        again: Again::UntilHeard,
        enrolled: 0,
        created: now,
        expires: Some(UnixSeconds(now.0.saturating_add(60 * 86_400))),
    };
    admin.add_batch(batch, Vec::new())?;
    firmware(&admin, now)
}

fn labels(index: usize, customer: usize) -> BTreeMap<String, String> {
    let product = CUSTOMERS.get(customer).map_or("gateway", |(_, product)| product);
    let site = SITES.get(index / CUSTOMERS.len() % SITES.len()).copied().unwrap_or("hamburg");
    let hardware = if index.is_multiple_of(OLDER_EVERY) { "b" } else { "c" };
    [("product", product), ("site", site), ("hardware", hardware)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Two boards beside those that speak: one that was lost and is blocked, one that waits on a shelf.
fn register(admin: &Admin, tenant: &TenantId, now: UnixSeconds) -> Result<(), DemoError> {
    for id in [LOST, SPARE] {
        let mut board = Board::new(id.parse()?, tenant.clone(), now);
        board.labels = labels(0, 0);
        admin.put_board(&board, "board.add")?;
    }
    admin.block(&LOST.parse()?, "lost at the depot in Hamburg", now)?;
    Ok(())
}

/// A release that another machine has signed, with a rollout to start; and the next one, a draft.
fn firmware(admin: &Admin, now: UnixSeconds) -> Result<(), DemoError> {
    let make = DemoError::cryptography("make a key for firmware");
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).map_err(&make)?;
    let key = EcKey::generate(&group).map_err(&make)?;
    let public = PKey::from_ec_key(key.clone()).and_then(|key| key.public_key_to_der());
    admin.trust_firmware_key(HELD_BY, &public.map_err(&make)?, now)?;

    let [product, _] = CUSTOMERS.map(|(_, product)| product.parse::<ProductName>());
    let product = product?;
    let upload = |minor| {
        let (tenant, hardware, sbom) = (None, Vec::new(), None);
        let (product, notes) = (product.clone(), NOTES.to_owned());
        Ok::<_, DemoError>(Upload {
            tenant,
            product,
            hardware,
            image: image(minor)?,
            notes,
            sbom,
            now,
        })
    };
    let release = admin.add_release(upload(4)?)?;
    let signature = sign(&release.digest.0, &key).map_err(&make)?;
    admin.attach_signature(release.number, &signature, false, now)?;
    let few = |name: &str, share, success_percent, errors| RolloutGroup {
        name: name.to_owned(),
        share,
        success_percent,
        errors: Errors::Percent(errors),
    };
    let new = NewRollout {
        name: String::from("flow every minute"),
        release: release.number,
        filter: format!("label=product%3D{product}"),
        within: None,
        dynamic: false,
        groups: vec![few("canary", Share::Count(2), 100, 0), few("others", Share::Rest, 95, 5)],
        terms: Terms::default(),
        by: admin.author().who.clone(),
        approve_above: 0,
    };
    admin.add_rollout(new, now)?;
    admin.add_release(upload(5)?)?;
    Ok(())
}

fn sign(digest: &[u8], key: &EcKey<Private>) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    EcdsaSig::sign(digest, key)?.to_der()
}

/// An image as boards take it, with a program that does nothing.
fn image(minor: u8) -> Result<Vec<u8>, DemoError> {
    let system = DemoError::system("make an image");
    let make = |error: image::BuildError| system(std::io::Error::other(error));
    let body = vec![minor; PROGRAM];
    let unsigned = Unsigned {
        body: &body,
        header_size: 0x200,
        version: Version { major: 1, minor, revision: 0, build: 0 },
        address: None,
        security_counter: Some(1),
        dependencies: &[],
        revoked_keys: &[],
    };
    let mut image = vec![0; PROGRAM + 0x400];
    let length = unsigned.write(&mut image).map_err(&make)?;
    image.truncate(length);
    let mut tail = [0; 64];
    let length = write_tail(&image::digest(&image), &[], &mut tail).map_err(&make)?;
    image.extend_from_slice(tail.get(..length).unwrap_or_default());
    Ok(image)
}
