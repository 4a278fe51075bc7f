//! A node fulfils what is wished for its pools, and nothing else. The tests write the wishes themselves.

mod copies;
mod orphans;
mod pools;
pub(crate) mod site;
mod volumes;
