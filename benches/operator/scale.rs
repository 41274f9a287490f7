//! Many schedules at once, by three contenders in turn: Postern, a client that knows what to write and watches nothing, and an
//! operator as controller-runtime makes them. Each has a control plane of its own.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use k8s_openapi::api::batch::v1::CronJob;
use kube::ResourceExt as _;
use postern::api::WebhookSchedule;
use postern::operator::names;
use postern_e2e::DedicatedCluster;
use serde_json::{Value, json};

use crate::canaries;
use crate::contender::Contender;
use crate::converge::converge;
use crate::installed::Installed;
use crate::report;
use crate::schedules::Layout;
use crate::settled::{self, Settled};

/// What Postern wrote for one schedule, with `NAME` in place of the schedule's name: other contenders write the same.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) cron_job: Value,
    pub(crate) status: Value,
}

impl Template {
    /// What stands on a cluster for the first schedule of any layout.
    async fn of(on: &Installed) -> Self {
        let (namespace, name) = Layout::first();
        let template = |part: Value| replaced(&part, &name, "NAME");
        let schedule: WebhookSchedule = on.api(&namespace).get(&name).await.unwrap();
        let cron_job: CronJob = on.api(&namespace).get(&names::cron_job(&name)).await.unwrap();
        let metadata = json!({"name": cron_job.name_any(), "labels": cron_job.labels()});
        let cron_job = json!({"metadata": metadata, "spec": cron_job.spec});
        Self { cron_job: template(cron_job), status: template(json!(schedule.status)) }
    }

    /// The CronJob and the status for a schedule.
    pub(crate) fn for_schedule(&self, name: &str) -> [Value; 2] {
        [&self.cron_job, &self.status].map(|part| replaced(part, "NAME", name))
    }
}

fn replaced(part: &Value, from: &str, to: &str) -> Value {
    serde_json::from_str(&part.to_string().replace(from, to)).unwrap()
}

/// Measures a layout, and prints it.
pub(crate) fn measure(layout: Layout) {
    report::contenders(layout);
    let (template, settled) = on_new_cluster(move |on| Box::pin(postern(on, layout)));
    for contender in [Contender::BareClient, Contender::Peer { workers: 0 }, Contender::Peer { workers: 16 }] {
        let template = template.clone();
        on_new_cluster(move |on| {
            Box::pin(async move {
                let (converged, _running) = converge(&on, layout, contender, Some(&template)).await;
                report::converged(layout, contender, &converged);
            })
        });
    }
    report::settled(layout, &settled);
}

/// Postern with so many schedules, and what it takes once they are there.
async fn postern(on: Installed, layout: Layout) -> (Template, Settled) {
    let (converged, running) = converge(&on, layout, Contender::Postern, None).await;
    report::converged(layout, Contender::Postern, &converged);
    let template = Template::of(&on).await;
    (template, settled::measure(&on, layout, running.unwrap()).await)
}

type Measuring<T> = Pin<Box<dyn Future<Output = T>>>;

/// Measures on a control plane of its own, with all that an installation brings.
fn on_new_cluster<T: Send + 'static>(measure: impl FnOnce(Installed) -> Measuring<T> + Send + 'static) -> T {
    // The library of the tests installs CRDs once for each name of a cluster.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("bench-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let (send, receive) = channel();
    DedicatedCluster::control_plane(&name).run(move |cluster, _| async move {
        let canaries = tokio::spawn(canaries::end_all(cluster.client.clone()));
        let _ = send.send(measure(Installed::new(cluster).await).await);
        canaries.abort();
    });
    receive.recv().unwrap()
}
