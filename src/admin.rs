//! The private service for the verbs that must go through the running driver, because it owns what they change.
//!
//! It listens on a socket of its own in the state directory, never on the CSI socket.

pub mod client;
mod detach;
mod transfer;

use tonic::{Request, Response, Status, async_trait};

pub use detach::detach;
pub use transfer::{export, import};

use crate::backend::Registry;
use crate::csi::admin::{
    AdoptRequest, AdoptResponse, DetachRequest, DetachResponse, ExportRequest, ExportResponse,
    ImportRequest, ImportResponse, SetLogLevelRequest, SetLogLevelResponse,
};
use crate::error::{Error, Noun, Result};
use crate::locks::Locks;
use crate::logging::{Filter, Levels, NotAFilter};
use crate::rpc::{Method, answer};

/// The admin service.
#[derive(Debug)]
pub struct Admin {
    pools: Registry,
    locks: Locks,
    levels: Levels,
}

// === impl Admin ===

impl Admin {
    /// Returns the service of a driver that owns these pools.
    pub fn new(pools: Registry, locks: Locks, levels: Levels) -> Self {
        Self { pools, locks, levels }
    }

    /// A pool that is open was adopted already, or needed no adoption.
    fn adopt(&self, pool: &str) -> Result<AdoptResponse> {
        if self.pools.iter().any(|known| *known.name == *pool) {
            return Ok(AdoptResponse {
                message: format!("pool {pool} is in service on this node: nothing to adopt"),
            });
        }
        Err(Error::NotFound { what: Noun::Pool, id: pool.escape_debug().to_string() })
    }

    fn set_log_level(&self, filter: &str) -> Result<SetLogLevelResponse> {
        let filter: Filter = filter
            .parse()
            .map_err(|mistake: NotAFilter| Error::invalid("filter", mistake.to_string()))?;
        let text = filter.to_string();
        self.levels.set(filter).map_err(|error| Error::internal("the filter", error))?;
        tracing::info!(filter = text, "the log level was changed");
        Ok(SetLogLevelResponse {})
    }
}

#[async_trait]
impl crate::csi::admin::admin_server::Admin for Admin {
    async fn adopt(
        &self,
        request: Request<AdoptRequest>,
    ) -> std::result::Result<Response<AdoptResponse>, Status> {
        answer(Method::Other, Self::adopt(self, &request.into_inner().pool))
    }

    async fn detach(
        &self,
        request: Request<DetachRequest>,
    ) -> std::result::Result<Response<DetachResponse>, Status> {
        let DetachRequest { volume_id, force } = request.into_inner();
        let outcome = detach(&self.pools, &self.locks, &volume_id, force).await;
        answer(Method::Other, outcome.map(|message| DetachResponse { message }))
    }

    async fn import(
        &self,
        request: Request<ImportRequest>,
    ) -> std::result::Result<Response<ImportResponse>, Status> {
        answer(Method::Other, import(&self.pools, &self.locks, request.into_inner()).await)
    }

    async fn export(
        &self,
        request: Request<ExportRequest>,
    ) -> std::result::Result<Response<ExportResponse>, Status> {
        let outcome = export(&self.pools, &self.locks, request.into_inner()).await;
        answer(Method::Other, outcome.map(|message| ExportResponse { message }))
    }

    async fn set_log_level(
        &self,
        request: Request<SetLogLevelRequest>,
    ) -> std::result::Result<Response<SetLogLevelResponse>, Status> {
        answer(Method::Other, Self::set_log_level(self, &request.into_inner().filter))
    }
}
