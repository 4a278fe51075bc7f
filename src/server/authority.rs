//! Lets clients in that call their server by the path of its socket.
//!
//! Kubelet does when it asks a plugin who it is: its `:authority` is that path with every slash escaped, and the HTTP/2
//! server takes that for a malformed host and ends the call. On a Unix socket the name means nothing. So it is replaced
//! in the frames that bring it; everything else passes as it came.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use loona_hpack::{Decoder, Encoder};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tonic::transport::server::{Connected, UdsConnectInfo};

/// What every client sends first.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// The length, the kind, the flags and the stream of a frame.
const HEAD: usize = 9;

/// A frame is no longer than this where nobody has agreed on more, and no headers that are meant are.
const LONGEST: usize = 16 << 10;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

const AUTHORITY: &[u8] = b":authority";
const LOCALHOST: &[u8] = b"localhost";

/// A connection whose client may call the server by any name.
pub(super) struct AnyAuthority {
    stream: UnixStream,
    renaming: Renaming,
    /// What was renamed and is to be read, and how much of it was.
    ready: Vec<u8>,
    read: usize,
}

/// Replaces the name in what a client sends.
struct Renaming {
    /// How much of the preface is still to come.
    preface: usize,
    /// The beginning of a frame.
    begun: Vec<u8>,
    /// Headers of which more is to come.
    headers: Option<Headers>,
    decoder: Decoder<'static>,
    encoder: Encoder<'static>,
}

/// The headers of a call, as far as they have come.
struct Headers {
    /// Those of the flags that hold for all of them.
    flags: u8,
    stream: [u8; 4],
    block: Vec<u8>,
}

// === impl AnyAuthority ===

impl AnyAuthority {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, renaming: Renaming::new(), ready: Vec::new(), read: 0 }
    }
}

impl AsyncRead for AnyAuthority {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(rest) = this.ready.get(this.read..).filter(|rest| !rest.is_empty()) {
                let (now, _) = rest.split_at(rest.len().min(buf.remaining()));
                buf.put_slice(now);
                this.read += now.len();
                return Poll::Ready(Ok(()));
            }
            (this.read, this.ready) = (0, Vec::new());
            let mut came = [0; 4096];
            let mut came = ReadBuf::new(&mut came);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut came))?;
            if came.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.renaming.take(came.filled(), &mut this.ready)?;
        }
    }
}

impl AsyncWrite for AnyAuthority {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl Connected for AnyAuthority {
    type ConnectInfo = UdsConnectInfo;

    fn connect_info(&self) -> UdsConnectInfo {
        self.stream.connect_info()
    }
}

// === impl Renaming ===

impl Renaming {
    fn new() -> Self {
        Self {
            preface: PREFACE,
            begun: Vec::new(),
            headers: None,
            decoder: Decoder::new(),
            encoder: Encoder::new(),
        }
    }

    /// Takes what came, and adds what the server is to read.
    fn take(&mut self, came: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let (preface, came) = came.split_at(came.len().min(self.preface));
        self.preface -= preface.len();
        out.extend(preface);
        self.begun.extend(came);
        while let Some((head, payload)) = frame(&self.begun)? {
            let length = HEAD + payload.len();
            let [.., kind, flags, a, b, c, d] = head;
            let stream = [a, b, c, d];
            match kind {
                HEADERS => {
                    let block = block(flags, payload)?.to_vec();
                    let headers = Headers { flags: flags & END_STREAM, stream, block };
                    self.headers = Some(headers);
                }
                CONTINUATION => {
                    let headers = self.headers.as_mut().ok_or_else(malformed)?;
                    headers.block.extend(payload);
                }
                _ => out.extend(self.begun.get(..length).unwrap_or_default()),
            }
            self.begun.drain(..length);
            if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
                self.rename(out)?;
            }
        }
        Ok(())
    }

    /// Adds the headers that are whole now, with the other name, as one frame.
    fn rename(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let Headers { flags, stream, block } = self.headers.take().ok_or_else(malformed)?;
        let mut fields = self.decoder.decode(&block).ok().ok_or_else(malformed)?;
        for (name, value) in &mut fields {
            if name == AUTHORITY {
                *value = LOCALHOST.to_vec();
            }
        }
        let fields = fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let block = self.encoder.encode(fields);
        let length = u32::try_from(block.len()).ok().ok_or_else(malformed)?;
        if block.len() > LONGEST {
            return Err(malformed());
        }
        let [_, length @ ..] = length.to_be_bytes();
        out.extend(length);
        out.extend([HEADERS, flags | END_HEADERS]);
        out.extend(stream);
        out.extend(block);
        Ok(())
    }
}

