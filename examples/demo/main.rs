//! `make demo`: the life of a volume, told step by step, through the driver's own socket.
//!
//! Starts `orlop all` on a pool in a temporary directory, does with it what Kubernetes would do, checks every
//! result, and leaves nothing behind. It works in a mount namespace of its own, so that even when it is
//! killed its mounts are gone with it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it tells a story")]

#[path = "../shared/client.rs"]
#[allow(dead_code, reason = "each example uses its part")]
mod client;
#[path = "../shared/driver.rs"]
#[allow(dead_code, reason = "each example uses its part")]
mod driver;
#[path = "../shared/room.rs"]
#[allow(dead_code, reason = "each example uses its part")]
mod room;
mod story;

use std::fs;
use std::path::{Path, PathBuf};

use client::{Client, Source};
use driver::{Driver, Result};
use room::{Room, own_namespace};
use story::Story;

const GIB: u64 = 1 << 30;
const FIRST: &str = "the first draft\n";

fn main() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err("the demo mounts file systems: run it as root (make demo does)".into());
    }
    own_namespace()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let orlop = std::env::args_os().nth(1).map_or_else(beside_this, PathBuf::from);
    runtime.block_on(tell(&orlop))
}

async fn tell(orlop: &Path) -> Result<()> {
    let room = Room::make(&std::env::temp_dir())?;
    let path = |name: &str| room.path().join(name);
    let mut story = Story::begin("a driver, a pool in a 4 GiB file, and a volume's whole life");

    let config = configuration(room.path());
    let start = Driver::start(orlop, room.path(), &config);
    let driver = story.step("start `orlop all`, make the pool", start).await?;
    let client = driver.client();

    let create = client.create("pvc-demo", GIB, Source::Nothing);
    let volume = story.step("create a volume of 1 GiB, XFS", create).await?;
    let mounted = path("pod");
    story.step("stage and publish it", publish(client, &volume, &path("stage"), &mounted)).await?;
    fs::write(mounted.join("letter.txt"), FIRST)?;
    Story::note("wrote letter.txt");

    let snapshot =
        story.step("snapshot it, while mounted", client.snapshot("snap-demo", &volume)).await?;
    fs::write(mounted.join("letter.txt"), "the second draft, a worse one\n")?;
    Story::note("overwrote letter.txt");

    let restore = client.create("pvc-restored", GIB, Source::Snapshot(&snapshot));
    let restored = story.step("restore the snapshot", restore).await?;
    let (old_stage, old) = (path("stage-restored"), path("pod-restored"));
    let finish = publish(client, &restored, &old_stage, &old);
    story.step("stage and publish the copy (its first stage finishes it)", finish).await?;
    let read = fs::read_to_string(old.join("letter.txt"))?;
    check(read == FIRST, "the restored letter is not the first draft")?;
    Story::note("the restored letter.txt is the first draft");

    expand(&mut story, client, &volume, &mounted).await?;

    let clone = client.create("pvc-clone", 2 * GIB, Source::Volume(&volume));
    let clone = story.step("clone the volume, while mounted", clone).await?;

    story
        .step("unpublish and unstage both", async {
            unpublish(client, &volume, &path("stage"), &mounted).await?;
            unpublish(client, &restored, &old_stage, &old).await
        })
        .await?;
    story
        .step("delete the volume, its clone, its snapshot and the copy", async {
            for id in [&volume, &clone, &restored] {
                client.delete(id).await?;
            }
            client.delete_snapshot(&snapshot).await
        })
        .await?;
    check(!mounted.exists() && !old.exists(), "a target path was left behind")?;
    story.step("stop the driver", driver.stop()).await?;
    story.end("nothing is left behind");
    Ok(())
}

async fn expand(story: &mut Story, client: &Client, volume: &str, mounted: &Path) -> Result<()> {
    let before = size_of(mounted)?;
    let expand = client.expand(volume, 2 * GIB, mounted);
    story.step("expand the volume to 2 GiB, online", expand).await?;
    let after = size_of(mounted)?;
    check(after > before, "the file system did not grow")?;
    Story::note(&format!("df: {} MiB before, {} MiB after", before >> 20, after >> 20));
    Ok(())
}

async fn publish(client: &Client, id: &str, staging: &Path, target: &Path) -> Result<()> {
    fs::create_dir_all(staging)?;
    client.stage(id, staging).await?;
    client.publish(id, staging, target).await
}

async fn unpublish(client: &Client, id: &str, staging: &Path, target: &Path) -> Result<()> {
    client.unpublish(id, target).await?;
    client.unstage(id, staging).await
}

fn configuration(room: &Path) -> String {
    let room = room.display();
    format!(
        "nodeId: demo\nstateDir: {room}/state\npools:\n  - {{name: demo, kind: image, file: {room}/pool.img, size: 4Gi, provisioning: thin, ratio: 4}}\n"
    )
}

fn check(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn size_of(path: &Path) -> Result<u64> {
    Ok(orlop::sys::statvfs::usage(path)?.total_bytes)
}

/// The driver that was built beside this example.
fn beside_this() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent().and_then(Path::parent).map(|release| release.join("orlop")).unwrap_or_default()
}
