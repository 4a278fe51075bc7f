//! Objects decoded without what nobody here reads: who has changed which of their fields, and when. The API server sends
//! that with every object, and it is longer than all the rest.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::ClusterResourceScope;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{
    GroupSnapshot, GroupSnapshotSpec, GroupSnapshotStatus, Pool, PoolSpec, PoolStatus, Snapshot,
    SnapshotSpec, SnapshotStatus, Volume, VolumeSpec, VolumeStatus,
};

/// An object that takes no more memory than it has to.
#[derive(Debug, Clone)]
pub struct Lean<K>(pub K);

/// A kind of object that is put together from its parts.
pub trait Parts:
    Resource<DynamicType = (), Scope = ClusterResourceScope>
    + Clone
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// What is wished.
    type Spec: DeserializeOwned;
    /// What is true.
    type State: DeserializeOwned;

    /// Returns the object of these parts.
    fn of_parts(metadata: ObjectMeta, spec: Self::Spec, status: Option<Self::State>) -> Self;
}

/// What is kept of the metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
}

#[derive(Deserialize)]
struct Wire<S, T> {
    metadata: Meta,
    spec: S,
    #[serde(default = "Option::default")]
    status: Option<T>,
}

// === impl Meta ===

impl From<Meta> for ObjectMeta {
    fn from(meta: Meta) -> Self {
        let Meta { name, uid, resource_version, generation } = meta;
        Self { name, uid, resource_version, generation, ..Self::default() }
    }
}

// === impl Lean ===

impl<K: Resource> Resource for Lean<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &Self::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &Self::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

impl<'de, K: Parts> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Wire { metadata, spec, status } = Wire::deserialize(from)?;
        Ok(Self(K::of_parts(metadata.into(), spec, status)))
    }
}

macro_rules! parts {
    ($($kind:ident { $spec:ident, $status:ident })+) => {$(
        impl Parts for $kind {
            type Spec = $spec;
            type State = $status;

            fn of_parts(metadata: ObjectMeta, spec: $spec, status: Option<$status>) -> Self {
                Self { metadata, spec, status }
            }
        }
    )+};
}

parts! {
    Volume { VolumeSpec, VolumeStatus }
    Snapshot { SnapshotSpec, SnapshotStatus }
    GroupSnapshot { GroupSnapshotSpec, GroupSnapshotStatus }
    Pool { PoolSpec, PoolStatus }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::objects::Home;

    #[test]
    fn all_is_kept_but_what_nobody_reads() {
        let mut whole = Pool::at(&Home::new("n1", "fast"));
        whole.metadata.uid = Some("u".to_owned());
        whole.metadata.resource_version = Some("7".to_owned());
        whole.metadata.generation = Some(2);
        let mut sent = json!(whole);
        sent["metadata"]["managedFields"] =
            json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]);
        sent["metadata"]["creationTimestamp"] = json!("2026-11-26T07:27:04Z");
        let read: Lean<Pool> = serde_json::from_value(sent).unwrap();
        assert_eq!(read.0, whole);
        assert_eq!(Lean::<Pool>::plural(&()), "pools");
    }
}
