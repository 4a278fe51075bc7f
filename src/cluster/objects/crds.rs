//! The definitions of the kinds, for `kubectl apply`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::schema::without_null;
use super::{GroupSnapshot, Pool, Snapshot, Volume};

/// Returns the definitions of all kinds.
pub fn crds() -> [CustomResourceDefinition; 4] {
    [Volume::crd(), Snapshot::crd(), GroupSnapshot::crd(), Pool::crd()].map(|mut definition| {
        let schemas = definition.spec.versions.iter_mut().filter_map(|one| one.schema.as_mut());
        schemas.filter_map(|one| one.open_api_v3_schema.as_mut()).for_each(without_null);
        definition
    })
}
