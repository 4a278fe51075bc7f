//! GetMetadataAllocated and GetMetadataDelta: which blocks of a snapshot hold data, and which changed since another.
//!
//! A message is made when the client has room for it, from parts that the pool is asked for one at a time. Nothing
//! is held meanwhile, so a client may read as slowly as it likes. Only a stream that ends with OK is whole: an
//! error of the pool in the middle is the stream's last word.

use std::collections::VecDeque;
use std::ops::Range;

use futures_util::stream::try_unfold;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, async_trait};

use super::{Controller, Reply, Settings};
use crate::backend::Pool;
use crate::csi::v1;
use crate::csi::v1::snapshot_metadata_server::SnapshotMetadata;
use crate::error::{Error, Result};
use crate::rpc::{Method, answer, record_volume};
use crate::volume::{Bytes, Snapshot, SnapshotId};

/// As many ranges as a message has at most: some 60 KiB, far below what a client accepts.
const MOST_IN_A_MESSAGE: usize = 4096;

/// What is still to be told.
#[derive(Debug)]
struct Survey {
    pool: Pool,
    /// Without one, everything that was written is told.
    base: Option<Snapshot>,
    target: Snapshot,
    /// Where the next part of the pool's answer begins; nothing when there is no more.
    next: Option<u64>,
    /// What the pool has told and the client has not got. The last range may go on in the next part.
    waiting: VecDeque<Range<u64>>,
    /// How many ranges go into a message.
    most: usize,
}

#[async_trait]
impl SnapshotMetadata for Controller {
    async fn get_metadata_allocated(
        &self,
        request: Request<v1::GetMetadataAllocatedRequest>,
    ) -> Reply<BoxStream<v1::GetMetadataAllocatedResponse>> {
        let survey = allocated(&self.shared, request.into_inner()).await;
        stream(Method::GetMetadataAllocated, survey, |volume_capacity_bytes, block_metadata| {
            v1::GetMetadataAllocatedResponse {
                block_metadata_type: v1::BlockMetadataType::VariableLength.into(),
                volume_capacity_bytes,
                block_metadata,
            }
        })
    }

    async fn get_metadata_delta(
        &self,
        request: Request<v1::GetMetadataDeltaRequest>,
    ) -> Reply<BoxStream<v1::GetMetadataDeltaResponse>> {
        let survey = delta(&self.shared, request.into_inner()).await;
        stream(Method::GetMetadataDelta, survey, |volume_capacity_bytes, block_metadata| {
            v1::GetMetadataDeltaResponse {
                block_metadata_type: v1::BlockMetadataType::VariableLength.into(),
                volume_capacity_bytes,
                block_metadata,
            }
        })
    }
}

async fn allocated(
    settings: &Settings,
    request: v1::GetMetadataAllocatedRequest,
) -> Result<Survey> {
    let most = most(request.max_results)?;
    let id = required("snapshot_id", &request.snapshot_id)?;
    record_volume(&id);
    let (pool, target) = settings.pools.snapshot(&id).await?;
    Survey::new(pool, None, target, request.starting_offset, most)
}

async fn delta(settings: &Settings, request: v1::GetMetadataDeltaRequest) -> Result<Survey> {
    let most = most(request.max_results)?;
    let base = required("base_snapshot_id", &request.base_snapshot_id)?;
    let target = required("target_snapshot_id", &request.target_snapshot_id)?;
    record_volume(&target);
    let (base_pool, base) = settings.pools.snapshot(&base).await?;
    let (pool, target) = settings.pools.snapshot(&target).await?;
    check_pair(&base, &target)?;
    if !base_pool.is(&pool) {
        return Err(Error::unfit(format!(
            "snapshot {} is in {base_pool} and {} in {pool}, which cannot be compared: make a full backup",
            base.id, target.id
        )));
    }
    Survey::new(pool, Some(base), target, request.starting_offset, most)
}

fn required(field: &'static str, id: &str) -> Result<SnapshotId> {
    if id.is_empty() {
        return Err(Error::invalid(field, "is required"));
    }
    SnapshotId::required(id)
}

fn most(max_results: i32) -> Result<usize> {
    let asked = usize::try_from(max_results).ok().ok_or_else(|| {
        Error::invalid("max_results", format!("is {max_results}; give 0, or how many"))
    })?;
    Ok(if asked == 0 { MOST_IN_A_MESSAGE } else { asked.min(MOST_IN_A_MESSAGE) })
}

fn check_pair(base: &Snapshot, target: &Snapshot) -> Result<()> {
    let wrong = |reason| Err(Error::invalid("base_snapshot_id", reason));
    if base.source != target.source {
        return wrong(format!(
            "snapshot {} is of volume {}, but {} is of volume {}: name two snapshots of one volume",
            base.id, base.source, target.id, target.source
        ));
    }
    if base.id == target.id || base.created > target.created {
        return wrong(format!(
            "snapshot {} is not older than {}: the base is the earlier one of the two",
            base.id, target.id
        ));
    }
    Ok(())
}

/// Answers with a stream of messages, each of which repeats the capacity.
fn stream<M: Send + 'static>(
    method: Method,
    survey: Result<Survey>,
    message: impl Fn(i64, Vec<v1::BlockMetadata>) -> M + Copy + Send + 'static,
) -> Reply<BoxStream<M>> {
    let survey = answer(method, survey)?.into_inner();
    let capacity = survey.target.size.to_csi();
    let messages = try_unfold(survey, move |mut survey| async move {
        let ranges = answer(method, survey.message().await)?.into_inner();
        Ok(ranges.map(|ranges| (message(capacity, ranges), survey)))
    });
    Ok(Response::new(Box::pin(messages)))
}

// === impl Survey ===

impl Survey {
    fn new(
        pool: Pool,
        base: Option<Snapshot>,
        target: Snapshot,
        starting_offset: i64,
        most: usize,
    ) -> Result<Self> {
        pool.changes()?;
        let outside = || Error::OutOfRange {
            reason: format!(
                "starting_offset {starting_offset} is outside of snapshot {}, which has {} bytes",
                target.id, target.size.0
            ),
        };
        let start = u64::try_from(starting_offset).ok().filter(|start| *start <= target.size.0);
        let next = Some(start.ok_or_else(outside)?);
        Ok(Self { pool, base, target, next, waiting: VecDeque::new(), most })
    }

    /// Returns the next message's ranges, or nothing when all was told.
    async fn message(&mut self) -> Result<Option<Vec<v1::BlockMetadata>>> {
        // One more than goes into the message: what is followed by another range does not go on.
        while self.waiting.len() <= self.most
            && let Some(from) = self.next
        {
            self.ask(from).await?;
        }
        let count = self.waiting.len().min(self.most);
        let ranges: Vec<_> = self.waiting.drain(..count).map(to_csi).collect();
        Ok((!ranges.is_empty()).then_some(ranges))
    }

    async fn ask(&mut self, from: u64) -> Result<()> {
        let changes = self.pool.changes()?;
        let part = match &self.base {
            Some(base) => changes.delta(base, &self.target, from).await?,
            None => changes.allocated(&self.target, from).await?,
        };
        self.next = part.next;
        for range in part.ranges {
            match self.waiting.back_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => self.waiting.push_back(range),
            }
        }
        Ok(())
    }
}

fn to_csi(Range { start, end }: Range<u64>) -> v1::BlockMetadata {
    v1::BlockMetadata {
        byte_offset: Bytes(start).to_csi(),
        size_bytes: Bytes(end - start).to_csi(),
    }
}
