//! Stands between the program and a server, byte by byte, and spoils connections as a test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    Pass,
    /// Broken at once.
    Reset,
    /// Accepted, read, and never answered: the other side is gone and nobody says so.
    HalfOpen,
    /// Requests arrive, answers do not; broken when the mode changes.
    LoseAnswers,
    /// Broken after so many bytes of requests, which arrive.
    CutAfter(u64),
    /// Answers come so much later.
    Late(Duration),
}

/// A proxy on a free port, for as long as the test's runtime lasts.
pub struct Proxy {
    pub url: String,
    mode: watch::Sender<Mode>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    requested: AtomicU64,
    lost: AtomicU64,
}

impl Proxy {
    /// In front of `url`, which is plain HTTP.
    pub async fn start(url: &str, mode: Mode) -> Proxy {
        let target: SocketAddr = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (mode, modes) = watch::channel(mode);
        let seen = Arc::new(Seen::default());
        let counting = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counting.connections.fetch_add(1, SeqCst);
                tokio::spawn(serve(client, target, modes.clone(), Arc::clone(&counting)));
            }
        });
        Proxy { url, mode, seen }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub fn connections(&self) -> u64 {
        self.seen.connections.load(SeqCst)
    }

    /// Bytes of requests that were passed on.
    pub fn requested(&self) -> u64 {
        self.seen.requested.load(SeqCst)
    }

    /// Answers that were lost, or late.
    pub fn lost(&self) -> u64 {
        self.seen.lost.load(SeqCst)
    }
}

async fn serve(client: TcpStream, target: SocketAddr, mut modes: watch::Receiver<Mode>, seen: Arc<Seen>) {
    let mode = *modes.borrow_and_update();
    // A reset, and no orderly end.
    let broken = |client: &TcpStream| client.set_zero_linger().unwrap();
    match mode {
        Mode::Reset => return broken(&client),
        Mode::HalfOpen => {
            // Nothing is read either, so that it does not even see the other side go.
            let _ = modes.changed().await;
            return broken(&client);
        }
        _ => {}
    }
    let Ok(server) = TcpStream::connect(target).await else { return broken(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut own = modes.clone();
    let requests = async {
        let mut buffer = vec![0; 64 << 10];
        let mut passed = 0;
        loop {
            let length = from_client.read(&mut buffer).await.unwrap_or(0);
            let mode = *own.borrow_and_update();
            if length == 0 || matches!(mode, Mode::Reset) {
                return;
            }
            if mode == Mode::HalfOpen {
                let _ = own.changed().await;
                return;
            }
            let most = if let Mode::CutAfter(most) = mode { most } else { u64::MAX };
            let length = length.min(usize::try_from(most.saturating_sub(passed)).unwrap_or(usize::MAX));
            if to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            passed += length as u64;
            seen.requested.fetch_add(length as u64, SeqCst);
            if passed >= most {
                return;
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = from_server.read(&mut buffer).await.unwrap_or(0);
            let mode = *modes.borrow_and_update();
            match mode {
                _ if length == 0 => return,
                Mode::LoseAnswers | Mode::HalfOpen => {
                    seen.lost.fetch_add(1, SeqCst);
                    let _ = modes.changed().await;
                    return;
                }
                Mode::Late(pause) => {
                    seen.lost.fetch_add(1, SeqCst);
                    tokio::time::sleep(pause).await;
                }
                _ => {}
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
    if let Ok(client) = from_client.reunite(to_client) {
        broken(&client);
    }
}
