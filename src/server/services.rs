//! The services that a socket has, found by the name in the path of a call.
//!
//! tonic would find them with axum, a router for web sites, which takes each path to pieces and boxes each call several
//! times over.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tower::Service;

/// Services; a clone has the same, and is made for each call.
#[derive(Clone, Default)]
pub struct Services(Arc<Vec<(&'static str, Arc<dyn Serve>)>>);

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A service that is ready for every call at once.
trait Serve: Send + Sync {
    fn serve(&self, request: Request<Body>) -> Answer;
}

// === impl Services ===

impl Services {
    /// Returns a single one.
    pub fn of<S>(service: S) -> Self
    where
        S: NamedService + Clone + Send + Sync + 'static,
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    {
        Self::default().and(service)
    }

    /// Adds one.
    #[must_use]
    pub fn and<S>(mut self, service: S) -> Self
    where
        S: NamedService + Clone + Send + Sync + 'static,
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    {
        let services = Arc::make_mut(&mut self.0);
        debug_assert!(services.iter().all(|(name, _)| *name != S::NAME), "{} twice", S::NAME);
        services.push((S::NAME, Arc::new(service)));
        self
    }
}

impl Service<Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let called = service_of(request.uri().path());
        match self.0.iter().find(|(name, _)| Some(*name) == called) {
            Some((_, service)) => service.serve(request),
            None => Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        }
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<S> Serve for S
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    S: Clone + Send + Sync,
{
    fn serve(&self, request: Request<Body>) -> Answer {
        self.clone().call(request)
    }
}

/// Returns the service that a path names: `/csi.v1.Node/NodeGetInfo`.
fn service_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split_once('/').map(|(service, _method)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_stands_between_two_strokes() {
        for (path, service) in [
            ("/csi.v1.Node/NodeGetInfo", Some("csi.v1.Node")),
            ("/csi.v1.Node/", Some("csi.v1.Node")),
            ("/csi.v1.Node", None),
            ("//NodeGetInfo", Some("")),
            ("csi.v1.Node/NodeGetInfo", None),
            ("", None),
        ] {
            assert_eq!(service_of(path), service, "{path:?}");
        }
    }
}
