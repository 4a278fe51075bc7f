//! A volume as most tests want one.

use orlop::volume::{Asked, BlockSize, Bytes, Content, FsType, Limits, Name, NewVolume, VolumeId};

/// Returns the wish for a volume of this name.
pub(crate) fn wanted(name: Name) -> NewVolume {
    NewVolume {
        id: VolumeId::of(&name),
        name,
        size: Bytes::gib(1),
        asked: Asked { required: Some(Bytes::gib(1)), limit: None },
        content: Content::FileSystem(FsType::Xfs),
        block_size: BlockSize::B4096,
        limits: Limits::NONE,
        source: None,
    }
}
