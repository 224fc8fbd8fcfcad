//! The HTTP/1.1 that the SDKs speak: one thread per connection, keep-alive, Content-Length bodies, and a writer that can break on purpose.

use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

#[derive(Clone)]
pub enum Body {
    Owned(Vec<u8>),
    Shared { data: Arc<Vec<u8>>, from: usize, to: usize },
}

impl Body {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Owned(v) => v,
            Body::Shared { data, from, to } => &data[*from..*to],
        }
    }
}

pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = if content_type.is_empty() { vec![] } else { vec![("content-type".into(), content_type.into())] };
        Response { status, headers, body: Body::Owned(body.into()) }
    }
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// How the bytes of a response are spoilt on their way out.
#[derive(Clone, Copy, Default)]
pub struct Wire {
    /// Stop after this many body bytes although Content-Length promised more.
    pub cut_after: Option<usize>,
    /// End the cut with a TCP reset instead of an orderly close.
    pub reset: bool,
    /// Body bytes per second.
    pub rate: Option<u64>,
    pub delay: Duration,
    /// Seconds added to the Date header.
    pub skew: i64,
}

pub fn read_request(r: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if r.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = match (words.next(), words.next()) {
        (Some(m), Some(t)) => (m.to_string(), t.to_string()),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let mut headers = Vec::new();
    loop {
        line.clear();
        r.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((k, v)) => headers.push((k.to_ascii_lowercase(), v.trim().to_string())),
            None => break,
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query
        .split('&')
        .filter(|s| !s.is_empty())
        .map(|kv| {
            let (k, v) = kv.split_once('=').unwrap_or((kv, ""));
            (percent_decode(k, true), percent_decode(v, true))
        })
        .collect();
    let mut req = Request { method, path: percent_decode(path, false), query, headers, body: Vec::new() };
    if req.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        r.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if req.header("transfer-encoding").is_some() {
        req.body = read_chunks(r)?;
    } else if let Some(n) = req.header("content-length").and_then(|v| v.parse().ok()) {
        req.body = vec![0; n];
        r.read_exact(&mut req.body)?;
    }
    if req.header("x-amz-decoded-content-length").is_some() {
        req.body = read_chunks(&mut &req.body[..])?;
    }
    Ok(Some(req))
}

/// HTTP chunks and aws-chunked share their framing; an aws-chunked signature stands behind a `;`.
fn read_chunks(r: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let mut line = String::new();
        r.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or("");
        let n = usize::from_str_radix(size, 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if n == 0 {
            while r.read_line(&mut line)? > 2 {}
            return Ok(out);
        }
        let at = out.len();
        out.resize(at + n, 0);
        r.read_exact(&mut out[at..])?;
        r.read_line(&mut line)?;
    }
}

/// Returns whether the connection can carry another request.
pub fn write_response(s: &mut TcpStream, head_only: bool, resp: &Response, wire: Wire) -> io::Result<bool> {
    std::thread::sleep(wire.delay);
    let body = resp.body.bytes();
    let mut head = format!(
        "HTTP/1.1 {} {}\r\ncontent-length: {}\r\ndate: {}\r\nx-amz-request-id: 0000000000000000\r\n",
        resp.status,
        if resp.status < 300 { "OK" } else { "Error" },
        resp.headers.iter().find(|(k, _)| k == "head-length").map_or(body.len().to_string(), |(_, v)| v.clone()),
        crate::time::http_date(crate::time::now_ms() / 1000 + wire.skew)
    );
    for (k, v) in resp.headers.iter().filter(|(k, _)| k != "head-length") {
        head.push_str(&format!("{k}: {v}\r\n"));
    }
    head.push_str("\r\n");
    let body = if head_only { &[] } else { body };
    let send = &body[..wire.cut_after.map_or(body.len(), |n| n.min(body.len()))];
    match wire.rate {
        None => write_both(s, head.as_bytes(), send)?,
        Some(rate) => {
            s.write_all(head.as_bytes())?;
            let step = (rate / 20).max(1) as usize;
            for part in send.chunks(step) {
                s.write_all(part)?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    if wire.cut_after.is_none() && !wire.reset {
        return Ok(true);
    }
    if wire.reset {
        // Let the sent bytes leave before the reset drops what is still queued.
        std::thread::sleep(Duration::from_millis(20));
        socket2::SockRef::from(&*s).set_linger(Some(Duration::ZERO))?;
    } else {
        s.shutdown(Shutdown::Write)?;
    }
    Ok(false)
}

fn write_both(s: &mut TcpStream, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
    while !head.is_empty() {
        let n = s.write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        let h = n.min(head.len());
        head = &head[h..];
        body = &body[n - h..];
    }
    s.write_all(body)
}

pub fn percent_decode(s: &str, plus: bool) -> String {
    let b = s.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut i = 0;
    while i < b.len() {
        match b[i] {
            b'%' if i + 2 < b.len() && u8::from_str_radix(s.get(i + 1..i + 3).unwrap_or(""), 16).is_ok() => {
                out.push(u8::from_str_radix(s.get(i + 1..i + 3).unwrap_or(""), 16).unwrap());
                i += 2;
            }
            b'+' if plus => out.push(b' '),
            c => out.push(c),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The form encoding of S3 notifications: space is `+`, `/` stays.
pub fn form_encode(s: &str) -> String {
    s.bytes()
        .map(|c| match c {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => (c as char).to_string(),
            b' ' => "+".into(),
            c => format!("%{c:02X}"),
        })
        .collect()
}
