//! One request to the API server: it ends in some seconds, whatever happens, and what is refused has a meaning.

use std::time::Duration;

use kube::core::Status;

use crate::error::{Cause, Error, Meaning, Result};

/// How long the API server may take to answer. It has a second for etcd, and one that is alive is done by then; the
/// callers' own limits are longer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Why a request was not fulfilled: what a caller may have a use for, and what is an error for everybody.
#[derive(Debug)]
pub enum Refused {
    /// There is no such object.
    Missing,
    /// There is an object of that name already.
    Exists,
    /// The object is not any more what the caller has seen.
    Stale,
    /// Anything else.
    Error(Error),
}

/// Waits for the answer to a request; `doing` says what it is for, such as `read Volume v-…`.
pub async fn ask<T>(
    doing: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> std::result::Result<T, Refused> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(refused(doing, &status)),
        Ok(Err(error)) if is_of_the_way(&error) => Err(away(doing, error)),
        Ok(Err(error)) => Err(Refused::Error(Error::internal(cannot(doing), error))),
        Err(_) => Err(away(doing, format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

// === impl Refused ===

impl Refused {
    /// Returns nothing where the object is missing.
    pub fn missing<T>(answer: std::result::Result<T, Self>) -> Result<Option<T>> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(Self::Missing) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }
}

impl From<Refused> for Error {
    /// What a caller has no use for: somebody else is at work on the object, and a repeat finds out what it is then.
    fn from(refused: Refused) -> Self {
        let why = match refused {
            Refused::Error(error) => return error,
            Refused::Missing => "the object is gone",
            Refused::Exists => "there is an object of that name already",
            Refused::Stale => "the object has been changed meanwhile",
        };
        Self::Unreachable { peer: "the state that was decided on".to_owned(), source: why.into() }
    }
}

/// Says whether nobody can tell what became of the request.
fn is_of_the_way(error: &kube::Error) -> bool {
    use kube::Error as E;
    matches!(error, E::HyperError(_) | E::Service(_) | E::ReadEvents(_) | E::Auth(_))
}

fn refused(doing: &str, status: &Status) -> Refused {
    let told: Cause = status.message.clone().into();
    let error = match status.code {
        // What is not there is an object with a name; without one it is the kind that is not known.
        404 if status.details.as_ref().is_some_and(|of| !of.name.is_empty()) => {
            return Refused::Missing;
        }
        409 if status.is_already_exists() => return Refused::Exists,
        409 => return Refused::Stale,
        404 => Error::unfit(format!(
            "{}: the API server does not know the kind: install it with `orlop crds | kubectl apply -f -`",
            cannot(doing)
        )),
        401 => for_now(format!(
            "{}: the API server does not know who asks: look at the token: {told}",
            cannot(doing)
        )),
        403 if status.message.contains("ValidatingAdmissionPolicy") => {
            Error::internal(format!("{}: a policy of the cluster refuses it", cannot(doing)), told)
        }
        403 => for_now(format!(
            "{}: a right is missing: give it to the role of this driver: {told}",
            cannot(doing)
        )),
        408 | 429 | 500..=599 => return away(doing, told),
        _ => Error::internal(cannot(doing), told),
    };
    Refused::Error(error)
}

/// An API server that has just started knows neither tokens nor roles for a moment. And of what was wished before
/// nobody can say what has become: the caller is to ask again.
fn for_now(sentence: String) -> Error {
    Error::Told { meaning: Meaning::Unreachable, sentence }
}

fn away(doing: &str, source: impl Into<Cause>) -> Refused {
    let peer = format!("{}: the API server", cannot(doing));
    Refused::Error(Error::Unreachable { peer, source: source.into() })
}

fn cannot(doing: &str) -> String {
    format!("cannot {doing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(status: serde_json::Value) -> Refused {
        let status: Status = serde_json::from_value(status).unwrap();
        let request = async { Err::<(), _>(kube::Error::Api(Box::new(status))) };
        ask("read Volume v", request).await.unwrap_err()
    }

    async fn error(code: u16, message: &str) -> Error {
        let status = serde_json::json!({ "code": code, "message": message });
        let Refused::Error(error) = answered(status).await else { panic!("not an error") };
        error
    }

    #[tokio::test]
    async fn what_a_caller_can_act_on_is_told_apart() {
        let named = |code, reason: &str| serde_json::json!({ "code": code, "reason": reason, "details": {"name": "v"} });
        assert!(matches!(answered(named(404, "NotFound")).await, Refused::Missing));
        assert!(matches!(answered(named(409, "AlreadyExists")).await, Refused::Exists));
        assert!(matches!(answered(named(409, "Conflict")).await, Refused::Stale));
        assert_eq!(Error::from(Refused::Stale).meaning(), Meaning::Unreachable);
    }

    #[tokio::test]
    async fn an_error_names_what_is_missing() {
        for (code, message, meaning, says) in [
            (403, "User \"u\" cannot get resource", Meaning::Unreachable, "a right is missing"),
            (
                403,
                "volumes \"v\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: it is on node n2",
                Meaning::Internal,
                "a policy of the cluster refuses it",
            ),
            (401, "Unauthorized", Meaning::Unreachable, "look at the token"),
            (404, "404 page not found", Meaning::Unfit, "orlop crds"),
            (429, "too many", Meaning::Unreachable, "cannot read Volume v: the API server"),
            (503, "leaderless", Meaning::Unreachable, "leaderless"),
            (422, "spec.bytes: is less", Meaning::Internal, "spec.bytes: is less"),
        ] {
            let error = error(code, message).await;
            assert_eq!(error.meaning(), meaning, "{code}");
            assert!(error.sentence().contains(says), "{}", error.sentence());
            assert!(error.sentence().contains("cannot read Volume v"), "{}", error.sentence());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_hangs() {
        let asked = ask::<()>("read Volume v", std::future::pending()).await;
        let Err(Refused::Error(error)) = asked else { panic!("{asked:?}") };
        assert_eq!(error.meaning(), Meaning::Unreachable);
        assert!(error.sentence().contains("no answer within 8 s"), "{}", error.sentence());
    }
}
