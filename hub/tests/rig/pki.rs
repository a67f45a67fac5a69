//! Authorities and certificates made by a test, right ones and wrong ones.

use std::net::IpAddr;
use std::path::Path;

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, BigNumContext, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name};

/// A certificate with its private key.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Identity {
    pub fn read(certificate: &Path, key: &Path) -> Self {
        let read = |path: &Path| {
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        Self {
            certificate: X509::from_pem(&read(certificate)).unwrap(),
            key: PKey::private_key_from_pem(&read(key)).unwrap(),
        }
    }

    pub fn write(&self, certificate: &Path, key: &Path) {
        std::fs::write(certificate, self.certificate.to_pem().unwrap()).unwrap();
        std::fs::write(key, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    }

    /// The same certificate with the other signature that is as good: (r, n - s) instead of (r, s).
    pub fn twin(&self) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let (mut order, mut context) = (BigNum::new().unwrap(), BigNumContext::new().unwrap());
        group.order(&mut order, &mut context).unwrap();
        let signature = self.certificate.signature().as_slice();
        let known = EcdsaSig::from_der(signature).unwrap();
        let mut s = BigNum::new().unwrap();
        s.checked_sub(&order, known.s()).unwrap();
        let other = EcdsaSig::from_private_components(known.r().to_owned().unwrap(), s).unwrap();
        let other = other.to_der().unwrap();
        let der = self.certificate.to_der().unwrap();
        let before = &der[4..der.len() - signature.len() - 3];
        let length = |bytes: &[u8], more: usize| u8::try_from(bytes.len() + more).unwrap();
        let signature = [&[3, length(&other, 1), 0], &other[..]].concat();
        let body = [before, &signature].concat();
        let size = u16::try_from(body.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82], &size[..], &body].concat();
        Self { certificate: X509::from_der(&der).unwrap(), key: self.key.clone() }
    }

    pub fn fingerprint(&self) -> String {
        let digest = self.certificate.digest(MessageDigest::sha256()).unwrap();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a board's certificate says; `Default` is one the hub has to accept.
pub struct Certificate<'a> {
    pub hardware_id: Option<&'a str>,
    /// The subject's common name; the hardware id without.
    pub common_name: Option<&'a str>,
    /// Seconds from now.
    pub not_before: i64,
    pub not_after: i64,
    pub client_auth: bool,
    pub digital_signature: bool,
}

impl Default for Certificate<'_> {
    fn default() -> Self {
        Self {
            hardware_id: Some("CB-00000000"),
            common_name: None,
            not_before: -3600,
            not_after: 86_400,
            client_auth: true,
            digital_signature: true,
        }
    }
}

