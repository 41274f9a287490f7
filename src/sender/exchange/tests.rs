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
