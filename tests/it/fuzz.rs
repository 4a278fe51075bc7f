//! Any request at all: made by the descriptors from random choices, and answered by a code that is no INTERNAL.

use std::path::Path;
use std::sync::LazyLock;

use orlop::csi::{DESCRIPTOR, v1};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use tonic::Code;

use crate::driver::Driver;
use crate::requests::{create, snapshot};
use crate::simulated::unlimited;

/// Random choices, taken one after the other; behind the end all are zero.
struct Choices<'a> {
    bytes: &'a [u8],
    room: &'a Path,
}

/// Texts that mean something to some field, and texts that must mean nothing to any.
const TEXTS: [&str; 24] = [
    "",
    "a",
    "b",
    "cut",
    "volume",
    "snapshot",
    "n1",
    "n2",
    "xfs",
    "ext4",
    "ro",
    "default",
    "pool",
    "blockSize",
    "4096",
    "readIOPS",
    "1.5Gi",
    "../../etc",
    "/",
    "a\0b",
    "\u{7f}",
    "some/path",
    "topology.csi.orlop.dev/node",
    "☃",
];

static INTERFACE: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR).unwrap());

const NUMBERS: [i64; 10] =
    [0, 1, -1, 4096, 1 << 20, 512 << 20, 1 << 30, 1 << 50, i64::MAX, i64::MIN];

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % limit
    }

    fn text(&mut self) -> String {
        match self.below(TEXTS.len() + 3) {
            0 => "x".repeat(200),
            1 => orlop::volume::VolumeId::of(&orlop::volume::Name::parse("a").unwrap()).to_string(),
            2 => self.room.join(TEXTS[self.below(6)]).display().to_string(),
            known => TEXTS[known - 3].to_owned(),
        }
    }

    fn scalar(&mut self, kind: &Kind, depth: usize) -> Value {
        let number = NUMBERS[self.below(NUMBERS.len())];
        match kind {
            Kind::Bool => Value::Bool(self.below(2) == 1),
            Kind::Int32 => Value::I32(i32::try_from(number).unwrap_or(i32::MIN)),
            Kind::Int64 => Value::I64(number),
            Kind::Enum(_) => Value::EnumNumber(i32::try_from(self.below(12)).unwrap()),
            Kind::Message(message) => Value::Message(self.message(message, depth + 1)),
            _ => Value::String(self.text()),
        }
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        if field.is_map() {
            let pairs = (0..self.below(3))
                .map(|_| (MapKey::String(self.text()), Value::String(self.text())));
            return Value::Map(pairs.collect());
        }
        if field.is_list() {
            let kind = field.kind();
            return Value::List((0..self.below(3)).map(|_| self.scalar(&kind, depth)).collect());
        }
        self.scalar(&field.kind(), depth)
    }

    fn message(&mut self, kind: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(kind.clone());
        for field in kind.fields() {
            // Mostly filled at the top, so that handlers get behind their first check.
            if depth < 6 && self.below(6) > 0 {
                message.set_field(&field, self.field(&field, depth));
            }
        }
        message
    }
}

macro_rules! calls {
    ($driver:ident, $make:ident, $which:expr, [$($client:ident . $method:ident ( $request:ident )),* $(,)?]) => {{
        let all = [$(stringify!($request)),*];
        let which = all[$which % all.len()];
        match which {
            $(stringify!($request) => {
                let encoded = $make(which).encode_to_vec();
                let request = v1::$request::decode(&*encoded).unwrap();
                let shown = format!("{request:?}");
                let outcome = $driver.$client.$method(request).await;
                (shown, outcome.map(drop))
            })*
            _ => unreachable!(),
        }
    }};
}

async fn ask(
    driver: &mut Driver,
    choices: &mut Choices<'_>,
) -> (String, Result<(), tonic::Status>) {
    let which = choices.below(255);
    let mut make = |name: &str| {
        let kind = INTERFACE.get_message_by_name(&format!("csi.v1.{name}")).unwrap();
        choices.message(&kind, 0)
    };
    calls!(
        driver,
        make,
        which,
        [
            controller.create_volume(CreateVolumeRequest),
            controller.delete_volume(DeleteVolumeRequest),
            controller.controller_publish_volume(ControllerPublishVolumeRequest),
            controller.controller_unpublish_volume(ControllerUnpublishVolumeRequest),
            controller.validate_volume_capabilities(ValidateVolumeCapabilitiesRequest),
            controller.list_volumes(ListVolumesRequest),
            controller.get_capacity(GetCapacityRequest),
            controller.create_snapshot(CreateSnapshotRequest),
            controller.delete_snapshot(DeleteSnapshotRequest),
            controller.list_snapshots(ListSnapshotsRequest),
            controller.get_snapshot(GetSnapshotRequest),
            controller.controller_expand_volume(ControllerExpandVolumeRequest),
            controller.controller_get_volume(ControllerGetVolumeRequest),
            controller.controller_modify_volume(ControllerModifyVolumeRequest),
            groups.create_volume_group_snapshot(CreateVolumeGroupSnapshotRequest),
            groups.delete_volume_group_snapshot(DeleteVolumeGroupSnapshotRequest),
            groups.get_volume_group_snapshot(GetVolumeGroupSnapshotRequest),
            node.node_stage_volume(NodeStageVolumeRequest),
            node.node_unstage_volume(NodeUnstageVolumeRequest),
            node.node_publish_volume(NodePublishVolumeRequest),
            node.node_unpublish_volume(NodeUnpublishVolumeRequest),
            node.node_get_volume_stats(NodeGetVolumeStatsRequest),
            node.node_expand_volume(NodeExpandVolumeRequest),
        ]
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// > No request, however wrong, ends the driver or is answered with INTERNAL.
    #[test]
    fn no_request_makes_the_driver_panic_or_fail_inside(
        requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut driver = unlimited().await;
            let volume = driver.controller.create_volume(create("a")).await.unwrap();
            let id = volume.into_inner().volume.unwrap().volume_id;
            driver.controller.create_snapshot(snapshot("cut", &id)).await.unwrap();
            let room = driver.room.path().to_owned();
            for bytes in &requests {
                let (shown, outcome) = ask(&mut driver, &mut Choices { bytes, room: &room }).await;
                let Err(status) = outcome else { continue };
                let inside = [Code::Internal, Code::Unknown, Code::Cancelled, Code::Unavailable];
                assert!(!inside.contains(&status.code()), "{shown}\n{status:?}");
                assert!(!status.message().is_empty(), "{shown}");
            }
        });
    }
}
