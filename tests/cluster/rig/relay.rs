//! A way to the API server that a test can cut: for one client, while all others go on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::cluster::ADDRESS;

/// A port that leads to the API server.
#[derive(Debug)]
pub(crate) struct Relay {
    address: String,
    ways: Arc<Mutex<Ways>>,
}

#[derive(Debug, Default)]
struct Ways {
    shut: bool,
    ended: bool,
    open: Vec<TcpStream>,
    /// How many connections there were.
    led: usize,
    /// Whether the connections that are open are hushed.
    hushed: Arc<AtomicBool>,
}

// === impl Relay ===

impl Relay {
    /// Starts one in the network of the calling thread.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ways: Arc<Mutex<Ways>> = Arc::default();
        let shared = Arc::clone(&ways);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.lock().unwrap().ended {
                    return;
                }
                // Without the server there is nothing to lead to, and the client is hung up on.
                drop(TcpStream::connect(ADDRESS).map(|server| lead(&shared, &client, &server)));
            }
        });
        Self { address, ways }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns how many connections there were.
    pub(crate) fn led(&self) -> usize {
        self.ways.lock().unwrap().led
    }

    /// Cuts every connection. A new one is let through.
    pub(crate) fn cut(&self) {
        self.ways.lock().unwrap().cut();
    }

    /// From now on nothing that the server says comes through on the connections that are open, nor does anybody notice
    /// but by the silence. A new one is let through.
    pub(crate) fn hush(&self) {
        let mut ways = self.ways.lock().unwrap();
        std::mem::take(&mut ways.hushed).store(true, Ordering::Relaxed);
    }

    /// Cuts every connection, and each new one, until it is opened again.
    pub(crate) fn shut(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.shut = true;
        ways.cut();
    }

    pub(crate) fn open(&self) {
        self.ways.lock().unwrap().shut = false;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ways.lock().unwrap().ended = true;
        self.cut();
        // The thread waits for somebody; it would keep the network.
        drop(TcpStream::connect(&self.address));
    }
}

// === impl Ways ===

impl Ways {
    fn cut(&mut self) {
        for end in self.open.drain(..) {
            // It may have ended by itself.
            drop(end.shutdown(Shutdown::Both));
        }
    }
}

fn lead(ways: &Mutex<Ways>, client: &TcpStream, server: &TcpStream) {
    let mut ways = ways.lock().unwrap();
    if ways.shut {
        return;
    }
    ways.led += 1;
    let never = Arc::default();
    for (from, to, hushed) in [(client, server, &never), (server, client, &ways.hushed.clone())] {
        from.set_nodelay(true).unwrap();
        ways.open.push(from.try_clone().unwrap());
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let hushed = Arc::clone(hushed);
        thread::spawn(move || {
            drop(pass_on(&from, &to, &hushed));
            drop(to.shutdown(Shutdown::Write));
        });
    }
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream, hushed: &AtomicBool) -> std::io::Result<()> {
    let mut said = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut said)?;
        if length == 0 {
            return Ok(());
        }
        if !hushed.load(Ordering::Relaxed) {
            to.write_all(&said[..length])?;
        }
    }
}
