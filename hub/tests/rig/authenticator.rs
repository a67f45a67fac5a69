//! An authenticator of passkeys (WebAuthn level 2): makes one key, and signs with it, as a browser with a
//! security key would.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const WITH_KEY: u8 = 0x40;

pub struct Authenticator {
    key: EcKey<Private>,
    id: [u8; 16],
    uses: Cell<u32>,
    user: Cell<Option<String>>,
    /// Where the browser believes to be.
    pub origin: String,
    /// Whether it has asked for a PIN or a finger.
    pub verifies: bool,
}

impl Authenticator {
    pub fn new(origin: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let mut id = [0; 16];
        openssl::rand::rand_bytes(&mut id).unwrap();
        Self {
            key: EcKey::generate(&group).unwrap(),
            id,
            uses: Cell::new(0),
            user: Cell::default(),
            origin: origin.to_owned(),
            verifies: true,
        }
    }

    /// `navigator.credentials.create()`, as `toJSON()` gives it.
    pub fn create(&self, options: &Value) -> Value {
        self.user.set(options["user"]["id"].as_str().map(str::to_owned));
        let said = self.client_data("webauthn.create", options);
        let mut about = self.about(options["rp"]["id"].as_str().unwrap(), WITH_KEY);
        about.extend_from_slice(&[0; 16]);
        about.extend_from_slice(&16_u16.to_be_bytes());
        about.extend_from_slice(&self.id);
        about.extend_from_slice(&self.cose());
        // {"fmt": "none", "attStmt": {}, "authData": about}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(about.len()).unwrap());
        object.extend_from_slice(&about);
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "authenticatorAttachment": "cross-platform", "clientExtensionResults": {},
            "response": {
                "attestationObject": encode(&object), "clientDataJSON": encode(&said),
                "transports": ["usb"],
            },
        })
    }

    /// `navigator.credentials.get()`, as `toJSON()` gives it.
    pub fn get(&self, options: &Value) -> Value {
        let said = self.client_data("webauthn.get", options);
        let about = self.about(options["rpId"].as_str().unwrap(), 0);
        let key = PKey::from_ec_key(self.key.clone()).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.update(&about).unwrap();
        signer.update(&sha256(&said)).unwrap();
        let signature = signer.sign_to_vec().unwrap();
        let user = self.user.take();
        self.user.set(user.clone());
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "authenticatorData": encode(&about), "clientDataJSON": encode(&said),
                "signature": encode(&signature), "userHandle": user,
            },
        })
    }

    /// The passkey's name, with another key behind it.
    pub fn forged(&self) -> Self {
        let user = self.user.take();
        self.user.set(user.clone());
        let forged = Self { id: self.id, ..Self::new(&self.origin) };
        forged.user.set(user);
        forged
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let said = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin,
            "crossOrigin": false,
        });
        serde_json::to_vec(&said).unwrap()
    }

    fn about(&self, name: &str, more: u8) -> Vec<u8> {
        self.uses.set(self.uses.get() + 1);
        let verified = if self.verifies { VERIFIED } else { 0 };
        let mut about = sha256(name.as_bytes()).to_vec();
        about.push(PRESENT | verified | more);
        about.extend_from_slice(&self.uses.get().to_be_bytes());
        about
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y}
    fn cose(&self) -> Vec<u8> {
        let mut context = BigNumContext::new().unwrap();
        let (mut x, mut y) =
            (openssl::bn::BigNum::new().unwrap(), openssl::bn::BigNum::new().unwrap());
        let point = self.key.public_key();
        point.affine_coordinates(self.key.group(), &mut x, &mut y, &mut context).unwrap();
        let mut cose = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".to_vec();
        cose.extend(x.to_vec_padded(32).unwrap());
        cose.extend(b"\x22\x58\x20");
        cose.extend(y.to_vec_padded(32).unwrap());
        cose
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
