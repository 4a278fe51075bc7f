//! What the API server is told to refuse, where deriving does not say it.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::volume::Bytes;

/// The name of a Node.
pub(super) const NODE: &str = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";
/// The name of a pool.
pub(super) const POOL: &str = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// The id of a volume.
pub(super) const VOLUME_ID: &str = r"^v-[0-9a-f]{32}$";
/// The id of what a volume can be made from.
pub(super) const SOURCE_ID: &str = r"^([sv]-[0-9a-f]{32}|g-[0-9a-f]{32}-[0-9]{1,5})$";
/// The id of a snapshot's group.
pub(super) const MEMBER_ID: &str = r"^g-[0-9a-f]{32}-[0-9]{1,5}$";
/// Any id of ours.
pub(super) const ANY_ID: &str = r"^[gsv]-[0-9a-f]{32}$";
/// A word for programs.
pub(super) const WORD: &str = r"^[A-Za-z][A-Za-z0-9]*$";
/// A random UUID.
pub(super) const UUID: &str = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
/// What a volume can hold.
pub(super) const CONTENTS: [&str; 4] = ["xfs", "ext4", "btrfs", "block"];
/// What its device's logical block size can be.
pub(super) const BLOCK_SIZES: [u32; 2] = [512, 4096];
/// As much as somebody reads.
pub(super) const LONGEST_MESSAGE: usize = 4096;

/// The kernel counts operations in 32 bits.
pub(super) const MOST_OPERATIONS: u64 = u32::MAX as u64;

/// A number of bytes: what CSI can say, which has signed numbers.
impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "format": "int64", "minimum": 0})
    }
}

/// Returns the rule that a required key of the object stays as it is.
pub(super) fn fixed(key: &str) -> Rule {
    unchanging(key, format!("self.{key} == oldSelf.{key}"))
}

/// Returns the same for a key that may be missing: then it stays so.
pub(super) fn fixed_or_missing(key: &str) -> Rule {
    let same = format!(
        "has(self.{key}) == has(oldSelf.{key}) && (!has(self.{key}) || self.{key} == oldSelf.{key})"
    );
    unchanging(key, same)
}

/// Returns the rule that the object is named by an id, whose kind has this letter.
pub(super) fn named_by_id(letter: char) -> Rule {
    Rule::new(format!("self.metadata.name.matches('^{letter}-[0-9a-f]{{32}}$')")).message(
        &*format!(
            "metadata.name is the id: {letter}- and the 32 hex digits that belong to spec.name"
        ),
    )
}

fn unchanging(key: &str, rule: String) -> Rule {
    Rule::new(rule).message("cannot be changed").field_path(format!(".{key}"))
}

/// Returns as much of the text as a message can have.
pub(super) fn as_message(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text.to_owned(),
    }
}

/// Lets no key of the schema be null: an optional one is left out. Null would be a second way to say so.
pub(super) fn without_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|all| all.values_mut()).for_each(without_null);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        without_null(items);
    }
}
