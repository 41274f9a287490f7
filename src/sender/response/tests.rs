use proptest::prelude::*;

use super::*;

fn of(bytes: &[u8]) -> Result<Response, Malformed> {
    let mut response = Response::new();
    response.take(bytes).map(|()| response)
}

fn status(bytes: impl AsRef<[u8]>) -> Option<u16> {
    of(bytes.as_ref()).unwrap().status().map(|status| status.as_u16())
}

#[test]
fn the_status_line_alone_decides() {
    for head in [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.0 200 OK\n",
        "HTTP/1.1  200  Fine, thanks\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nX-Powered-By : PHP/5.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nPHP Warning:  Undefined index in /srv/hook.php on line 3\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Folded: one\r\n two\r\n\tthree\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\nTransfer-Encoding: what\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk",
    ] {
        assert_eq!(status(head), Some(200), "{head:?}");
    }
    assert_eq!(status(b"HTTP/1.1 200 \xff\xfe\r\n\xff: \0\r\n\r\n"), Some(200));
    assert_eq!(status("HTTP/1.1 200 O"), None);
}

#[test]
fn reads_no_status_out_of_what_has_none() {
    for head in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "220 mail.example.com ESMTP\r\n",
        "ICY 200 OK\r\n",
        "HTTP/2 200\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 \r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/1.1200 OK\r\n",
        "HTTP/1.x 200 OK\r\n",
        "PHP Warning: here\r\nHTTP/1.1 200 OK\r\n",
        "S",
    ] {
        assert_eq!(of(head.as_bytes()).unwrap_err(), Malformed::NotHttp1, "{head:?}");
    }
}

#[test]
fn passes_over_interim_responses() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n";
    assert_eq!(status(answer), None);
    let response = of(format!("{answer}HTTP/1.1 503 Busy\r\n\r\n").as_bytes()).unwrap();
    assert_eq!((response.status(), response.retry_after()), (Some(StatusCode::SERVICE_UNAVAILABLE), None));
    assert_eq!(status("HTTP/1.1 101 Switching Protocols\r\n\r\n"), Some(101));
}

#[test]
fn knows_an_http2_frame_at_the_beginning() {
    let settings = [0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 128];
    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0];
    for frame in [&settings[..], &goaway[..]] {
        assert_eq!(of(frame).unwrap_err(), Malformed::Http2);
        assert!(of(&frame[..8]).is_ok());
    }
    assert_eq!(of(&[0; 9]).unwrap_err(), Malformed::NotHttp1);
}

#[test]
fn reads_retry_after_however_it_is_spelt() {
    for header in ["Retry-After: 7", "retry-after:7", "RETRY-AFTER \t:\t7 ", "Retry-After: 7\r\nRetry-After: 9"] {
        let response = of(format!("HTTP/1.1 503 Busy\r\n{header}\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(response.retry_after(), Some(&b"7"[..]), "{header:?}");
    }
}

#[test]
fn looks_at_no_more_than_a_head_may_have() {
    let mut response = of(b"HTTP/1.1 503 Busy\r\n").unwrap();
    for _ in 0..10 {
        response.take(&b"x".repeat(4_096)).unwrap();
    }
    assert!(response.head_has_ended());
    assert!(response.line.len() <= MAX_HEAD_BYTES);
    response.take(b"\r\nRetry-After: 7\r\n").unwrap();
    assert_eq!((response.status().unwrap().as_u16(), response.retry_after()), (503, None));

    let endless = [b"HTTP/1.1 200 ".as_slice(), &b"x".repeat(MAX_HEAD_BYTES)].concat();
    assert_eq!(of(&endless).unwrap_err(), Malformed::TooLong);
    assert_eq!(of(&b"\r\n".repeat(MAX_HEAD_BYTES)).unwrap_err(), Malformed::TooLong);
}

#[test]
fn knows_where_the_response_ends_if_it_says_so() {
    let ended = |bytes: &str| of(bytes.as_bytes()).unwrap().has_ended();
    assert!(ended("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    assert!(ended("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(ended("HTTP/1.1 204 No Content\r\n\r\n"));
    assert!(!ended("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"));
    assert!(!ended("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"));
    assert!(!ended("HTTP/1.1 200 OK\r\n\r\nok"));
}

proptest! {
    #[test]
    fn however_it_is_cut_it_says_the_same(tail: Vec<u8>, cuts in prop::collection::vec(0..80_usize, 0..5)) {
        let mut bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nA : b\r\nRetry-After: 7\r\n".to_vec();
        bytes.extend(tail);
        let whole = of(&bytes).unwrap();
        let mut pieces = Response::new();
        let mut at = 0;
        for cut in cuts {
            let end = (at + cut).min(bytes.len());
            pieces.take(&bytes[at..end]).unwrap();
            at = end;
        }
        pieces.take(&bytes[at..]).unwrap();
        prop_assert_eq!(whole.status(), pieces.status());
        prop_assert_eq!(whole.retry_after(), pieces.retry_after());
        prop_assert_eq!(whole.head_has_ended(), pieces.head_has_ended());
        prop_assert_eq!(whole.has_ended(), pieces.has_ended());
    }

    #[test]
    fn anything_is_read_or_refused(bytes: Vec<u8>) {
        let _ = of(&bytes);
    }
}
