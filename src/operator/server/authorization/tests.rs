use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::operator::test_support::fake_api;

const TOKEN: &str = "a-canary";

fn token(text: &str) -> Token {
    let headers = [(AUTHORIZATION, format!("Bearer {text}").parse().unwrap())];
    Token::of(&HeaderMap::from_iter(headers)).unwrap()
}

/// An API server that knows one token, with or without the permission to read, and the number of its `TokenReview`s.
fn access(allowed: bool) -> (Access, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        let status = match request.path.as_str() {
            "/apis/authentication.k8s.io/v1/tokenreviews" => {
                count.fetch_add(1, Ordering::Relaxed);
                let known = request.body["spec"]["token"] == TOKEN;
                json!({"authenticated": known, "user": {
                    "username": "scraper", "uid": "1", "groups": ["g"], "extra": {"node": ["n"]},
                }})
            }
            "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
                assert_eq!(
                    request.body["spec"],
                    json!({
                        "user": "scraper", "uid": "1", "groups": ["g"], "extra": {"node": ["n"]},
                        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
                    })
                );
                json!({"allowed": allowed})
            }
            other => panic!("{other}"),
        };
        let mut object = request.body;
        object["status"] = status;
        (201, object)
    });
    (Access::new(client), asked)
}

#[tokio::test]
async fn lets_in_whom_the_api_server_knows_and_lets() {
    assert_eq!(access(true).0.verdict(&token(TOKEN)).await, Ok(Verdict::Allowed));
    assert_eq!(access(false).0.verdict(&token(TOKEN)).await, Ok(Verdict::Forbidden));
    assert_eq!(access(true).0.verdict(&token("unknown")).await, Ok(Verdict::Unauthenticated));
}

#[tokio::test(start_paused = true)]
async fn remembers_an_answer_for_a_minute_and_no_longer() {
    let (access, asked) = access(true);
    for _ in 0..3 {
        access.verdict(&token(TOKEN)).await.unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(access.verdict(&token("unknown")).await, Ok(Verdict::Unauthenticated));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    tokio::time::sleep(REMEMBERED_FOR).await;
    access.verdict(&token(TOKEN)).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn remembers_only_so_many_and_never_a_token() {
    let (access, _) = access(true);
    for number in 0..=MAX_REMEMBERED {
        access.verdict(&token(&format!("guess-{number}"))).await.unwrap();
    }
    assert!(access.remembered.borrow().len() <= MAX_REMEMBERED);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_errs_or_says_nothing_is_unavailable_and_asked_again() {
    let codes = Arc::new(Mutex::new(vec![500, 403]));
    let left = Arc::clone(&codes);
    let client = fake_api::client(move |_| (left.lock().unwrap().pop().unwrap(), Value::Null));
    let access = Access::new(client);
    assert_eq!(access.verdict(&token(TOKEN)).await, Err(Unavailable));
    assert_eq!(access.verdict(&token(TOKEN)).await, Err(Unavailable));
    assert!(codes.lock().unwrap().is_empty());

    let silent = tower::service_fn(|_: hyper::Request<kube::client::Body>| async {
        std::future::pending::<Result<hyper::Response<kube::client::Body>, std::convert::Infallible>>().await
    });
    let access = Access::new(Client::new(silent, "default"));
    assert_eq!(access.verdict(&token(TOKEN)).await, Err(Unavailable));
}

#[test]
fn reads_one_bearer_token_of_bounded_length() {
    let of = |values: &[String]| {
        let headers: HeaderMap = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
        Token::of(&headers).map(|token| token.0.to_string())
    };
    assert_eq!(of(&["Bearer abc.d-e_f".into()]).as_deref(), Some("abc.d-e_f"));
    assert_eq!(of(&["bearer abc".into()]).as_deref(), Some("abc"));
    assert!(of(&[format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES))]).is_some());
    for refused in [
        vec![],
        vec!["Bearer ".into()],
        vec!["Bearer".into()],
        vec!["Basic abc".into()],
        vec!["Bearer a b".into()],
        vec!["Bearer a".into(), "Bearer a".into()],
        vec![format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1))],
    ] {
        assert_eq!(of(&refused), None, "{refused:?}");
    }
}
