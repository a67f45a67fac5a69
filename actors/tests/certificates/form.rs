//! Certificates in every form, right and wrong: fields that can be set one by one, signed by whom one
//! likes. Everything comes out the same in every run.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};

use super::der::{bits, integer, oid, sequence, tlv};

pub const SHA1: &str = "1.2.840.10045.4.1";
pub const SHA256: &str = "1.2.840.10045.4.3.2";
pub const SHA384: &str = "1.2.840.10045.4.3.3";

pub const ALTERNATIVE_NAME: &str = "2.5.29.17";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const KEY_USAGE: &str = "2.5.29.15";
pub const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub const SUBJECT_KEY: &str = "2.5.29.14";
pub const AUTHORITY_KEY: &str = "2.5.29.35";

pub const P256: &str = "1.2.840.10045.3.1.7";

/// A key pair on P-256.
pub struct Key {
    group: EcGroup,
    private: BigNum,
    point: Vec<u8>,
}

impl Key {
    /// The pair that has this number.
    pub fn number(number: u8) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let mut numbers = BigNumContext::new().unwrap();
        let private = BigNum::from_slice(&[number; 32]).unwrap();
        let mut public = EcPoint::new(&group).unwrap();
        public.mul_generator2(&group, &private, &mut numbers).unwrap();
        let form = PointConversionForm::UNCOMPRESSED;
        let point = public.to_bytes(&group, form, &mut numbers).unwrap();
        Self { group, private, point }
    }

    pub fn openssl(&self) -> PKey<Private> {
        let mut numbers = BigNumContext::new().unwrap();
        let public = EcPoint::from_bytes(&self.group, &self.point, &mut numbers).unwrap();
        let key = EcKey::from_private_components(&self.group, &self.private, &public).unwrap();
        PKey::from_ec_key(key).unwrap()
    }

    /// The public half, not compressed.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    pub fn info(&self) -> Vec<u8> {
        public_key(&oid(P256), &self.point)
    }

    pub fn identifier(&self) -> Vec<u8> {
        openssl::sha::sha1(&self.point).to_vec()
    }

    /// ECDSA (SEC 1, 4.1.3) over the digest that `algorithm` names, SHA-256 for one that is not known
    /// here. By hand, because OpenSSL's differs from run to run: its secret number is drawn, this one
    /// comes from the message. No key of any worth may ever sign so.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        use openssl::sha::{sha1, sha256, sha384};
        let digest = match algorithm {
            SHA1 => sha1(message).to_vec(),
            SHA384 => sha384(message)[..32].to_vec(),
            _ => sha256(message).to_vec(),
        };
        let mut numbers = BigNumContext::new().unwrap();
        let [mut order, mut x, mut y, mut r, mut s, mut inverse, mut sum] =
            [(); 7].map(|()| BigNum::new().unwrap());
        self.group.order(&mut order, &mut numbers).unwrap();
        let number = |bytes: &[u8]| BigNum::from_slice(bytes).unwrap();
        let secret = number(&sha256(&[message, b"secret"].concat())[1..]);
        let mut point = EcPoint::new(&self.group).unwrap();
        point.mul_generator2(&self.group, &secret, &mut numbers).unwrap();
        point.affine_coordinates(&self.group, &mut x, &mut y, &mut numbers).unwrap();
        r.nnmod(&x, &order, &mut numbers).unwrap();
        s.mod_mul(&r, &self.private, &order, &mut numbers).unwrap();
        sum.mod_add(&s, &number(&digest), &order, &mut numbers).unwrap();
        inverse.mod_inverse(&secret, &order, &mut numbers).unwrap();
        s.mod_mul(&inverse, &sum, &order, &mut numbers).unwrap();
        sequence(&[&integer(&r.to_vec()), &integer(&s.to_vec())])
    }
}

/// SubjectPublicKeyInfo of an elliptic curve's key.
pub fn public_key(curve: &[u8], point: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&oid("1.2.840.10045.2.1"), curve]);
    sequence(&[&algorithm, &bits(point)])
}

