//! The HTTP/1.1 that shippers speak: one thread per connection, keep-alive, bodies with a length or in chunks.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

pub struct Request {
    pub method: String,
    pub path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }
}

pub struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    Own(Vec<u8>),
    /// Bytes `from..to` of an object.
    Shared {
        data: Arc<Vec<u8>>,
        from: usize,
        to: usize,
    },
    /// The answer to HEAD: a length without bytes.
    Length(usize),
}

impl Response {
    pub fn json(status: u16, value: &Value) -> Response {
        Response::text(status, "application/json", value.to_string().into_bytes())
    }

    pub fn text(status: u16, content_type: &str, body: Vec<u8>) -> Response {
        let headers = vec![("content-type", content_type.to_owned())];
        Response { status, headers, body: Body::Own(body) }
    }

    pub fn object(status: u16, data: Arc<Vec<u8>>, from: usize, to: usize) -> Response {
        let body = Body::Shared { data, from, to };
        Response { status, headers: Vec::new(), body }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer without its body.
    fn head_only(mut self) -> Response {
        self.body = Body::Length(self.body.length());
        self
    }
}

impl Body {
    fn length(&self) -> usize {
        match self {
            Body::Length(length) => *length,
            _ => self.bytes().len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Body::Own(bytes) => bytes,
            Body::Shared { data, from, to } => &data[*from..*to],
            Body::Length(_) => &[],
        }
    }
}

/// Answers every connection by `answer`, which is given the connection for [`hung_up`].
pub fn serve<F>(listener: &TcpListener, answer: F) -> io::Result<()>
where
    F: Fn(&Request, &TcpStream) -> Response + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    for stream in listener.incoming() {
        let (answer, stream) = (Arc::clone(&answer), stream?);
        std::thread::Builder::new().stack_size(256 << 10).spawn(move || converse(stream, answer.as_ref()))?;
    }
    Ok(())
}

/// Whether the client has gone: a long poll must not hand messages to a shipper that was killed.
pub fn hung_up(peer: &TcpStream) -> bool {
    let waiting = peer.set_nonblocking(true).and_then(|()| peer.peek(&mut [0]));
    if peer.set_nonblocking(false).is_err() {
        return true;
    }
    match waiting {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

fn converse(mut stream: TcpStream, answer: &impl Fn(&Request, &TcpStream) -> Response) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(64 << 10, stream.try_clone()?);
    while let Some(request) = read_request(&mut input)? {
        let mut response = answer(&request, &stream);
        if request.method == "HEAD" {
            response = response.head_only();
        }
        write_response(&mut stream, &response)?;
        let closing = request.header("connection");
        if closing.is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

fn read_request(input: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: decode(path),
        query: query.split('&').map(pair).collect(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        line.clear();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let header = (name.to_ascii_lowercase(), value.trim().to_owned());
        request.headers.push(header);
    }
    if request.header("expect").is_some() {
        input.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if request.header("transfer-encoding").is_some() {
        request.body = read_chunks(input)?;
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        request.body = vec![0; length];
        input.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn read_chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        input.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let from = body.len();
        body.resize(from + size, 0);
        input.read_exact(&mut body[from..])?;
        input.read_line(&mut line)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn write_response(stream: &mut TcpStream, response: &Response) -> io::Result<()> {
    let (status, length) = (response.status, response.body.length());
    let mut head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {length}\r\n");
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (mut head, body) = (head.into_bytes(), response.body.bytes());
    // A small answer leaves in one packet.
    if body.len() < 64 << 10 {
        head.extend_from_slice(body);
        return stream.write_all(&head);
    }
    stream.write_all(&head)?;
    stream.write_all(body)
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decode(name), decode(value))
}

/// Percent-encoding undone; what is no encoding stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding() {
        assert_eq!(decode("/a%20b+c%2Fd"), "/a b+c/d");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
    }

    #[test]
    fn chunks() {
        let mut input = io::Cursor::new(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".as_slice());
        assert_eq!(read_chunks(&mut input).ok(), Some(b"abcde".to_vec()));
    }
}
