//! The compiled `csi.proto`, told in the form of `csi-interface.json`.
//!
//! Options that are set are told whatever they are called, so one too many is found as well.

use std::collections::BTreeSet;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor,
    FileDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};
use serde_json::{Value, json};

/// Returns everything that `csi.proto` defines.
pub(super) fn interface(pool: &DescriptorPool) -> Value {
    let file = pool.get_file_by_name("csi.proto").unwrap();
    let messages: Vec<_> = pool
        .all_messages()
        .filter(|message| message.parent_file() == file && !message.is_map_entry())
        .collect();
    let enums: Vec<_> = pool.all_enums().filter(|item| item.parent_file() == file).collect();
    let extensions = pool.all_extensions().filter(|item| item.parent_file() == file);
    let interface = json!({
        "syntax": file.file_descriptor_proto().syntax(),
        "package": file.package_name(),
        "imports": file.dependencies().map(|import| import.name().to_owned()).collect::<Vec<_>>(),
        "counts": counts(&file, &messages, &enums),
        "option_extensions": extensions.map(|item| extension(&item)).collect::<Vec<_>>(),
        "services": file.services().map(|item| service(&item)).collect::<Vec<_>>(),
        "messages": messages.iter().map(message).collect::<Vec<_>>(),
        "enums": enums.iter().map(enumeration).collect::<Vec<_>>(),
        "external_types": external_types(&file, &messages),
    });
    with_options(interface, &file.options())
}

fn counts(
    file: &FileDescriptor,
    messages: &[MessageDescriptor],
    enums: &[EnumDescriptor],
) -> Value {
    let rpcs: Vec<_> =
        file.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let is_stream =
        |rpc: &&MethodDescriptor| rpc.is_client_streaming() || rpc.is_server_streaming();
    let nested = messages.iter().filter(|message| message.parent_message().is_some()).count();
    json!({
        "services": file.services().len(),
        "rpcs": rpcs.len(),
        "streaming_rpcs": rpcs.iter().filter(is_stream).count(),
        "messages_top_level": messages.len() - nested,
        "messages_nested": nested,
        "messages": messages.len(),
        "fields": messages.iter().map(|message| message.fields().len()).sum::<usize>(),
        "enums": enums.len(),
        "enum_values": enums.iter().map(|item| item.values().len()).sum::<usize>(),
    })
}

fn extension(extension: &ExtensionDescriptor) -> Value {
    let about = json!({
        "name": extension.name(),
        "number": extension.number(),
        "extends": extension.containing_message().full_name(),
        "type": type_of(extension.field_descriptor_proto().r#type()),
        "parent": extension.parent_message().map(|parent| parent.full_name().to_owned()),
        "repeated": extension.is_list().then_some(true),
    });
    with_options(about, &extension.options())
}

fn service(service: &ServiceDescriptor) -> Value {
    let about = json!({
        "name": service.name(),
        "full_name": service.full_name(),
        "rpcs": service.methods().map(|method| rpc(&method)).collect::<Vec<_>>(),
    });
    with_options(about, &service.options())
}

fn rpc(method: &MethodDescriptor) -> Value {
    let about = json!({
        "name": method.name(),
        "path": format!("/{}/{}", method.parent_service().full_name(), method.name()),
        "request": method.input().full_name(),
        "response": method.output().full_name(),
        "client_streaming": method.is_client_streaming(),
        "server_streaming": method.is_server_streaming(),
    });
    with_options(about, &method.options())
}

fn message(message: &MessageDescriptor) -> Value {
    // A range of a message ends before its end, that of an enum at its end.
    let reserved = message.reserved_ranges().map(|range| [range.start, range.end - 1]);
    let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
    let about = json!({
        "name": message.name(),
        "full_name": message.full_name(),
        "parent": message.parent_message().map(|parent| parent.full_name().to_owned()),
        "oneofs": oneofs.map(|oneof| oneof.name().to_owned()).collect::<Vec<_>>(),
        "fields": message.fields().map(|item| field(&item)).collect::<Vec<_>>(),
        "reserved": reserved.collect::<Vec<_>>(),
        "reserved_names": message.reserved_names().collect::<Vec<_>>(),
        "extensible": (message.extension_ranges().len() > 0).then_some(true),
    });
    with_options(about, &message.options())
}

fn field(field: &FieldDescriptor) -> Value {
    let kind = field.kind();
    let entry = kind.as_message().filter(|message| message.is_map_entry());
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
    let type_name = if entry.is_some() { None } else { type_name(&kind) };
    let about = json!({
        "name": field.name(),
        "number": field.number(),
        "json_name": field.json_name(),
        "label": label(field),
        "type": entry.map_or_else(|| scalar(field), |_| "map".to_owned()),
        "type_name": type_name,
        "map_key": entry.map(|entry| scalar(&entry.map_entry_key_field())),
        "map_value": entry.map(|entry| scalar(&entry.map_entry_value_field())),
        "oneof": oneof.map(|oneof| oneof.name().to_owned()),
    });
    with_options(about, &field.options())
}

fn enumeration(item: &EnumDescriptor) -> Value {
    let values = item.values().map(|value| {
        with_options(json!({"name": value.name(), "number": value.number()}), &value.options())
    });
    let about = json!({
        "name": item.name(),
        "full_name": item.full_name(),
        "parent": item.parent_message().map(|parent| parent.full_name().to_owned()),
        "values": values.collect::<Vec<_>>(),
        "reserved": item.reserved_ranges().map(|r| [*r.start(), *r.end()]).collect::<Vec<_>>(),
        "reserved_names": item.reserved_names().collect::<Vec<_>>(),
    });
    with_options(about, &item.options())
}

fn external_types(file: &FileDescriptor, messages: &[MessageDescriptor]) -> BTreeSet<String> {
    let own = format!("{}.", file.package_name());
    let fields = messages.iter().flat_map(|message| message.fields().collect::<Vec<_>>());
    fields
        .filter_map(|field| type_name(&field.kind()))
        .filter(|name| !name.starts_with(&own))
        .collect()
}

/// Returns what was said of a thing, and each option that is set on it.
fn with_options(mut about: Value, options: &DynamicMessage) -> Value {
    let plain = options.fields().map(|(option, value)| (option.name().to_owned(), value));
    let own = options.extensions().map(|(option, value)| (option.name().to_owned(), value));
    for (name, value) in plain.chain(own) {
        let value = value.as_bool().map_or_else(|| json!(value.to_string()), |flag| json!(flag));
        let before = about.as_object_mut().unwrap().insert(name.clone(), value);
        assert_eq!(before, None, "the option {name} is called like something else");
    }
    about
}

fn label(field: &FieldDescriptor) -> &'static str {
    if field.is_map() {
        "map"
    } else if field.is_list() {
        "repeated"
    } else if field.field_descriptor_proto().proto3_optional() {
        "optional"
    } else {
        "singular"
    }
}

fn type_name(kind: &Kind) -> Option<String> {
    let message = kind.as_message().map(|message| message.full_name().to_owned());
    message.or_else(|| kind.as_enum().map(|item| item.full_name().to_owned()))
}

fn scalar(field: &FieldDescriptor) -> String {
    type_of(field.field_descriptor_proto().r#type())
}

fn type_of(kind: prost_types::field_descriptor_proto::Type) -> String {
    kind.as_str_name().trim_start_matches("TYPE_").to_ascii_lowercase()
}
