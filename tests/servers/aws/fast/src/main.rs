//! `aws-fast PORT DATA`: S3, SQS and CloudWatch Logs on one loopback port, held in memory, signatures ignored.
//!
//! Port 0 is any free one; `DATA/ready` holds the port once it answers. Ends when its standard input ends.

mod fault;
mod http;
mod logs;
mod s3;
mod sqs;
mod time;

use http::{Request, Response, Wire};
use serde_json::Value;
use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Default)]
struct Server {
    s3: s3::S3,
    queues: sqs::Queues,
    logs: logs::Logs,
    faults: Mutex<fault::Faults>,
    /// Every call: its operation, and when it came, in microseconds since the start.
    calls: Mutex<Vec<(String, u64)>>,
}

impl Server {
    fn answer(&self, req: &Request) -> (Response, Wire) {
        if req.path == "/_faults" {
            let mut f = self.faults.lock().unwrap();
            if req.method == "PUT" {
                f.set(&serde_json::from_slice(&req.body).unwrap_or_default());
            }
            return (Response::new(200, "application/json", f.show().to_string()), Wire::default());
        }
        if req.path == "/_logs" {
            let v: Value = serde_json::from_slice(&req.body).unwrap_or_default();
            if req.method == "PUT" {
                self.logs.set_manner(&v)
            } else {
                self.logs.make(&v)
            }
            return (Response::new(200, "application/json", "{}"), Wire::default());
        }
        if req.path == "/_calls" {
            let calls = std::mem::take(&mut *self.calls.lock().unwrap());
            return (Response::new(200, "application/json", serde_json::to_vec(&calls).unwrap()), Wire::default());
        }
        let target = req.header("x-amz-target").and_then(|t| t.split_once('.'));
        let op = target.map_or_else(|| s3::operation(req), |(_, op)| op);
        if target.is_some_and(|(service, _)| service.starts_with("Logs_")) {
            self.calls.lock().unwrap().push((op.to_owned(), STARTED.elapsed().as_micros() as u64));
        }
        let Some(hit) = self.faults.lock().unwrap().find(op, req, target.is_some()) else {
            return (self.work(target, op, req), Wire::default());
        };
        let work = if hit.answer.is_none() || hit.after { Some(self.work(target, op, req)) } else { None };
        (hit.answer.or(work).unwrap(), hit.wire)
    }

    fn work(&self, target: Option<(&str, &str)>, op: &str, req: &Request) -> Response {
        let Some((service, _)) = target else {
            return self.s3.handle(op, req, &self.queues);
        };
        let v: Value = serde_json::from_slice(&req.body).unwrap_or_default();
        if service == "AmazonSQS" {
            self.queues.handle(op, &v, req.header("host").unwrap_or("127.0.0.1"))
        } else {
            self.logs.handle(op, &v)
        }
    }

    fn serve(&self, mut out: TcpStream) -> io::Result<()> {
        out.set_nodelay(true)?;
        let mut input = BufReader::new(out.try_clone()?);
        while let Some(req) = http::read_request(&mut input)? {
            let (resp, wire) = self.answer(&req);
            if !http::write_response(&mut out, req.method == "HEAD", &resp, wire)? {
                break;
            }
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(Ok(port)), Some(data)) = (args.next().map(|port| port.parse::<u16>()), args.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: aws-fast PORT DATA"));
    };
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
    let _started = *STARTED;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    std::fs::write(Path::new(&data).join("ready"), format!("{}\n", listener.local_addr()?.port()))?;
    let server = Arc::new(Server::default());
    for stream in listener.incoming() {
        let (server, stream) = (server.clone(), stream?);
        std::thread::Builder::new().stack_size(256 << 10).spawn(move || server.serve(stream))?;
    }
    Ok(())
}