/// A Name of one common name.
pub fn name(common_name: &str) -> Vec<u8> {
    let attribute = sequence(&[&oid("2.5.4.3"), &tlv(0x0c, common_name.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

pub fn utc(text: &str) -> Vec<u8> {
    tlv(0x17, text.as_bytes())
}

pub fn time(text: &str) -> Vec<u8> {
    tlv(0x18, text.as_bytes())
}

pub fn algorithm(name: &str) -> Vec<u8> {
    sequence(&[&oid(name)])
}

/// One extension.
#[derive(Clone)]
pub struct Extension {
    pub kind: &'static str,
    pub is_critical: bool,
    pub value: Vec<u8>,
}

impl Extension {
    pub fn new(kind: &'static str, is_critical: bool, value: Vec<u8>) -> Self {
        Self { kind, is_critical, value }
    }

    fn der(&self) -> Vec<u8> {
        let critical: &[u8] = if self.is_critical { &[0x01, 0x01, 0xff] } else { &[] };
        sequence(&[&oid(self.kind), critical, &tlv(0x04, &self.value)])
    }
}

/// A certificate before it is signed; each field is its DER.
#[derive(Clone)]
pub struct Form {
    /// With its tag [0]; nothing for version 1.
    pub version: Vec<u8>,
    pub serial: Vec<u8>,
    /// The signature's algorithm, by name; [`Form::inner`] is what the signed part says of it.
    pub algorithm: &'static str,
    pub inner: Option<Vec<u8>>,
    pub issuer: Vec<u8>,
    pub begins: Vec<u8>,
    pub ends: Vec<u8>,
    pub subject: Vec<u8>,
    pub key: Vec<u8>,
    pub extensions: Vec<Extension>,
}

impl Form {
    fn new(issuer: &str, issuer_key: &Key, subject: &str, key: &Key, serial: u8) -> Self {
        let by = tlv(0x80, &issuer_key.identifier());
        Self {
            version: tlv(0xa0, &integer(&[2])),
            serial: integer(&[serial; 16]),
            algorithm: SHA256,
            inner: None,
            issuer: name(issuer),
            begins: utc("200101000000Z"),
            ends: time("99991231235959Z"),
            subject: name(subject),
            key: key.info(),
            extensions: vec![
                Extension::new(SUBJECT_KEY, false, tlv(0x04, &key.identifier())),
                Extension::new(AUTHORITY_KEY, false, sequence(&[&by])),
            ],
        }
    }

    /// A board's, as the hub issues it.
    pub fn board(issuer: &str, issuer_key: &Key, board: &str, key: &Key, serial: u8) -> Self {
        let mut form = Self::new(issuer, issuer_key, board, key, serial);
        form.extensions.extend([
            Extension::new(BASIC_CONSTRAINTS, true, sequence(&[])),
            Extension::new(KEY_USAGE, true, tlv(0x03, &[7, 0x80])),
            Extension::new(EXTENDED_KEY_USAGE, false, usages(&["1.3.6.1.5.5.7.3.2"])),
            Extension::new(ALTERNATIVE_NAME, false, sequence(&[&module_name(board.as_bytes())])),
        ]);
        form
    }

    /// An authority's for clients, under which `length` more may stand.
    pub fn authority(
        issuer: &str,
        issuer_key: &Key,
        subject: &str,
        key: &Key,
        length: Option<u8>,
    ) -> Self {
        let mut form = Self::new(issuer, issuer_key, subject, key, 1);
        let length = length.map(|length| integer(&[length])).unwrap_or_default();
        form.extensions.extend([
            Extension::new(BASIC_CONSTRAINTS, true, sequence(&[&[1, 1, 0xff], &length])),
            Extension::new(KEY_USAGE, true, tlv(0x03, &[1, 0x06])),
            Extension::new(EXTENDED_KEY_USAGE, false, usages(&["1.3.6.1.5.5.7.3.2"])),
        ]);
        form
    }

    /// The extension of this kind.
    pub fn extension(&mut self, kind: &str) -> &mut Extension {
        self.extensions.iter_mut().find(|extension| extension.kind == kind).unwrap()
    }

    pub fn without(mut self, kind: &str) -> Self {
        self.extensions.retain(|extension| extension.kind != kind);
        self
    }

    pub fn with(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// What is signed.
    pub fn to_be_signed(&self) -> Vec<u8> {
        let inner = self.inner.clone().unwrap_or_else(|| algorithm(self.algorithm));
        let extensions: Vec<_> = self.extensions.iter().flat_map(Extension::der).collect();
        let extensions = match extensions.is_empty() {
            true => Vec::new(),
            false => tlv(0xa3, &tlv(0x30, &extensions)),
        };
        sequence(&[
            &self.version,
            &self.serial,
            &inner,
            &self.issuer,
            &sequence(&[&self.begins, &self.ends]),
            &self.subject,
            &self.key,
            &extensions,
        ])
    }

    pub fn signed_by(&self, key: &Key) -> Vec<u8> {
        let tbs = self.to_be_signed();
        signed(&tbs, &algorithm(self.algorithm), &key.sign(self.algorithm, &tbs))
    }
}

/// A certificate of its three parts.
pub fn signed(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[tbs, algorithm, &bits(signature)])
}

pub fn usages(kinds: &[&str]) -> Vec<u8> {
    tlv(0x30, &kinds.iter().flat_map(|kind| oid(kind)).collect::<Vec<_>>())
}

/// The GeneralName that holds a hardware id.
pub fn module_name(serial: &[u8]) -> Vec<u8> {
    let name = sequence(&[&oid("1.3.6.1.4.1.99999.1"), &tlv(0x04, serial)]);
    tlv(0xa0, &[oid("1.3.6.1.5.5.7.8.4"), tlv(0xa0, &name)].concat())
}
