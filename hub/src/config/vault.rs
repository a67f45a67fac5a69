//! `[vault]`: under which master key secrets in the store are sealed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::key::{Kind, Setting, section};

section! {
    /// The vault: sessions and secrets in the store are sealed under data keys, and those lie in the
    /// store wrapped under a master key (docs/vault.md). Without that, no session and no password
    /// opens: keep a copy of it apart from the store.
    pub struct Vault in "vault" {
        /// Where the master key is: "file"; "credential" for the systemd credential vault.master_key,
        /// which holds 32 random bytes as the file does; "pkcs11" for a key in the token that [trust]
        /// names, which never leaves it; "azure-key-vault" for a key in Azure Key Vault. To change it, have `vault rewrap` wrap the data keys anew
        /// before you change it here.
        pub master: MasterKind = MasterKind::File;
        /// For "file": 32 random bytes, mode 0600, made at the first start.
        pub master_key: PathBuf = PathBuf::from("vault/master.key");
        /// For "pkcs11": the label of an AES key in the token (trust.pkcs11_module, pkcs11_token and
        /// pkcs11_pin_file); made inside at the first start. The hub needs the token when it starts,
        /// and for `vault rotate` and `vault rewrap`.
        pub pkcs11_key: String = String::from("vault");
        /// For "azure-key-vault": the address of an RSA key, without its version. New data keys are
        /// wrapped under the version that is current then. Key Vault is needed when a token would be.
        pub azure_key: String = String::from("https://NAME.vault.azure.net/keys/KEY");
        /// Who the hub is to Azure: "managed-identity" of the machine, or "client-secret" for an
        /// application with a secret.
        pub azure_login: AzureLogin = AzureLogin::ManagedIdentity;
        /// The client id of the application, or of a user-assigned identity; "system" is the machine's
        /// own.
        pub azure_client: String = String::from("system");
        /// For "client-secret": the directory (tenant) that the application is in, its id.
        pub azure_directory: String = String::from("00000000-0000-0000-0000-000000000000");
        /// For "client-secret": the secret, the first line of a file of mode 0600. A systemd credential
        /// named azure.secret comes first.
        pub azure_secret_file: PathBuf = PathBuf::from("vault/azure.secret");
        /// Where applications get tokens; other clouds have other places.
        pub azure_login_url: String = String::from("https://login.microsoftonline.com");
        /// Where the machine's metadata service is, which gives tokens to managed identities.
        pub azure_metadata_url: String = String::from("http://169.254.169.254");
    }
}

/// Where the master key is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MasterKind {
    /// In a file.
    #[default]
    File,
    /// In a systemd credential.
    Credential,
    /// In a token.
    Pkcs11,
    /// In Azure Key Vault.
    AzureKeyVault,
}

/// Who the hub is to Azure.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AzureLogin {
    /// The machine.
    #[default]
    ManagedIdentity,
    /// An application with a secret.
    ClientSecret,
}

impl Setting for AzureLogin {
    const KIND: Kind = Kind::Choice(&["managed-identity", "client-secret"]);
}

impl Setting for MasterKind {
    const KIND: Kind = Kind::Choice(&["file", "credential", "pkcs11", "azure-key-vault"]);
}
