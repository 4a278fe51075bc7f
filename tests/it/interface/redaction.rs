//! `{:?}` of a message shows no field that may carry credentials, and all the others.
//!
//! Which fields these are is read from the descriptors. Each message is filled with marks, a
//! different one in each place, and printed: the marks tell what was shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use orlop::csi::v1;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::pool;

/// Decodes a message and prints it in both forms.
type Printer = fn(&[u8]) -> String;

#[test]
fn debug_shows_all_but_what_may_carry_credentials() {
    for (name, print) in printers() {
        let message = pool().get_message_by_name(name).unwrap();
        let mut marks = Marks::default();
        let text = print(&marks.fill(&message, false).encode_to_vec());
        for mark in &marks.hidden {
            assert!(!text.contains(mark), "{name} shows {mark}: {text}");
        }
        for mark in &marks.shown {
            assert!(text.contains(mark), "{name} does not show {mark}: {text}");
        }
        for field in message.fields().filter(must_hide) {
            let redacted = format!("{}: [redacted]", field.name());
            assert!(text.contains(&redacted), "{name} does not say {redacted}: {text}");
        }
    }
}

#[test]
fn each_message_with_something_to_hide_is_printed_above() {
    let hiding: BTreeSet<_> = pool()
        .all_messages()
        .filter(|message| {
            !message.package_name().starts_with("google.") && leads_to_hidden(message)
        })
        .map(|message| message.full_name().to_owned())
        .collect();
    let printed: BTreeSet<_> = printers().into_keys().map(str::to_owned).collect();
    assert_eq!(printed, hiding);
}

fn printers() -> BTreeMap<&'static str, Printer> {
    hiding().into_iter().chain(holding()).collect()
}

