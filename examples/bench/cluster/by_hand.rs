//! The writes of a create, and of a delete, by somebody who does nothing else.

use kube::ResourceExt;
use orlop::cluster::objects::{Home, Volume};
use orlop::volume::Name;
use serde_json::json;

use crate::driver::Result;
use crate::tests::rig::{Api, Refused, Rig, wanted};

/// A node that there is not: nobody fulfils what is wished of it.
const NOBODY: &str = "nobody";

const VOLUMES: &str = "/apis/orlop.dev/v1alpha1/volumes";

/// Somebody who may do everything.
#[derive(Debug)]
pub(super) struct ByHand {
    api: Api,
}

fn said(Refused { code, message }: Refused) -> String {
    format!("{code}: {message}")
}

// === impl ByHand ===

impl ByHand {
    pub(super) fn new(rig: &Rig) -> Self {
        Self { api: rig.api.clone() }
    }

    /// Writes the wish, that it is being made, and that it is there. Returns where it is.
    pub(super) async fn create(&self, name: &str) -> Result<String> {
        let wish = Volume::wish(&wanted(Name::parse(name)?), &Home::new(NOBODY, "default"));
        let path = format!("{VOLUMES}/{}", wish.name_any());
        self.api.post(VOLUMES, &json!(wish)).await.map_err(said)?;
        for phase in ["Making", "Ready"] {
            let status = json!({ "status": { "phase": phase, "observedGeneration": 1 } });
            self.api.patch(&format!("{path}/status"), &status).await.map_err(said)?;
        }
        Ok(path)
    }

    pub(super) async fn delete(&self, path: &str) -> Result<()> {
        self.api.patch(path, &json!({ "spec": { "delete": true } })).await.map_err(said)?;
        self.api.delete(path).await.map_err(said)?;
        Ok(())
    }
}
