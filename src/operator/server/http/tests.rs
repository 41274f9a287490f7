use std::io::ErrorKind;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::*;
use crate::operator::test_support::attack::Attack;

/// What a server that says `fine` answers to these bytes, until it closes the connection.
async fn sent_back(bytes: &[u8]) -> String {
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, async |stream| Ok(stream), async |_| plain(StatusCode::OK, "fine"));
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has read enough may close the connection while this still writes.
        if let Err(error) = stream.write_all(bytes).await {
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    tokio::select! {
        never = server => match never {},
        answer = client => answer,
    }
}

#[tokio::test]
async fn answers_one_request_and_closes_the_connection() {
    let answer = sent_back(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("fine"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1);
}

#[tokio::test]
async fn refuses_a_head_that_is_too_large() {
    let mut request = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ".to_vec();
    request.resize(MAX_HEAD_BYTES + 1024, b'a');
    request.extend(b"\r\n\r\n");
    let answer = sent_back(&request).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    // A slightly shorter one is answered.
    let mut request = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ".to_vec();
    request.resize(MAX_HEAD_BYTES - 1024, b'a');
    request.extend(b"\r\n\r\n");
    assert!(sent_back(&request).await.contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn closes_within_a_second_the_connection_of_who_never_ends_a_request() {
    // The clock jumps ahead whenever every task is waiting.
    for begun in [&b""[..], b"GET / HTTP/1.1\r\nHost: x\r\n"] {
        let start = Instant::now();
        assert_eq!(sent_back(begun).await, "");
        assert!(start.elapsed() < PATIENCE + Duration::from_millis(10), "{:?}", start.elapsed());
    }
}

/// Asserts that five requests are answered during this attack. The clock stands still unless every task is idle.
async fn answers_all_the_same(attack: Attack) {
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, async |stream| Ok(stream), async |_| plain(StatusCode::OK, "fine"));
    let client = async {
        attack.is_under_way().await;
        for _ in 0..5 {
            let asked = async {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let answer = timeout(PATIENCE, asked).await.unwrap();
            assert!(answer.contains("200 OK"), "{answer}");
        }
    };
    tokio::select! {
        never = server => match never {},
        never = attack.run(address) => match never {},
        () = client => {}
    }
}

#[tokio::test(start_paused = true)]
async fn answers_while_another_opens_silent_connections_without_end() {
    answers_all_the_same(Attack::from(1)).await;
}

#[tokio::test(start_paused = true)]
async fn answers_while_many_others_open_silent_connections_without_end() {
    answers_all_the_same(Attack::from(50)).await;
}
