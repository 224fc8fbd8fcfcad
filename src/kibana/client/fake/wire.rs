//! Requests as they come over a socket, and the file of a form in them.

use serde_json::Value;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// First byte of a client that speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// Request line, headers in lower case, body.
pub type Head = (String, BTreeMap<String, String>, Vec<u8>);

/// The next request on a connection; `None` at its end.
pub async fn request(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<Head> {
    let end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
        if read.first() == Some(&TLS_HANDSHAKE) {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    read.drain(..end);
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while read.len() < length {
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body = read.drain(..length).collect();
    Some((line, headers, body))
}

/// The file of a form, by RFC 7578; its name must be one of NDJSON.
pub fn file(headers: &BTreeMap<String, String>, body: &[u8]) -> Result<String, (u16, String)> {
    let bad = |message: &str| (400, message.to_owned());
    let kind = headers.get("content-type").map(String::as_str).unwrap_or_default();
    let boundary =
        kind.strip_prefix("multipart/form-data; boundary=").ok_or((415, "Unsupported Media Type".to_owned()))?;
    let text = std::str::from_utf8(body).map_err(|_| bad("not UTF-8"))?;
    let part = text
        .strip_prefix(&format!("--{boundary}\r\n"))
        .and_then(|text| text.strip_suffix(&format!("\r\n--{boundary}--\r\n")))
        .ok_or_else(|| bad("Invalid multipart payload format"))?;
    if part.contains(&format!("--{boundary}")) {
        return Err(bad("Invalid multipart payload format"));
    }
    let (head, content) = part.split_once("\r\n\r\n").ok_or_else(|| bad("Invalid multipart payload format"))?;
    let disposition = head.lines().find_map(|line| line.strip_prefix("Content-Disposition: form-data; "));
    let named = |name: &str| {
        let pairs = disposition?.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    if named("name").as_deref() != Some("file") {
        return Err(bad("[request body.file]: expected value of type [Stream] but got [undefined]"));
    }
    match named("filename").unwrap_or_default().rsplit_once('.') {
        Some((_, "ndjson")) => Ok(content.to_owned()),
        other => Err(bad(&format!("Invalid file extension .{}", other.unwrap_or_default().1))),
    }
}

/// Documents, one a line.
pub fn lines(text: &str) -> Result<Vec<Value>, (u16, String)> {
    let lines = text.split('\n').filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(|fault| (400, format!("Unexpected token: {fault}")))).collect()
}
