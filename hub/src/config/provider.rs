//! `[provider]`: signing in by an OpenID provider.

use std::path::PathBuf;

use super::key::section;

section! {
    /// An OpenID provider (OpenID Connect) that people sign in with. It says who they are and in which
    /// groups; the groups say what they may here. Its client's secret is sealed in the vault:
    /// `cellular-hub user provider-secret`.
    pub struct Provider in "provider" {
        /// Whether people may sign in so.
        pub enabled: bool = false;
        /// What people know it by.
        pub name: String = String::from("Single sign-on");
        /// The provider, as it calls itself (`iss`). https, but for this machine.
        pub issuer: String = String::from("https://id.example.com");
        /// The hub, as the provider calls it. There, allow `<origin>/api/v1/session/provider/callback`.
        pub client_id: String = String::from("cellular-hub");
        /// What is asked for beside `openid`, by spaces.
        pub scopes: String = String::from("profile email groups");
        /// The claim that is somebody's user name here; in small letters.
        pub user_claim: String = String::from("email");
        /// The claim that lists somebody's groups.
        pub groups_claim: String = String::from("groups");
        /// What each group may here, as "hub-admins=platform-admin, acme-ops=operator@acme". Who is in
        /// none of them is not let in; roles follow the groups at each sign-in.
        pub roles: String = String::from("hub-admins=platform-admin");
        /// PEM of the CAs to trust for the provider beside the system's, where there is such a file.
        pub ca: PathBuf = PathBuf::from("pki/provider-ca.pem");
    }
}
