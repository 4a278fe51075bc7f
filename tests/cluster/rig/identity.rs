//! Who a client is: a certificate of the cluster's own authority, or a token.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use serde_json::json;

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// One who may do everything.
    Admin,
    /// A user in a group, by certificate.
    User { name: String, group: String },
    /// Whoever has this token.
    Token(String),
}

/// The authority and all that it has signed, as files in one directory.
#[derive(Debug)]
pub(crate) struct Identities {
    dir: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    made: AtomicU32,
}

// === impl Identity ===

impl Identity {
    pub(crate) fn user(name: &str, group: &str) -> Self {
        Self::User { name: name.to_owned(), group: group.to_owned() }
    }

    /// The kubelet of a node.
    pub(crate) fn kubelet(node: &str) -> Self {
        Self::user(&format!("system:node:{node}"), "system:nodes")
    }
}

// === impl Identities ===

impl Identities {
    /// Makes the authority, the API server's certificate for these names, and the key of service accounts.
    pub(crate) fn new(dir: PathBuf, server: &[&str]) -> Self {
        std::fs::create_dir(&dir).unwrap();
        let mut params = named("rig", "rig");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let accounts = KeyPair::generate().unwrap();
        let new = Self { dir, authority, made: AtomicU32::new(0) };
        std::fs::write(new.path("ca.crt"), new.authority.pem()).unwrap();
        std::fs::write(new.path("accounts.key"), accounts.serialize_pem()).unwrap();
        std::fs::write(new.path("accounts.pub"), accounts.public_key_pem()).unwrap();
        let names: Vec<_> = server.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        new.sign("server", &params);
        new
    }

    /// Returns a file of the authority.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file by which a client knows the server at this address, and is this identity.
    pub(crate) fn kubeconfig(&self, identity: &Identity, server: &str) -> PathBuf {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let user = match identity {
            Identity::Admin => self.certificate(number, "admin", "system:masters"),
            Identity::User { name, group } => self.certificate(number, name, group),
            Identity::Token(token) => json!({ "token": token }),
        };
        let cluster = json!({
            "server": format!("https://{server}"),
            "certificate-authority": self.path("ca.crt"),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "rig", "cluster": cluster }],
            "users": [{ "name": "me", "user": user }],
            "contexts": [{ "name": "rig", "context": { "cluster": "rig", "user": "me" } }],
            "current-context": "rig",
        });
        let path = self.path(&format!("{number}.kubeconfig"));
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    fn certificate(&self, number: u32, name: &str, group: &str) -> serde_json::Value {
        let mut params = named(name, group);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        let (certificate, key) = self.sign(&number.to_string(), &params);
        json!({ "client-certificate": certificate, "client-key": key })
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.authority).unwrap();
        let (certificate, private) =
            (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")));
        std::fs::write(&certificate, signed.pem()).unwrap();
        std::fs::write(&private, key.serialize_pem()).unwrap();
        (certificate, private)
    }
}

fn named(name: &str, group: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params
}