/// Returns the head and the payload of the first frame, if it is whole.
fn frame(bytes: &[u8]) -> io::Result<Option<([u8; HEAD], &[u8])>> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
    let [a, b, c, ..] = *head;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok().ok_or_else(malformed)?;
    if length > LONGEST {
        return Err(malformed());
    }
    Ok(rest.get(..length).map(|payload| (*head, payload)))
}

/// Returns the block of headers in the payload of a frame, without what else may be in there.
fn block(flags: u8, payload: &[u8]) -> io::Result<&[u8]> {
    let (padding, rest) = if flags & PADDED == 0 {
        (0, payload)
    } else {
        let (padding, rest) = payload.split_first().ok_or_else(malformed)?;
        (usize::from(*padding), rest)
    };
    let begin = if flags & PRIORITY == 0 { 0 } else { 5 };
    let end = rest.len().checked_sub(padding).ok_or_else(malformed)?;
    rest.get(begin..end).ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "what the client sends is no HTTP/2, or too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_PATH: &[u8] = b"%2Fvar%2Flib%2Fkubelet%2Fplugins_registry%2Fcsi.orlop.dev-reg.sock";

    fn framed(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &[0, 0, 0, 1], payload].concat()
    }

    fn call<'a>() -> Vec<(&'a [u8], &'a [u8])> {
        vec![(b":method", b"POST"), (AUTHORITY, BY_PATH), (b"te", b"trailers")]
    }

    /// Gives the bytes to it in pieces of this length, and returns what comes out.
    fn renamed(renaming: &mut Renaming, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        bytes.chunks(piece).for_each(|piece| renaming.take(piece, &mut out).unwrap());
        out
    }

    #[test]
    fn the_name_is_replaced_and_nothing_else_however_the_bytes_come() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let (settings, data) = (framed(4, 0, &[]), framed(0, END_STREAM, b"\0\0\0\0\0"));
        for piece in [1, 7, 4096] {
            let (mut client, mut server) = (Encoder::new(), Decoder::new());
            let mut renaming = Renaming::new();
            assert_eq!(renamed(&mut renaming, preface, piece), preface);
            assert_eq!(renamed(&mut renaming, &settings, piece), settings);
            // The second call refers to what was in the first one; it is padded and comes in two frames.
            let whole = framed(HEADERS, END_HEADERS, &client.encode(call()));
            let block = client.encode(call());
            let (begin, end) = block.split_at(2);
            let padded = [&[3, 0, 0, 0, 0, 9], begin, &[0, 0, 0]].concat();
            let in_two = [
                framed(HEADERS, PADDED | PRIORITY | END_STREAM, &padded),
                framed(CONTINUATION, END_HEADERS, end),
            ];
            for (sent, flags) in [(whole, END_HEADERS), (in_two.concat(), END_HEADERS | END_STREAM)]
            {
                let out = renamed(&mut renaming, &sent, piece);
                let (head, payload) = frame(&out).unwrap().unwrap();
                assert_eq!((head[3], head[4], &head[5..]), (HEADERS, flags, &[0, 0, 0, 1][..]));
                let mut expected = call();
                expected[1].1 = LOCALHOST;
                let found = server.decode(payload).unwrap();
                let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
                assert_eq!(found, expected);
                assert_eq!(out.len(), HEAD + payload.len());
                assert_eq!(renamed(&mut renaming, &data, piece), data);
            }
        }
    }

    #[test]
    fn what_is_no_http2_ends_the_connection() {
        for wrong in [
            framed(CONTINUATION, END_HEADERS, &[]),
            framed(HEADERS, PADDED, &[9]),
            framed(HEADERS, END_HEADERS, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            vec![0xff; HEAD],
        ] {
            let mut renaming = Renaming { preface: 0, ..Renaming::new() };
            assert!(renaming.take(&wrong, &mut Vec::new()).is_err(), "{wrong:?}");
        }
    }
}
