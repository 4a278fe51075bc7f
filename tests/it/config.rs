//! The config file: what it gives, and that every mistake names its key and line.

mod mistakes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use orlop::backend::image::{Percent, Place, Provisioning, Ratio};
use orlop::config::{Config, Kind, Pool};
use orlop::volume::Bytes;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("orlop.yaml"), text).map_err(|mistake| mistake.to_string())
}

fn pools(config: &Config) -> Vec<(&str, Place, Provisioning)> {
    let image = |pool: &'_ Pool| match &pool.kind {
        Kind::Image(image) => Some((image.place.clone(), image.provisioning)),
        Kind::Memory { .. } => None,
    };
    let pools = config.pools.iter();
    pools
        .filter_map(|pool| image(pool).map(|(place, promise)| (pool.name.as_str(), place, promise)))
        .collect()
}

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "\n", "# nothing yet\n", "{}\n", "nodeId:\ndefaultSize:\npools:\n"] {
        assert_eq!(parse(text).unwrap(), Config::default(), "{text:?}");
    }
    let default = Config::default();
    let place = Place::DefaultAt("/var/lib/orlop".into());
    assert_eq!(pools(&default), [("default", place, Provisioning::Thin(Ratio::whole(10)))]);
    assert_eq!(
        default.admin_socket().unwrap().path(),
        Path::new("/var/lib/orlop/state/admin.sock")
    );
    assert_eq!(
        (default.default_size, default.attach, default.max_volumes_per_node),
        (Bytes::gib(1), None, 0)
    );
    assert_eq!(
        (default.freeze_limit, default.shutdown_grace),
        (Duration::from_secs(5), Duration::from_secs(20))
    );
}

/// A file that has every key.
const FULL: &str = "nodeId: n1
attach: on
maxVolumesPerNode: 3
defaultSize: 2Gi
freezeLimit: 500ms
shutdownGrace: 1m
kubeletRoot: /var/lib/k0s/kubelet/
stateDir: /run/state
requireSharedMounts: true
programDirs: [/opt/bin, /usr/sbin]
pools:
  - {name: fast, kind: image, device: /dev/disk/by-id/x, provisioning: thick, reserve: 3%}
  - {name: bulk, kind: image, path: /srv/x, provisioning: thin, ratio: 1.5, lowWater: 10%, whenFull: fail}
  - name: box
    kind: image
    file: /srv/box.img
    size: 20Gi
  - {name: all-in, kind: image, path: /srv/y, provisioning: thick, shared: accepted}
roles: {volumes: {endpoint: /csi/csi.sock}, config: {maxBytes: 64Mi}, hostpath: {enabled: true, prefixes: [{path: /srv/data, namespaces: [a]}]}}
";

#[test]
fn every_key_is_read() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.node_id.as_ref().unwrap().as_str(), "n1");
    assert_eq!((config.attach, config.max_volumes_per_node), (Some(true), 3));
    assert_eq!(
        (config.default_size, config.freeze_limit),
        (Bytes::gib(2), Duration::from_millis(500))
    );
    assert_eq!(config.shutdown_grace, Duration::from_mins(1));
    assert_eq!(config.kubelet_root, PathBuf::from("/var/lib/k0s/kubelet"));
    assert_eq!(config.program_dirs, Some(vec!["/opt/bin".into(), "/usr/sbin".into()]));
    assert!(config.require_shared_mounts && !config.is_simulated());
    let Kind::Image(fast) = &config.pools[0].kind else { panic!("{:?}", config.pools[0]) };
    assert_eq!(fast.reserve, Percent(3));
    let Kind::Image(bulk) = &config.pools[1].kind else { panic!("{:?}", config.pools[1]) };
    assert_eq!(bulk.low_water, Percent(10));
    assert_eq!(config.roles.volumes.as_ref().unwrap().path(), Path::new("/csi/csi.sock"));
    assert_eq!(config.roles.without_endpoint(), ["scratch", "config", "hostpath"]);
}

#[test]
fn pools_have_a_place_and_a_promise() {
    let directory =
        |path: &str, shared_accepted| Place::Directory { path: path.into(), shared_accepted };
    let image = Place::File { path: "/srv/box.img".into(), size: Bytes::gib(20) };
    let thin = Provisioning::Thin(Ratio::hundredths(150));
    let expected = [
        ("fast", Place::Device("/dev/disk/by-id/x".into()), Provisioning::Thick),
        ("bulk", directory("/srv/x", false), thin),
        ("box", image, Provisioning::Thick),
        ("all-in", directory("/srv/y", true), Provisioning::Thick),
    ];
    assert_eq!(pools(&parse(FULL).unwrap()), expected);
}

#[test]
fn attach_is_a_switch_and_memory_pools_are_a_kind() {
    for (text, expected) in [("on", true), ("off", false), ("true", true), ("false", false)] {
        assert_eq!(parse(&format!("attach: {text}\n")).unwrap().attach, Some(expected), "{text}");
    }
    let config =
        parse("pools: [{name: m, kind: memory, size: 4Gi}, {name: n, kind: memory}]").unwrap();
    assert!(config.is_simulated());
    assert_eq!(config.pools[0].kind, Kind::Memory { size: Bytes::gib(4) });
    assert_eq!(config.pools[1].kind, Kind::Memory { size: Bytes::gib(1024) });
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = Config::read(Path::new("/nonexistent/orlop.yaml")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read the config /nonexistent/orlop.yaml");
}
