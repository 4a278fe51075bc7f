//! CreateVolume: an empty volume, a restored snapshot or a clone.

use super::{Settings, volume_to_csi};
use crate::backend::{Pool, placement};
use crate::csi::v1;
use crate::error::{Error, Noun, Result};
use crate::locks::Guard;
use crate::rpc::record_volume;
use crate::volume::{
    Asked, BlockSize, Bytes, Capability, Content, FsType, Limits, LimitsChange, Name, NewVolume,
    Parameters, Requirement, SizeLimits, Source, Volume, VolumeId,
};

/// A request, parsed.
struct Wish {
    id: VolumeId,
    name: Name,
    required: Requirement,
    asked: Asked,
    capabilities: Vec<Capability>,
    parameters: Parameters,
    limits: Limits,
    source: Option<Source>,
}

/// What a copy takes over from its source.
struct Origin {
    pool: Pool,
    size: Bytes,
    content: Content,
    block_size: BlockSize,
}

pub(super) async fn create_volume(
    settings: &Settings,
    request: v1::CreateVolumeRequest,
) -> Result<v1::CreateVolumeResponse> {
    let wish = Wish::parse(&request)?;
    record_volume(&wish.id);
    let meant = settings.pools.meant(wish.parameters.pool.as_deref()).await?;

    let _guard = settings.locks.try_lock(&wish.id)?;
    let (pool, volume) = match settings.pools.find_or_make(&wish.id).await? {
        Some((home, found)) => wish.recognize(&meant, home, found)?,
        None => wish.make(settings, &meant).await?,
    };
    Ok(v1::CreateVolumeResponse { volume: Some(volume_to_csi(&pool, &volume)) })
}

// === impl Wish ===

impl Wish {
    fn parse(request: &v1::CreateVolumeRequest) -> Result<Self> {
        let name = Name::parse(&request.name)?;
        let limits = LimitsChange::parse(&request.mutable_parameters)?;
        Ok(Self {
            id: VolumeId::of(&name),
            name,
            required: Requirement::of_csi(request.accessibility_requirements.as_ref())?,
            asked: Asked::of_csi(request.capacity_range.as_ref())?,
            capabilities: Capability::required_list(&request.volume_capabilities)?,
            parameters: Parameters::parse(&request.parameters)?,
            limits: Limits::NONE.changed(&limits),
            source: request.volume_content_source.as_ref().map(Source::of_csi).transpose()?,
        })
    }

    /// Returns the volume that exists under the id, if it is the one that is wished for.
    ///
    /// The source is not looked at: it may be gone since, and the repeat of an answered call is still answered.
    fn recognize(&self, meant: &str, home: Pool, found: Volume) -> Result<(Pool, Volume)> {
        home.satisfies(&self.required)?;
        let how = if *home.name == *meant {
            self.difference(&found)
        } else {
            Some(format!("in pool {}, not {meant}", home.name))
        };
        match how {
            Some(how) => Err(Error::Differs { what: Noun::Volume, id: found.id.to_string(), how }),
            None => Ok((home, found)),
        }
    }

    /// Returns in what the volume differs from the wish.
    ///
    /// Its size is compared with what was asked at first and with what it is now: a volume that was expanded
    /// since is still the answer to its first request.
    fn difference(&self, found: &Volume) -> Option<String> {
        if self.name != found.name {
            return Some(format!("under the name {}", found.name));
        }
        if let Some(how) =
            self.capabilities.iter().find_map(|wanted| wanted.mismatch(found.content))
        {
            return Some(how);
        }
        if self.source != found.source {
            let [has, wanted] =
                [&found.source, &self.source].map(|source| made_from(source.as_ref()));
            return Some(format!("made {has}, not {wanted}"));
        }
        // A copy has the block size of its source whatever the class leaves open.
        let default = found.source.is_none().then(BlockSize::default);
        let block_size = self.parameters.block_size.or(default);
        if let Some(wanted) = block_size.filter(|wanted| *wanted != found.block_size) {
            return Some(format!("with {} blocks, not {wanted}", found.block_size));
        }
        if self.limits != found.asked_limits {
            return Some(format!("with {}, not {}", found.asked_limits, self.limits));
        }
        let same_size = self.asked == found.asked || self.asked.fits(found.size);
        (!same_size).then(|| format!("with a size of {}, not {}", found.size, self.asked))
    }

