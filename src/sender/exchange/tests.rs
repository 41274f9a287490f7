use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;

use super::*;

const REQUEST: &[u8] = &[b'x'; 10_000];

/// A connection that buffers little of what isn't read, and the receiver's end of it.
fn connection() -> (Exchange<DuplexStream>, DuplexStream) {
    let (sender, receiver) = duplex(64);
    (Exchange::over(sender), receiver)
}

#[tokio::test]
async fn an_answer_that_came_before_the_request_was_sent_whole_is_read_although_the_receiver_has_gone() {
    for answer in ["HTTP/1.1 413 Too Large\r\n\r\n", "HTTP/1.1 413 Too Large\r\n"] {
        let (mut exchange, mut receiver) = connection();
        receiver.write_all(answer.as_bytes()).await.unwrap();
        drop(receiver);
        exchange.run(REQUEST).await.unwrap();
        assert_eq!(exchange.decision(), Some(StatusCode::PAYLOAD_TOO_LARGE), "{answer:?}");
    }
}

#[tokio::test]
async fn a_2xx_is_no_delivery_when_the_receiver_takes_no_more_of_the_request() {
    let (mut exchange, mut receiver) = connection();
    receiver.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    drop(receiver);
    assert!(matches!(exchange.run(REQUEST).await, Err(Broken::CutShort)));
    assert_eq!((exchange.status(), exchange.decision()), (Some(StatusCode::OK), None));
}

#[tokio::test(start_paused = true)]
async fn a_2xx_counts_once_the_request_was_sent_whole() {
    let (mut exchange, mut receiver) = connection();
    receiver.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
    let mut request = vec![0; REQUEST.len()];
    let read = timeout(Duration::from_secs(1), receiver.read_exact(&mut request));
    let (ran, read) = tokio::join!(exchange.run(REQUEST), read);
    ran.unwrap();
    read.unwrap().unwrap();
    assert_eq!(exchange.decision(), Some(StatusCode::OK));
    assert_eq!(request, REQUEST);
}

#[tokio::test]
async fn a_1xx_is_no_answer() {
    let (mut exchange, mut receiver) = connection();
    receiver.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").await.unwrap();
    drop(receiver);
    assert!(matches!(exchange.run(b"x").await, Err(Broken::Connection(_))));
    assert_eq!(exchange.status(), None);
}

#[tokio::test]
async fn a_receiver_that_goes_without_an_answer_broke_the_connection() {
    let (mut exchange, receiver) = connection();
    drop(receiver);
    assert!(matches!(exchange.run(REQUEST).await, Err(Broken::Connection(_))));
}

/// How an exchange of a request ends with a receiver that reads so many bytes of it and sends this before it goes.
async fn ended(request: &[u8], reads: usize, answer: &[u8]) -> Exchange<DuplexStream> {
    let (mut exchange, mut receiver) = connection();
    let receiving = async move {
        receiver.read_exact(&mut vec![0; reads]).await.unwrap();
        receiver.write_all(answer).await.unwrap();
    };
    let (ran, ()) = tokio::join!(exchange.run(request), receiving);
    assert!(matches!(ran, Err(Broken::Connection(_))));
    exchange
}

#[tokio::test(start_paused = true)]
async fn a_request_is_unsent_only_if_the_receiver_has_not_all_of_it_and_has_not_begun_to_answer() {
    for reads in [0, 1, REQUEST.len() - 65] {
        assert!(ended(REQUEST, reads, b"").await.is_unsent(), "{reads} bytes were read");
    }
    assert!(!ended(REQUEST, REQUEST.len(), b"").await.is_unsent(), "it was read whole");
    assert!(!ended(b"x", 0, b"").await.is_unsent(), "it was sent whole");
    assert!(!ended(REQUEST, 1, b"HTTP").await.is_unsent(), "an answer has begun");
    let (mut exchange, _receiver) = connection();
    timeout(Duration::from_secs(1), exchange.run(REQUEST)).await.unwrap_err();
    assert!(!exchange.is_unsent(), "it ran out of time");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_acts_when_it_sends_a_byte_or_goes_and_not_before() {
    for goes in [false, true] {
        let (mut exchange, mut receiver) = connection();
        timeout(Duration::from_secs(1), exchange.receiver_acts()).await.unwrap_err();
        if goes {
            drop(receiver);
        } else {
            receiver.write_all(b"x").await.unwrap();
        }
        exchange.receiver_acts().await;
    }
}
