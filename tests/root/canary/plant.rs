//! Where in a request a secret can be, as the descriptors tell.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use crate::random::RPCS;

/// The secret.
pub(super) const CANARY: &str = "canary-6f1d0c9ae2";

/// Which of the places get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// Those that a good request has them in: secrets and contexts.
    Meant,
    /// Those as well that make it fail: flags of a mount, and parameters.
    Everywhere,
}

/// Returns the encoded request with secrets in it; nothing when it is none.
pub(super) fn planted(path: &str, request: &[u8], places: Where) -> Option<Vec<u8>> {
    let rpc = RPCS.iter().find(|rpc| rpc.path == path).unwrap();
    let mut message = DynamicMessage::decode(rpc.input.clone(), request).ok()?;
    fill(&mut message, places, 0);
    Some(message.encode_to_vec())
}

fn fill(message: &mut DynamicMessage, places: Where, depth: usize) {
    let kind: MessageDescriptor = message.descriptor();
    for field in kind.fields() {
        if let Some(value) = secret_in(&field, places) {
            message.set_field(&field, value);
        } else if let Some(inner) = field.kind().as_message()
            && !field.is_map()
            && depth < 4
        {
            let is_wanted = message.has_field(&field) || leads_to_secret(inner, places, depth);
            if !is_wanted || has_sibling(message, &field) {
                continue;
            }
            let value = message.get_field_mut(&field);
            match value {
                Value::Message(one) => fill(one, places, depth + 1),
                Value::List(all) => {
                    for one in all.iter_mut().filter_map(Value::as_message_mut) {
                        fill(one, places, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether another member of the field's oneof is set, which setting this one would take away.
fn has_sibling(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    let Some(oneof) = field.containing_oneof() else { return false };
    oneof.fields().any(|other| other != *field && message.has_field(&other))
}

/// Whether the message has a place for a secret that makes a request fail: those of good requests are in messages
/// that good requests have.
fn leads_to_secret(message: &MessageDescriptor, places: Where, depth: usize) -> bool {
    let leads = |field: FieldDescriptor| {
        let inner = field.kind().as_message().cloned();
        secret_in(&field, places).is_some()
            || inner.is_some_and(|inner| depth < 4 && leads_to_secret(&inner, places, depth + 1))
    };
    places == Where::Everywhere && message.fields().any(leads)
}

/// Returns a secret as this field would hold it, if it may.
fn secret_in(field: &FieldDescriptor, places: Where) -> Option<Value> {
    let pair = |key: &str| {
        let pair = (MapKey::String(key.to_owned()), Value::String(CANARY.to_owned()));
        Some(Value::Map(HashMap::from([pair])))
    };
    let everywhere = places == Where::Everywhere;
    match field.name() {
        _ if is_secret(field) => pair("password"),
        "volume_context" => pair("csi.storage.k8s.io/serviceAccount.tokens"),
        "publish_context" => pair("token"),
        "parameters" if everywhere => pair("password"),
        "mutable_parameters" if everywhere => pair("apiToken"),
        "mount_flags" if everywhere => {
            let flags = [format!("password={CANARY}"), format!("x-token={CANARY},noatime")];
            Some(Value::List(flags.into_iter().map(Value::String).collect()))
        }
        _ => None,
    }
}

fn is_secret(field: &FieldDescriptor) -> bool {
    let option = field.parent_message().parent_pool().get_extension_by_name("csi.v1.csi_secret");
    field.options().get_extension(&option.unwrap()).as_bool() == Some(true)
}
