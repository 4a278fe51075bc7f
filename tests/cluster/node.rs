//! A node fulfils what is wished for its pools, and nothing else. The tests write the wishes themselves.

mod away;
mod begun;
mod copies;
mod idle;
mod images;
mod kills;
mod orphans;
mod pools;
pub(crate) mod site;
mod together;
mod volumes;