/// A certificate authority.
pub struct Authority(Identity);

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::ending(name, 86_400)
    }

    /// One that ends so many seconds from now.
    pub fn ending(name: &str, not_after: i64) -> Self {
        Self::made(name, not_after, None, None, None)
    }

    /// One below which so many others may stand, for names within these constraints, as OpenSSL writes
    /// them.
    pub fn bounded(name: &str, path_length: Option<u32>, names: Option<&str>) -> Self {
        Self::made(name, 86_400, path_length, names, None)
    }

    /// One that this one has made.
    pub fn below(&self, name: &str) -> Self {
        Self::made(name, 86_400, None, None, Some(self))
    }

    fn made(
        name: &str,
        not_after: i64,
        path_length: Option<u32>,
        names: Option<&str>,
        issuer: Option<&Self>,
    ) -> Self {
        let key = p256();
        let mut builder = builder(name, &key, -3600, not_after);
        let issuer_name = issuer.map_or_else(|| named(name), |it| named(&it.common_name()));
        builder.set_issuer_name(&issuer_name).unwrap();
        let mut constraints = BasicConstraints::new();
        constraints.critical().ca();
        if let Some(length) = path_length {
            constraints.pathlen(length);
        }
        builder.append_extension(constraints.build().unwrap()).unwrap();
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap();
        builder.append_extension(usage).unwrap();
        if let Some(names) = names {
            let context = builder.x509v3_context(None, None);
            #[expect(deprecated, reason = "the one way to write name constraints")]
            let extension =
                X509Extension::new_nid(None, Some(&context), Nid::NAME_CONSTRAINTS, names);
            builder.append_extension(extension.unwrap()).unwrap();
        }
        let signing = issuer.map_or(&key, |issuer| &issuer.0.key);
        builder.sign(signing, MessageDigest::sha256()).unwrap();
        Self(Identity { certificate: builder.build(), key })
    }

    pub fn certificate(&self) -> X509 {
        self.0.certificate.clone()
    }

    pub fn read(certificate: &Path, key: &Path) -> Self {
        Self(Identity::read(certificate, key))
    }

    pub fn write_certificate(&self, path: &Path) {
        std::fs::write(path, self.0.certificate.to_pem().unwrap()).unwrap();
    }

    pub fn common_name(&self) -> String {
        let subject = self.0.certificate.subject_name();
        let name = subject.entries_by_nid(Nid::COMMONNAME).next().unwrap();
        String::from_utf8(name.data().as_slice().to_vec()).unwrap()
    }

    /// A certificate for a server on `address`, 127.0.0.1 and localhost.
    pub fn server(&self, address: IpAddr) -> Identity {
        let key = p256();
        let mut builder = builder("localhost", &key, -3600, 86_400);
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .ip("127.0.0.1")
            .ip(&address.to_string())
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.append_extension(ExtendedKeyUsage::new().server_auth().build().unwrap()).unwrap();
        self.sign(builder, key, MessageDigest::sha256())
    }

    pub fn board(&self, wanted: &Certificate<'_>) -> Identity {
        self.board_with(wanted, &[], MessageDigest::sha256())
    }

    /// A board's certificate with more extensions, signed over this digest.
    pub fn board_with(
        &self,
        wanted: &Certificate<'_>,
        more: &[X509Extension],
        digest: MessageDigest,
    ) -> Identity {
        let key = p256();
        let name = wanted.common_name.or(wanted.hardware_id).unwrap_or("nameless");
        let mut builder = builder(name, &key, wanted.not_before, wanted.not_after);
        if let Some(id) = wanted.hardware_id {
            builder.append_extension(hardware_module_name(id)).unwrap();
        }
        let mut usage = KeyUsage::new();
        let usage = usage.critical();
        let usage = if wanted.digital_signature {
            usage.digital_signature()
        } else {
            usage.key_agreement()
        };
        builder.append_extension(usage.build().unwrap()).unwrap();
        let mut extended = ExtendedKeyUsage::new();
        let extended =
            if wanted.client_auth { extended.client_auth() } else { extended.server_auth() };
        builder.append_extension(extended.build().unwrap()).unwrap();
        for extension in more {
            builder.append_extension2(extension).unwrap();
        }
        self.sign(builder, key, digest)
    }

    /// A board's certificate that has its name in this field alone.
    pub fn with_field(&self, field: &str, name: &str) -> Identity {
        let key = p256();
        let common_name = if field == "CN" { name } else { "somebody" };
        let mut builder = builder(common_name, &key, -3600, 86_400);
        let mut subject = X509Name::builder().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, common_name).unwrap();
        match field {
            "serialNumber" => subject.append_entry_by_nid(Nid::SERIALNUMBER, name).unwrap(),
            "UID" => subject.append_entry_by_nid(Nid::USERID, name).unwrap(),
            "dNSName" => {
                let names = SubjectAlternativeName::new()
                    .dns(name)
                    .build(&builder.x509v3_context(None, None));
                builder.append_extension(names.unwrap()).unwrap();
            }
            _ => {}
        }
        builder.set_subject_name(&subject.build()).unwrap();
        let usage = KeyUsage::new().critical().digital_signature().build().unwrap();
        builder.append_extension(usage).unwrap();
        builder.append_extension(ExtendedKeyUsage::new().client_auth().build().unwrap()).unwrap();
        self.sign(builder, key, MessageDigest::sha256())
    }

    fn sign(
        &self,
        mut builder: X509Builder,
        key: PKey<Private>,
        digest: MessageDigest,
    ) -> Identity {
        builder.set_issuer_name(self.0.certificate.subject_name()).unwrap();
        builder.sign(&self.0.key, digest).unwrap();
        Identity { certificate: builder.build(), key }
    }
}

fn p256() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn named(common_name: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common_name).unwrap();
    name.build()
}

fn builder(name: &str, key: &PKey<Private>, not_before: i64, not_after: i64) -> X509Builder {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::ONE, false).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    builder.set_subject_name(&named(name)).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now + not_before).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now + not_after).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
}

/// The subject alternative name that carries a hardware id (RFC 4108 5).
fn hardware_module_name(id: &str) -> X509Extension {
    const HARDWARE_MODULE_NAME: &[u8] = &[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 8, 4]; // 1.3.6.1.5.5.7.8.4
    const HARDWARE_TYPE: &[u8] = &[0x06, 9, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1]; // ..99999.1
    let serial = der(0x04, &[id.as_bytes()]);
    let module = der(0x30, &[HARDWARE_TYPE, &serial]);
    let other_name = der(0xa0, &[HARDWARE_MODULE_NAME, &der(0xa0, &[&module])]);
    let names = Asn1OctetString::new_from_bytes(&der(0x30, &[&other_name])).unwrap();
    let subject_alternative_name = Asn1Object::from_str("2.5.29.17").unwrap();
    X509Extension::new_from_der(&subject_alternative_name, false, &names).unwrap()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 0x80, "short forms only");
    [&[tag, length][..], &content].concat()
}
