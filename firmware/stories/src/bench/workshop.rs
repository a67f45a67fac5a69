//! Where images are made: of what was compiled, signed by imgtool or by our own builder.
//!
//! Never starts a board.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{KeyId, PublicKey, Signature, Unsigned, digest, write_tail};
use p256::SecretKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use tempfile::TempDir;

use super::{Failure, MAP, Told};

/// The programs that were compiled.
pub(crate) struct Workshop {
    pub(crate) bootloader: Vec<u8>,
    probe: Vec<u8>,
    application: Vec<u8>,
    imgtool: PathBuf,
}

/// What is in an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// One that says what the bootloader told it.
    Probe,
    /// A whole board's, which speaks to its hub.
    Application,
}

/// What the program of an image does once it has said who it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Confirm = b'c' as isize,
    Restart = b'r' as isize,
    /// A whole board's never reaches its hub.
    Wait = b'q' as isize,
    Panic = b'p' as isize,
    Hang = b'h' as isize,
    OverwriteTheBootloader = b'w' as isize,
}

/// Whose signature is under an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pair {
    First,
    Second,
    /// Whom no board knows.
    Stranger,
}

/// An image to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) version: &'static str,
    pub(crate) program: Program,
    pub(crate) behaviour: Behaviour,
    pub(crate) counter: u32,
    pub(crate) pair: Pair,
    pub(crate) revokes: Option<Pair>,
    /// Where it says that it runs.
    pub(crate) address: u32,
}

/// Where the application's vector table begins.
const HEADER: u16 = 0x400;
const MARK: &[u8] = b"behave:";

impl Plan {
    /// One that confirms itself, of the first key.
    pub(crate) fn of(version: &'static str) -> Self {
        let (behaviour, pair) = (Behaviour::Confirm, Pair::First);
        let (program, address) = (Program::Probe, MAP.address + MAP.first.at);
        Self { version, program, behaviour, counter: 1, pair, revokes: None, address }
    }

    /// The same with a whole board's application.
    pub(crate) fn of_application(version: &'static str) -> Self {
        Self { program: Program::Application, ..Self::of(version) }
    }
}

impl Pair {
    fn signing(self) -> SigningKey {
        let number = match self {
            Self::First => 0x11,
            Self::Second => 0x22,
            Self::Stranger => 0x33,
        };
        // Keys of a bench: everybody may know them.
        SigningKey::from(
            SecretKey::from_slice(&[number; 32])
                .unwrap_or_else(|_| unreachable!("a number below the order of the curve")),
        )
    }

    /// The public key, as it is made known to a hub.
    pub(crate) fn pem(self) -> Told<String> {
        let key = p256::PublicKey::from(self.signing().verifying_key());
        key.to_public_key_pem(LineEnding::LF)
            .map_err(|_| Failure::Tool("a key that cannot be written".to_owned()))
    }

    pub(crate) fn public(self) -> PublicKey {
        let point = self.signing().verifying_key().to_encoded_point(false);
        let point = point.as_bytes().get(1..).and_then(|point| point.try_into().ok());
        point
            .and_then(PublicKey::from_point)
            .unwrap_or_else(|| unreachable!("a point of the curve"))
    }

    fn id(self) -> KeyId {
        self.public().id()
    }
}

impl Workshop {
    pub(crate) fn new(images: PathBuf, imgtool: PathBuf) -> Told<Self> {
        let read = |name: &str| {
            let path = images.join(name);
            fs::read(&path).map_err(Failure::bench(format!("{}", path.display())))
        };
        Ok(Self {
            bootloader: read("an505-boot.bin")?,
            probe: read("an505-probe.bin")?,
            application: read("an505-app.bin")?,
            imgtool,
        })
    }

    /// The program with what it is to do written in.
    fn body(&self, plan: Plan) -> Told<Vec<u8>> {
        let mut body = match plan.program {
            Program::Probe => self.probe.clone(),
            Program::Application => self.application.clone(),
        };
        let found = body.windows(MARK.len()).position(|bytes| bytes == MARK);
        let place = found.and_then(|at| body.get_mut(at + MARK.len()));
        let place =
            place.ok_or_else(|| Failure::Tool("the program has no behaviour".to_owned()))?;
        *place = u8::try_from(plan.behaviour as isize).unwrap_or_default();
        Ok(body)
    }

    /// An image of our own builder, signed as by a security module: it sees the digest alone.
    pub(crate) fn image(&self, plan: Plan) -> Told<Vec<u8>> {
        let failed = || Failure::Tool(format!("no image {plan:?}"));
        let body = self.body(plan)?;
        let revoked: Vec<_> = plan.revokes.into_iter().map(Pair::id).collect();
        let unsigned = Unsigned {
            body: &body,
            header_size: HEADER,
            version: plan.version.parse().map_err(|_| failed())?,
            address: Some(plan.address),
            security_counter: Some(plan.counter),
            dependencies: &[],
            revoked_keys: &revoked,
        };
        let mut image = vec![0; body.len() + 0x1000];
        let length = unsigned.write(&mut image).map_err(|_| failed())?;
        let digest = digest(image.get(..length).unwrap_or_default());
        let signature: Ecdsa = plan.pair.signing().sign_prehash(&digest).map_err(|_| failed())?;
        let signature = Signature::new(plan.pair.id(), signature.to_der().as_bytes());
        let tail = image.get_mut(length..).unwrap_or_default();
        let tail = write_tail(&digest, &[signature.ok_or_else(failed)?], tail);
        image.truncate(length + tail.map_err(|_| failed())?);
        Ok(image)
    }

    /// The same by `imgtool sign`.
    pub(crate) fn image_of_imgtool(&self, plan: Plan) -> Told<Vec<u8>> {
        let folder = TempDir::new().map_err(Failure::bench("a folder"))?;
        let at = |name: &str| folder.path().join(name);
        let write = |path: &Path, bytes: &[u8]| {
            fs::write(path, bytes).map_err(Failure::bench("a file for imgtool"))
        };
        let key = SecretKey::from(plan.pair.signing()).to_pkcs8_pem(LineEnding::LF);
        let key = key.map_err(|_| Failure::Tool("a key that cannot be written".to_owned()))?;
        write(&at("key.pem"), key.as_bytes())?;
        write(&at("body.bin"), &self.body(plan)?)?;
        let (header, counter) = (format!("{HEADER:#x}"), plan.counter.to_string());
        let slot = format!("{:#x}", MAP.first.length);
        let address = format!("{:#x}", plan.address);
        let ran = Command::new(&self.imgtool)
            .arg("sign")
            .args(["--header-size", &header, "--pad-header", "--align", "4"])
            .args(["--version", plan.version, "--security-counter", &counter])
            .args(["--slot-size", &slot, "--rom-fixed", &address])
            .arg("--key")
            .args([at("key.pem"), at("body.bin"), at("signed.bin")])
            .output()
            .map_err(Failure::bench("imgtool, which scripts/install brings"))?;
        if !ran.status.success() {
            return Err(Failure::Tool(String::from_utf8_lossy(&ran.stderr).into_owned()));
        }
        fs::read(at("signed.bin")).map_err(Failure::bench("what imgtool signed"))
    }
}
