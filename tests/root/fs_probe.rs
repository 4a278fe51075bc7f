//! What is on a device that somebody gives us.

use orlop::fs::probe::signature;
use orlop::fs::{self, Format};
use orlop::volume::FsType;

use crate::support::{Image, MIB, block_on, in_mount_namespace, no_lock};

#[test]
fn a_blank_device_has_none_and_each_file_system_its_own() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 400 * MIB);
    let attached = image.attach();
    assert_eq!(block_on(signature(&attached.device.path)).unwrap(), None);
    drop(attached);
    for fs in FsType::ALL {
        let image = Image::create(dir.path(), fs.as_str(), 400 * MIB);
        block_on(fs::format(image.path(), no_lock(), Format { fs, uuid: None, thin: false }))
            .unwrap();
        assert_eq!(block_on(signature(image.path())).unwrap().as_deref(), Some(fs.as_str()));
    }
}

#[test]
fn what_cannot_be_looked_at_is_an_error_and_not_blank() {
    in_mount_namespace();
    let missing = block_on(signature("/nonexistent".as_ref()));
    assert!(missing.is_err(), "{missing:?}");
}
