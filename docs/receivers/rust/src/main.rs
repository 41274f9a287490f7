//! A receiver of webhooks. TLS is up to the proxy in front of it.

use std::collections::HashSet;
use std::env;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use standardwebhooks::Webhook;

struct Receiver {
    webhook: Webhook,
    // In real life a table of the database that the work is written to, in the same transaction.
    taken: Mutex<HashSet<String>>,
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if receiver.webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    // The id is signed, so it is believed only now.
    let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) else {
        return StatusCode::UNAUTHORIZED;
    };
    if receiver.taken.lock().unwrap().insert(id.to_owned()) {
        println!("took {id}"); // the work
    }
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() {
    let key = env::var("WEBHOOK_KEY").expect("WEBHOOK_KEY holds the key, whsec_…");
    let webhook = Webhook::new(&key).expect("WEBHOOK_KEY is no key");
    let receiver = Arc::new(Receiver { webhook, taken: Mutex::default() });
    let port = env::var("PORT").unwrap_or("8080".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    let app = Router::new().route("/hook", post(receive)).with_state(receiver);
    axum::serve(listener, app).await.unwrap();
}
