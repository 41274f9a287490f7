//! What is known about policies that can't be read, that become readable later, and that don't change.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::operator::metrics::Metrics;
use crate::operator::test_support::fake_api;

/// What an operator knows and reports when its API server has no policies and answers each request about them with this code. A
/// success is a listing, followed by a watch that must restart.
struct Operator {
    answer: Arc<Mutex<u16>>,
    answered: Arc<Mutex<usize>>,
    protected: AdmissionWatch,
    told: Arc<Mutex<Vec<AdmissionStatus>>>,
    _watches: Watches,
}

impl Operator {
    fn answered_with(code: u16) -> Self {
        let (answer, answered) = (Arc::new(Mutex::new(code)), Arc::<Mutex<usize>>::default());
        let (code, count) = (Arc::clone(&answer), Arc::clone(&answered));
        let mut listed: HashMap<String, bool> = HashMap::new();
        let client = fake_api::client(move |request| {
            *count.lock() += 1;
            let code = *code.lock();
            let listed = listed.entry(request.path).or_default();
            *listed = code == 200 && !*listed;
            match (code, *listed) {
                (200, false) => (410, Value::Null),
                _ => (code, json!({"metadata": {"resourceVersion": "1"}, "items": []})),
            }
        });
        let told = Arc::<Mutex<Vec<AdmissionStatus>>>::default();
        let noted = Arc::clone(&told);
        let mut watches = Watches::new(client, Vec::new(), Metrics::new());
        let protected = AdmissionWatch::watch(&mut watches, move |protection| noted.lock().push(protection.clone()));
        Self { answer, answered, protected, told, _watches: watches }
    }

    /// Has the API server answer with this code from now on, and waits until it has done so for a while.
    async fn is_answered_with(&self, code: u16) {
        *self.answer.lock() = code;
        let until = *self.answered.lock() + 20;
        while *self.answered.lock() < until {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn told(&self) -> Vec<AdmissionStatus> {
        self.told.lock().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_cant_be_read_holds_nothing_up_and_is_told_once_it_can() {
    for refusal in [403, 404] {
        let operator = Operator::answered_with(refusal);
        operator.protected.ready().await;
        assert_eq!(operator.protected.now(), AdmissionStatus::Unreadable);
        operator.is_answered_with(200).await;
        let none = AdmissionStatus::of(&[], &[]);
        assert_eq!(operator.protected.now(), none);
        operator.is_answered_with(refusal).await;
        assert_eq!(operator.protected.now(), AdmissionStatus::Unreadable);
        // Once per change, however often each answer came.
        assert_eq!(operator.told(), [AdmissionStatus::Unreadable, none, AdmissionStatus::Unreadable]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_as_long_as_the_api_server_fails() {
    let operator = Operator::answered_with(500);
    operator.is_answered_with(500).await;
    assert_eq!(operator.told(), []);
    operator.is_answered_with(200).await;
    assert_eq!(operator.told(), [AdmissionStatus::of(&[], &[])]);
    operator.is_answered_with(500).await;
    assert_eq!(operator.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_a_moment_is_not_told() {
    let operator = Operator::answered_with(200);
    operator.protected.ready().await;
    *operator.answer.lock() = 403;
    let before = *operator.answered.lock();
    while *operator.answered.lock() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    operator.is_answered_with(200).await;
    assert_eq!(operator.told(), [AdmissionStatus::of(&[], &[])]);
}
