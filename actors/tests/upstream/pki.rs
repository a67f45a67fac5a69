//! Certificates made on the spot: an authority, and what it issues, as PEM files in a folder.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

pub(crate) struct Authority {
    folder: PathBuf,
    name: String,
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// An authority whose files are in `folder`.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let key = new_key();
        let mut builder = begin(name, &key, 1);
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        let subject = builder_name(name);
        builder.set_issuer_name(&subject).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.to_pem().unwrap()).unwrap();
        Self { folder: folder.to_owned(), name: name.to_owned(), certificate, key }
    }

    /// Its certificate's file.
    pub(crate) fn file(&self) -> String {
        self.path(&self.name, "pem")
    }

    /// Issues a certificate for a DNS name or address; the files of certificate and key. The key is
    /// in the older "EC PRIVATE KEY" form, which people have.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = new_key();
        let mut builder = begin(name, &key, 2);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let mut alternative = SubjectAlternativeName::new();
        if name.parse::<std::net::IpAddr>().is_ok() {
            alternative.ip(name);
        } else {
            alternative.dns(name);
        }
        let alternative = alternative.build(&context).unwrap();
        builder.append_extension(alternative).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let (certificate, key_file) = (self.path(name, "cert.pem"), self.path(name, "key.pem"));
        std::fs::write(&certificate, builder.build().to_pem().unwrap()).unwrap();
        std::fs::write(&key_file, key.ec_key().unwrap().private_key_to_pem().unwrap()).unwrap();
        (certificate, key_file)
    }

    fn path(&self, name: &str, extension: &str) -> String {
        self.folder.join(format!("{name}.{extension}")).to_str().unwrap().to_owned()
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn builder_name(name: &str) -> openssl::x509::X509Name {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    subject.build()
}

fn begin(name: &str, key: &PKey<Private>, serial: u32) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&builder_name(name)).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
}
