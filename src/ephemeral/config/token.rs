//! The tokens of a pod's service account, which kubelet makes for this driver and hands over with each publish.
//!
//! They live as long as a call, or as the watch that they are for; nobody writes them anywhere.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::TOKENS;
use crate::ephemeral::{InlineVolume, Pod, Secret};
use crate::error::{Error, Result};

/// The audience of the API server itself.
pub(super) const OF_API: &str = "";

/// Tokens by their audience.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, Token>);

/// One of them.
#[derive(Debug)]
pub(super) struct Token {
    text: Secret,
    expires: SystemTime,
}

/// What kubelet writes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    token: String,
    expiration_timestamp: String,
}

/// What a token says of itself, as far as it matters.
#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "kubernetes.io")]
    kubernetes: KubernetesClaims,
}

#[derive(Deserialize)]
struct KubernetesClaims {
    namespace: String,
    pod: Named,
    serviceaccount: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    uid: String,
}

// === impl Tokens ===

impl Tokens {
    /// Returns the tokens that came with a volume. Where kubelet cannot send them as secrets they lie in the context,
    /// in which a user can write, too: those are taken only if the admin allows it and if they are the pod's.
    pub(super) fn of(volume: &InlineVolume, accept_in_context: bool) -> Result<Self> {
        if let Some(secret) = volume.secrets.get(TOKENS) {
            return Self::parse(secret);
        }
        let Some(secret) = &volume.tokens_in_context else { return Ok(Self::default()) };
        if !accept_in_context {
            return Err(unauthenticated(
                "the pod's tokens came in the volume's context, where users can write: set serviceAccountTokenInSecrets in the CSIDriver, or roles.config.acceptTokenInContext where a kubelet is older than 1.35",
            ));
        }
        let tokens = Self::parse(secret)?;
        for token in tokens.0.values() {
            token.check_claims(&volume.pod)?;
        }
        Ok(tokens)
    }

    fn parse(secret: &Secret) -> Result<Self> {
        // What is wrong with it is not told: it would be told with a piece of the token.
        let entries: BTreeMap<String, Entry> = serde_json::from_str(secret.expose())
            .map_err(|_secret| unauthenticated("the pod's tokens cannot be read"))?;
        let tokens = entries.into_iter().map(|(audience, entry)| Ok((audience, entry.check()?)));
        Ok(Self(tokens.collect::<Result<_>>()?))
    }

    /// Takes the token for the API server.
    pub(super) fn take_for_api(&mut self) -> Option<Token> {
        self.0.remove(OF_API)
    }

    /// Returns the token for this audience.
    pub(super) fn get(&self, audience: &str) -> Option<&Token> {
        self.0.get(audience)
    }
}

// === impl Entry ===

impl Entry {
    fn check(self) -> Result<Token> {
        let expires = self.expiration_timestamp.parse::<prost_types::Timestamp>().ok();
        let expires = expires.and_then(|instant| SystemTime::try_from(instant).ok());
        let expires = expires.ok_or_else(|| {
            unauthenticated("nobody can tell until when the pod's token is valid")
        })?;
        Ok(Token { text: self.token.into(), expires })
    }
}

// === impl Token ===

impl Token {
    /// Returns the token itself.
    pub(super) fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Returns how long it is valid yet.
    pub(super) fn left(&self) -> Duration {
        self.expires.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO)
    }

    /// Returns what tells it from another one.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }

    /// Checks that the token says it is this pod's. Whether that is true is for the API server to say.
    fn check_claims(&self, pod: &Pod) -> Result<()> {
        let payload = self.expose().split('.').nth(1);
        let payload = payload.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let claims = payload.and_then(|bytes| serde_json::from_slice::<Claims>(&bytes).ok());
        let is_of_pod = claims.is_some_and(|claims| {
            let claims = claims.kubernetes;
            claims.namespace == pod.namespace
                && claims.pod.uid == pod.uid
                && claims.serviceaccount.name == pod.service_account
        });
        if is_of_pod { Ok(()) } else { Err(unauthenticated("the token is not this pod's")) }
    }
}

fn unauthenticated(reason: &str) -> Error {
    Error::Unauthenticated { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Pod {
        Pod {
            namespace: "team-a".into(),
            name: "web".into(),
            uid: "uid-1".into(),
            service_account: "reader".into(),
        }
    }

    fn token(namespace: &str, uid: &str, account: &str) -> Token {
        let claims = serde_json::json!({"kubernetes.io": {
            "namespace": namespace, "pod": {"name": "web", "uid": uid},
            "serviceaccount": {"name": account, "uid": "x"},
        }});
        let text = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        Token { text: text.into(), expires: SystemTime::now() }
    }

    #[test]
    fn case_106_a_token_of_another_pod_is_refused() {
        token("team-a", "uid-1", "reader").check_claims(&pod()).unwrap();
        for other in [
            token("team-b", "uid-1", "reader"),
            token("team-a", "uid-2", "reader"),
            token("team-a", "uid-1", "admin"),
            Token { text: "canary".to_owned().into(), expires: SystemTime::now() },
            Token { text: "a.canary.b".to_owned().into(), expires: SystemTime::now() },
        ] {
            let error = other.check_claims(&pod()).unwrap_err();
            assert_eq!(error.meaning(), crate::error::Meaning::Unauthenticated);
            assert_eq!(error.sentence(), "the token is not this pod's");
        }
    }

    #[test]
    fn tokens_are_read_as_kubelet_writes_them() {
        let text = r#"{"":{"token":"one","expirationTimestamp":"2040-01-02T03:04:05Z"},
            "vault":{"token":"two","expirationTimestamp":"2001-01-02T03:04:05Z"}}"#;
        let mut tokens = Tokens::parse(&text.to_owned().into()).unwrap();
        assert_eq!(tokens.get("vault").unwrap().left(), Duration::ZERO);
        let api = tokens.take_for_api().unwrap();
        assert_eq!(api.expose(), "one");
        assert!(api.left() > Duration::from_hours(1));
        assert!(!format!("{api:?}").contains("one"));
        for wrong in [
            "",
            "canary",
            r#"{"":{"token":"canary"}}"#,
            r#"{"":{"token":"canary","expirationTimestamp":"soon"}}"#,
        ] {
            let error = Tokens::parse(&wrong.to_owned().into()).unwrap_err();
            assert!(!error.sentence().contains("canary"));
        }
    }
}
