//! What a receiver has received.

use std::io::{self, Read as _};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Stream;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request line, without its end.
    pub line: String,
    /// Names and values as they were written, in order.
    pub headers: Vec<(String, String)>,
    /// As long as its `Content-Length` said.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, in whatever case its name was written.
    ///
    /// # Panics
    /// When it is there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    /// The headers, as verifiers want them.
    pub fn header_map(&self) -> HeaderMap {
        let pair = |(name, value): &(String, String)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        self.headers.iter().map(pair).collect()
    }

    pub(crate) fn read(stream: &mut Stream) -> io::Result<Request> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => bytes.extend_from_slice(&chunk[..read]),
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        let mut request = Request { line, headers: lines.map(pair).collect(), body: bytes[head_end + 4..].to_vec() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        let already = request.body.len();
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body[already..])?;
        Ok(request)
    }
}