/// The messages that have a field to hide.
fn hiding() -> [(&'static str, Printer); 26] {
    [
        ("csi.v1.ControllerExpandVolumeRequest", print::<v1::ControllerExpandVolumeRequest>),
        ("csi.v1.ControllerGetVolumeHealthRequest", print::<v1::ControllerGetVolumeHealthRequest>),
        (
            "csi.v1.ControllerListVolumeHealthRequest",
            print::<v1::ControllerListVolumeHealthRequest>,
        ),
        ("csi.v1.ControllerModifyVolumeRequest", print::<v1::ControllerModifyVolumeRequest>),
        ("csi.v1.ControllerPublishVolumeRequest", print::<v1::ControllerPublishVolumeRequest>),
        ("csi.v1.ControllerPublishVolumeResponse", print::<v1::ControllerPublishVolumeResponse>),
        ("csi.v1.ControllerUnpublishVolumeRequest", print::<v1::ControllerUnpublishVolumeRequest>),
        ("csi.v1.CreateSnapshotRequest", print::<v1::CreateSnapshotRequest>),
        ("csi.v1.CreateVolumeGroupSnapshotRequest", print::<v1::CreateVolumeGroupSnapshotRequest>),
        ("csi.v1.CreateVolumeRequest", print::<v1::CreateVolumeRequest>),
        ("csi.v1.DeleteSnapshotRequest", print::<v1::DeleteSnapshotRequest>),
        ("csi.v1.DeleteVolumeGroupSnapshotRequest", print::<v1::DeleteVolumeGroupSnapshotRequest>),
        ("csi.v1.DeleteVolumeRequest", print::<v1::DeleteVolumeRequest>),
        ("csi.v1.GetMetadataAllocatedRequest", print::<v1::GetMetadataAllocatedRequest>),
        ("csi.v1.GetMetadataDeltaRequest", print::<v1::GetMetadataDeltaRequest>),
        ("csi.v1.GetSnapshotRequest", print::<v1::GetSnapshotRequest>),
        ("csi.v1.GetVolumeGroupSnapshotRequest", print::<v1::GetVolumeGroupSnapshotRequest>),
        ("csi.v1.ListSnapshotsRequest", print::<v1::ListSnapshotsRequest>),
        ("csi.v1.NodeExpandVolumeRequest", print::<v1::NodeExpandVolumeRequest>),
        ("csi.v1.NodeGetStorageHealthRequest", print::<v1::NodeGetStorageHealthRequest>),
        ("csi.v1.NodePublishVolumeRequest", print::<v1::NodePublishVolumeRequest>),
        ("csi.v1.NodeStageVolumeRequest", print::<v1::NodeStageVolumeRequest>),
        (
            "csi.v1.ValidateVolumeCapabilitiesRequest",
            print::<v1::ValidateVolumeCapabilitiesRequest>,
        ),
        (
            "csi.v1.ValidateVolumeCapabilitiesResponse.Confirmed",
            print::<v1::validate_volume_capabilities_response::Confirmed>,
        ),
        ("csi.v1.Volume", print::<v1::Volume>),
        ("csi.v1.VolumeCapability.MountVolume", print::<v1::volume_capability::MountVolume>),
    ]
}

/// The messages that hold one of those.
fn holding() -> [(&'static str, Printer); 9] {
    [
        ("csi.v1.ControllerGetVolumeResponse", print::<v1::ControllerGetVolumeResponse>),
        ("csi.v1.CreateVolumeResponse", print::<v1::CreateVolumeResponse>),
        ("csi.v1.GetCapacityRequest", print::<v1::GetCapacityRequest>),
        ("csi.v1.ListVolumesResponse", print::<v1::ListVolumesResponse>),
        ("csi.v1.ListVolumesResponse.Entry", print::<v1::list_volumes_response::Entry>),
        ("csi.v1.NodeGetStorageHealthResponse", print::<v1::NodeGetStorageHealthResponse>),
        (
            "csi.v1.NodeGetStorageHealthResponse.StorageBackendHealth",
            print::<v1::node_get_storage_health_response::StorageBackendHealth>,
        ),
        (
            "csi.v1.ValidateVolumeCapabilitiesResponse",
            print::<v1::ValidateVolumeCapabilitiesResponse>,
        ),
        ("csi.v1.VolumeCapability", print::<v1::VolumeCapability>),
    ]
}

fn print<M: Message + Default + Debug>(bytes: &[u8]) -> String {
    let message = M::decode(bytes).unwrap();
    format!("{message:?}\n{message:#?}")
}

fn must_hide(field: &FieldDescriptor) -> bool {
    let secret = field.parent_message().parent_pool().get_extension_by_name("csi.v1.csi_secret");
    let is_secret = field.options().get_extension(&secret.unwrap()).as_bool() == Some(true);
    is_secret || matches!(field.name(), "volume_context" | "publish_context" | "mount_flags")
}

fn leads_to_hidden(message: &MessageDescriptor) -> bool {
    message
        .fields()
        .any(|field| must_hide(&field) || field.kind().as_message().is_some_and(leads_to_hidden))
}

/// The marks put into a message.
#[derive(Default)]
struct Marks {
    shown: Vec<String>,
    hidden: Vec<String>,
}

// === impl Marks ===

impl Marks {
    fn fill(&mut self, message: &MessageDescriptor, hidden: bool) -> DynamicMessage {
        let mut filled = DynamicMessage::new(message.clone());
        for field in message.fields().filter(is_last_of_its_oneof) {
            let value = self.value(&field, hidden || must_hide(&field));
            filled.set_field(&field, value);
        }
        filled
    }

    fn value(&mut self, field: &FieldDescriptor, hidden: bool) -> Value {
        if let Some(entry) = field.kind().as_message().filter(|message| message.is_map_entry()) {
            let key = MapKey::String(self.mark(hidden));
            let value = self.single(&entry.map_entry_value_field().kind(), hidden);
            Value::Map(HashMap::from([(key, value)]))
        } else if field.is_list() {
            Value::List(vec![self.single(&field.kind(), hidden)])
        } else {
            self.single(&field.kind(), hidden)
        }
    }

    fn single(&mut self, kind: &Kind, hidden: bool) -> Value {
        match kind {
            Kind::String => Value::String(self.mark(hidden)),
            Kind::Int32 => Value::I32(self.mark(hidden).parse().unwrap()),
            Kind::Int64 => Value::I64(self.mark(hidden).parse().unwrap()),
            // These two have too few values to be told apart.
            Kind::Bool => Value::Bool(true),
            Kind::Enum(_) => Value::EnumNumber(1),
            Kind::Message(message) => Value::Message(self.fill(message, hidden)),
            Kind::Double
            | Kind::Float
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
            | Kind::Bytes => panic!("the interface has had no {kind:?} so far"),
        }
    }

    /// Returns a number that is in no other place.
    fn mark(&mut self, hidden: bool) -> String {
        let mark = format!("{}", 7_000_000 + self.shown.len() + self.hidden.len());
        let marks = if hidden { &mut self.hidden } else { &mut self.shown };
        marks.push(mark.clone());
        mark
    }
}

/// Only one member of a oneof can be set.
fn is_last_of_its_oneof(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_none_or(|oneof| oneof.fields().last().as_ref() == Some(field))
}
