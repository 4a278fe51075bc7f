//! Any request at all, made by the descriptors from random choices.

use std::path::Path;
use std::sync::LazyLock;

use orlop::csi::DESCRIPTOR;
use orlop::volume::{Name, SnapshotId, VolumeId};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

/// The names of what the fuzzer's drivers have: volumes, snapshots, and perhaps more that it makes itself.
pub const NAMES: [&str; 4] = ["a", "raw", "cut", "made"];

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

const NUMBERS: [i64; 12] =
    [0, 1, -1, 4096, 4097, 1 << 20, 320 << 20, 512 << 20, 1 << 30, 1 << 50, i64::MAX, i64::MIN];

/// Pairs that a map of parameters may have.
const PAIRS: [(&str, &str); 8] = [
    ("pool", "default"),
    ("blockSize", "512"),
    ("readIOPS", "100"),
    ("writeIOPS", "0"),
    ("readBytesPerSecond", "1Mi"),
    ("writeBytesPerSecond", "-1"),
    ("csi.storage.k8s.io/pvc/name", "x"),
    ("topology.csi.orlop.dev/node", "n1"),
];

/// How a message lies on the wire when nothing is the matter with it, or when something is.
const DAMAGE: usize = 24;

/// One RPC of the interface.
#[derive(Debug)]
pub struct Rpc {
    /// As HTTP names it: `/csi.v1.Node/NodeGetInfo`.
    pub path: String,
    pub input: MessageDescriptor,
}

/// Every RPC of the interface.
pub static RPCS: LazyLock<Vec<Rpc>> = LazyLock::new(|| {
    let interface = DescriptorPool::decode(DESCRIPTOR).unwrap();
    let services = interface.services().filter(|service| service.package_name() == "csi.v1");
    let rpcs = services.flat_map(|service| {
        let of = service.full_name().to_owned();
        let rpc = |rpc: prost_reflect::MethodDescriptor| Rpc {
            path: format!("/{of}/{}", rpc.name()),
            input: rpc.input(),
        };
        service.methods().map(rpc).collect::<Vec<_>>()
    });
    rpcs.collect()
});

/// Random choices, taken one after the other; behind the end all are zero.
#[derive(Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
    room: &'a Path,
}

/// A request: to which RPC, in words, and as bytes.
#[derive(Debug)]
pub struct Any {
    pub path: &'static str,
    pub shown: String,
    pub bytes: Vec<u8>,
}

/// Returns the id that a volume of this name has, or would have.
pub fn volume_id(name: &str) -> String {
    VolumeId::of(&Name::parse(name).unwrap()).to_string()
}

/// Returns the id that a snapshot of this name has, or would have.
pub fn snapshot_id(name: &str) -> String {
    SnapshotId::of(&Name::parse(name).unwrap()).to_string()
}

/// Returns the id that a group snapshot of this name has, or would have: an id is computed from the name alone.
pub fn group_id(name: &str) -> String {
    snapshot_id(name).replacen("s-", "g-", 1)
}

// === impl Choices ===

impl<'a> Choices<'a> {
    /// Returns the choices; paths in requests are below the room.
    pub fn new(bytes: &'a [u8], room: &'a Path) -> Self {
        Self { bytes, room }
    }

    /// Returns a request to any of the RPCs.
    pub fn any(&mut self) -> Any {
        let rpc = &RPCS[self.below(RPCS.len())];
        let message = self.message(&rpc.input, 0);
        let shown = format!("{} {message:?}", rpc.path);
        let bytes = self.damaged(message.encode_to_vec());
        Any { path: &rpc.path, shown, bytes }
    }

    fn below(&mut self, limit: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn text(&mut self, field: &str) -> String {
        // A request gets behind its first check only with ids and paths that fit, so mostly they do.
        match (self.below(4), field) {
            (0, _) => self.any_text(),
            (_, "volume_id" | "source_volume_id" | "source_volume_ids") => {
                volume_id(self.of(&NAMES))
            }
            (_, "group_snapshot_id") => group_id(self.of(&NAMES)),
            (_, "snapshot_id" | "snapshot_ids" | "base_snapshot_id" | "target_snapshot_id") => {
                match self.below(4) {
                    0 => format!("{}-{}", group_id(self.of(&NAMES)), self.below(3)),
                    _ => snapshot_id(self.of(&NAMES)),
                }
            }
            (_, "name") => self.of(&NAMES).to_owned(),
            (_, "node_id") => "n1".to_owned(),
            (_, "fs_type") => self.of(&["", "xfs", "ext4", "btrfs"]).to_owned(),
            (_, "mount_flags") => self.of(&["noatime", "ro", "nosuch", "sb=1"]).to_owned(),
            (_, path) if path.ends_with("_path") => {
                self.room.join(self.of(&["a", "b", "file", "b/deep"])).display().to_string()
            }
            _ => self.any_text(),
        }
    }

    fn any_text(&mut self) -> String {
        match self.below(TEXTS.len() + 3) {
            0 => "x".repeat(200),
            1 => volume_id("a"),
            2 => self.room.join(TEXTS[1 + self.below(5)]).display().to_string(),
            known => TEXTS[known - 3].to_owned(),
        }
    }

    fn pair(&mut self) -> (MapKey, Value) {
        let (key, value) = if self.below(3) == 0 {
            (self.any_text(), self.any_text())
        } else {
            let (key, value) = self.of(&PAIRS);
            (key.to_owned(), value.to_owned())
        };
        (MapKey::String(key), Value::String(value))
    }

    fn scalar(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        match field.kind() {
            Kind::Bool => Value::Bool(self.below(2) == 1),
            Kind::Int32 => Value::I32(i32::try_from(self.of(&NUMBERS)).unwrap_or(i32::MIN)),
            Kind::Int64 => Value::I64(self.of(&NUMBERS)),
            Kind::Enum(_) => Value::EnumNumber(i32::try_from(self.below(12)).unwrap()),
            Kind::Message(message) => Value::Message(self.message(&message, depth + 1)),
            _ => Value::String(self.text(field.name())),
        }
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        if field.is_map() {
            return Value::Map((0..self.below(3)).map(|_| self.pair()).collect());
        }
        if field.is_list() {
            return Value::List((0..self.below(3)).map(|_| self.scalar(field, depth)).collect());
        }
        self.scalar(field, depth)
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

    /// Returns the message, now and then in a form that no program of good will sends.
    fn damaged(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.below(256) % (bytes.len() + 1);
        match self.below(DAMAGE) {
            1 => bytes.truncate(at),
            2 => bytes.insert(at, u8::try_from(self.below(256)).unwrap()),
            3 if at < bytes.len() => bytes[at] ^= 0x80,
            4 => bytes = self.bytes.to_vec(),
            _ => {}
        }
        bytes
    }
}