    async fn make(self, settings: &Settings, meant: &str) -> Result<(Pool, Volume)> {
        let (origin, _source_guard) = match &self.source {
            Some(source) => {
                let (origin, guard) = find_origin(settings, source).await?;
                self.fits_origin(meant, &origin)?;
                (Some(origin), guard)
            }
            None => (None, None),
        };
        let pool = self.choose(settings, meant, origin.as_ref()).await?;
        let content = if let Some(origin) = &origin {
            origin.content
        } else {
            let xfs = pool.backend.least_size(Content::FileSystem(FsType::Xfs));
            let size = self.asked.required.or(self.asked.limit).unwrap_or(settings.default_size);
            Capability::content(&self.capabilities, size, xfs)?
        };
        let size = self.asked.choose(SizeLimits {
            least: pool.backend.least_size(content),
            source: origin.as_ref().map(|origin| origin.size),
            default: settings.default_size,
        })?;
        let block_size = origin.map(|origin| origin.block_size).or(self.parameters.block_size);
        let Self { id, name, asked, limits, source, .. } = self;
        let block_size = block_size.unwrap_or_default();
        let new = NewVolume { id, name, size, asked, content, block_size, limits, source };
        let volume = pool.backend.create(&new).await?.into_inner();
        Ok((pool, volume))
    }

    async fn choose(
        &self,
        settings: &Settings,
        pool: &str,
        origin: Option<&Origin>,
    ) -> Result<Pool> {
        let size = self.asked.start(origin.map(|origin| origin.size), settings.default_size);
        let home = origin.map(|origin| &origin.pool);
        let (required, placement) = (&self.required, self.parameters.placement);
        let wish = placement::Wish { pool, size, required, home, placement };
        settings.pools.choose(&wish).await
    }

    /// Checks that the source can become what is wished for.
    fn fits_origin(&self, meant: &str, origin: &Origin) -> Result<()> {
        let differs = |reason| Err(Error::invalid("volume_content_source", reason));
        let its = &origin.pool.name;
        if **its != *meant {
            return differs(format!("is in pool {its}; a copy in pool {meant} cannot be made"));
        }
        let how = self.capabilities.iter().find_map(|wanted| wanted.mismatch(origin.content));
        if let Some(how) = how {
            return differs(format!("cannot serve the capability: {how}"));
        }
        match self.parameters.block_size {
            Some(wanted) if wanted != origin.block_size => differs(format!(
                "has {} blocks; a copy cannot have {wanted} ones",
                origin.block_size
            )),
            _ => Ok(()),
        }
    }
}

/// Returns what a copy takes over, and the lock of a source that can change.
async fn find_origin(settings: &Settings, source: &Source) -> Result<(Origin, Option<Guard>)> {
    match source {
        // A snapshot never changes, and deleting it leaves what is being read: any number may be restored at once.
        Source::Snapshot(id) => {
            let found = settings.pools.find_snapshot(id).await?;
            let (pool, snapshot) = found.ok_or_else(|| Error::no_snapshot(id))?;
            let (size, content, block_size) =
                (snapshot.size, snapshot.content, snapshot.block_size);
            Ok((Origin { pool, size, content, block_size }, None))
        }
        Source::Volume(id) => {
            let guard = settings.locks.try_lock(id)?;
            let (pool, volume) = settings.pools.volume(id).await?;
            let (size, content, block_size) = (volume.size, volume.content, volume.block_size);
            Ok((Origin { pool, size, content, block_size }, Some(guard)))
        }
    }
}

fn made_from(source: Option<&Source>) -> String {
    source.map_or_else(|| "empty".to_owned(), |source| format!("from {source}"))
}
