//! `bench-ends aws PORT DATA FOLDER` and `bench-ends sink PORT DATA`: where a shipper reads from and where it writes to.
//!
//! Both cost next to nothing, so that what is measured is the shipper. Faults are left out: they are for servers of tests.
//! Port 0 is any free one; `DATA/ready` holds the port once it answers. Ends when its standard input ends.
//! The measuring side uses the door `/_bench/`: `fill`, `reset`, `stats`.

mod aws;
mod http;
mod objects;
mod queue;
mod sink;

use std::io;
use std::net::TcpListener;
use std::path::Path;

const USAGE: &str = "usage: bench-ends aws PORT DATA FOLDER | bench-ends sink PORT DATA";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    end_with_standard_input();
    match arguments[..] {
        ["aws", port, data, folder] => {
            let aws = aws::Aws::load(Path::new(folder))?;
            let listener = listen(port, data)?;
            http::serve(&listener, move |request, peer| aws.answer(request, peer))
        }
        ["sink", port, data] => {
            let sink = sink::Sink::default();
            let listener = listen(port, data)?;
            http::serve(&listener, move |request, _| sink.answer(request))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    }
}

/// Listens, and says where in `DATA/ready`.
fn listen(port: &str, data: &str) -> io::Result<TcpListener> {
    let port: u16 = port.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, USAGE))?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let port = listener.local_addr()?.port();
    std::fs::write(Path::new(data).join("ready"), format!("{port}\n"))?;
    Ok(listener)
}

fn end_with_standard_input() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
}
