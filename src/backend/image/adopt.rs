//! Gives a pool to this node: what `orlop adopt` does.

use super::ImagePool;
use super::error::{Error, Result};
use super::identity::Identity;
use super::open::own;
use super::place::{self, Located};
use super::settings::Settings;
use crate::sys::beneath::Dir;
use crate::sys::blocking;

impl ImagePool {
    /// Makes this node the one that the pool belongs to, and returns the one it belonged to before.
    ///
    /// No driver may be using the pool; a pool that was never made is an error.
    pub async fn adopt(settings: Settings) -> crate::error::Result<String> {
        Ok(adopt(settings).await?)
    }
}

async fn adopt(settings: Settings) -> Result<String> {
    // To prepare a place where nothing is would make a new pool.
    if !place::is_made(&settings).await? {
        return Err(Error::unfit(format!(
            "there is no {} yet, and nothing to adopt",
            settings.place_name()
        )));
    }
    let located = place::prepare(&settings, Identity::check_name).await?;
    blocking(move || {
        let before = take(&settings, &located);
        if before.is_err() {
            located.take_back();
        }
        before
    })
    .await
}

fn take(settings: &Settings, located: &Located) -> Result<String> {
    let root = Dir::open(&located.root)?;
    let _owner = own(&root, settings)?;
    let never = || Error::unfit(format!("there is no pool in {}", located.root.display()));
    let mut identity = Identity::read(&root)?.ok_or_else(never)?;
    identity.check_name(settings)?;
    let before = std::mem::replace(&mut identity.node, settings.node.clone());
    if before != settings.node {
        identity.write(&root)?;
    }
    Ok(before)
}
