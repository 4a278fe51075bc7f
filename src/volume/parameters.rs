//! The StorageClass parameters: a type, read by serde; what it does not know is refused.

use std::collections::HashMap;
use std::hash::BuildHasher;

use serde::Deserialize;
use serde::de::value::{Error as ValueError, MapDeserializer};

use super::BlockSize;
use crate::error::{Error, Result};

/// The parameters of a StorageClass.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Parameters {
    /// The pool; without it the only pool, else the one named `default`.
    #[serde(deserialize_with = "named")]
    pub pool: Option<String>,
    /// The block size of the device; without it 4096, or that of the source.
    #[serde(deserialize_with = "block_size")]
    pub block_size: Option<BlockSize>,
    /// Which nodes its volumes may go to.
    #[serde(deserialize_with = "placement")]
    pub placement: Placement,
}

/// What a class says of the nodes that its volumes may go to, of those that the request allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// The preferred one alone: the scheduler may have selected it for a pod.
    #[default]
    Preferred,
    /// Another one where the preferred one has no room.
    Any,
}

// === impl Parameters ===

impl Parameters {
    /// Reads the parameters of a request.
    pub fn parse(parameters: &HashMap<String, String>) -> Result<Self> {
        // Sorted, so that of two mistakes the same one is always told first.
        let mut ours: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, _)| !is_of_sidecars(key))
            .collect();
        ours.sort_unstable();
        Self::deserialize(MapDeserializer::new(ours.into_iter()))
            .map_err(|mistake: ValueError| Error::invalid("parameters", mistake.to_string()))
    }
}

fn named<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

fn block_size<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<BlockSize>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(serde::de::Error::custom)
}

fn placement<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Placement, D::Error> {
    let text = String::deserialize(from)?;
    match text.as_str() {
        "any" => Ok(Placement::Any),
        _ => Err(serde::de::Error::custom(format!(
            "{text:?} is no placement: use any, or leave it out for the node that is preferred"
        ))),
    }
}

/// Says whether the key belongs to the sidecars: tolerated, never read.
pub(super) fn is_of_sidecars(key: &str) -> bool {
    key.starts_with("csi.storage.k8s.io/")
}

/// Checks the parameters of a snapshot class: there are none of ours.
pub fn no_parameters<S: BuildHasher>(parameters: &HashMap<String, String, S>) -> Result<()> {
    match parameters.keys().filter(|key| !is_of_sidecars(key)).min() {
        Some(key) => {
            Err(Error::invalid("parameters", format!("unknown key `{key}`; a snapshot takes none")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Parameters> {
        let map = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Parameters::parse(&map)
    }

    #[test]
    fn known_keys_are_read_and_the_sidecars_are_left_alone() {
        assert_eq!(parse(&[]).unwrap(), Parameters::default());
        let all =
            parse(&[("pool", "fast"), ("blockSize", "512"), ("csi.storage.k8s.io/pvc/name", "x")]);
        let expected = Parameters {
            pool: Some("fast".into()),
            block_size: Some(BlockSize::B512),
            placement: Placement::Preferred,
        };
        assert_eq!(all.unwrap(), expected);
        assert_eq!(parse(&[("placement", "any")]).unwrap().placement, Placement::Any);
    }

    #[test]
    fn unknown_keys_are_refused_with_the_known_ones_named() {
        let text = parse(&[("pol", "fast")]).unwrap_err().sentence();
        assert_eq!(
            text,
            "parameters: unknown field `pol`, expected one of `pool`, `blockSize`, `placement`"
        );
        assert!(
            parse(&[("blockSize", "1024")]).unwrap_err().sentence().contains("use 4096, or 512")
        );
        assert!(parse(&[("placement", "Any")]).unwrap_err().sentence().contains("use any, or"));
    }
}
