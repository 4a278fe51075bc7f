//! Tells kubelet of the driver, as node-driver-registrar does in a container of its own.
//!
//! Kubelet watches its directory `plugins_registry`: it asks whoever listens on a socket there for a name and for the
//! plugin's own socket, and says what came of it. When the file goes, so does the driver from the CSINode.

use std::path::{Path, PathBuf};

use tonic::{Request, Response, Status, async_trait};

use crate::csi::registration::registration_server;
use crate::csi::registration::{
    InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse,
};

/// What kubelet calls a CSI driver.
const TYPE: &str = "CSIPlugin";

/// The versions of CSI as kubelet counts them: it knows one.
const VERSION: &str = "1.0.0";

/// Who is registered.
#[derive(Debug)]
pub struct Registration {
    driver: &'static str,
    socket: PathBuf,
}

// === impl Registration ===

impl Registration {
    /// Registers the driver that listens on this socket.
    pub fn new(driver: &'static str, socket: &Path) -> Self {
        Self { driver, socket: socket.to_owned() }
    }

    /// Returns where kubelet finds it, in its directory of plugins.
    pub fn file(&self, registry: &Path) -> PathBuf {
        registry.join(format!("{}-reg.sock", self.driver))
    }
}

#[async_trait]
impl registration_server::Registration for Registration {
    async fn get_info(&self, _: Request<InfoRequest>) -> Result<Response<PluginInfo>, Status> {
        Ok(Response::new(PluginInfo {
            r#type: TYPE.to_owned(),
            name: self.driver.to_owned(),
            endpoint: self.socket.to_string_lossy().into_owned(),
            supported_versions: vec![VERSION.to_owned()],
        }))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Result<Response<RegistrationStatusResponse>, Status> {
        let status = request.into_inner();
        if status.plugin_registered {
            tracing::info!(driver = self.driver, "kubelet has registered the driver");
        } else {
            // Kubelet tries again by itself.
            tracing::error!(driver = self.driver, "kubelet refuses the driver: {}", status.error);
        }
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}
