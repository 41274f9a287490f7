//! `make demo`: Postern on a real cluster, from the installation to a refused forgery, told as it happens.
//!
//! It expects a fresh cluster "demo" that has the images, which `make demo` sees to, and acts with kubectl and helm alone, as
//! people would.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a demo that can't go on ends, and says why")]

mod inbox;
mod people;
mod steps;
mod tell;

use std::process::ExitCode;

use postern_e2e::{ClusterHandle, Network};
use tell::say;

const CLUSTER: &str = "demo";

fn main() -> ExitCode {
    let cluster = ClusterHandle::open(CLUSTER);
    let demo = Network::of_node(cluster.pid).spawn(|| async move { show(&cluster).await });
    match demo.join() {
        Ok(Ok(last_line)) => {
            say(&last_line);
            ExitCode::SUCCESS
        }
        Ok(Err(problem)) => ended(&problem),
        Err(_) => ended("see above"),
    }
}

fn ended(problem: &str) -> ExitCode {
    eprintln!(
        "\nThe demo can't go on: {problem}\n\
         The cluster stays up for a look, `CLUSTER={CLUSTER} e2e/kubectl get events -A`; `make cluster-down` ends it."
    );
    ExitCode::FAILURE
}

/// The whole demo; returns its last line.
async fn show(cluster: &ClusterHandle) -> Result<String, String> {
    steps::install(cluster)?;
    let [alice, bob] = steps::admit_tenants(cluster)?;
    let mut inbox = steps::start_receiver(cluster)?;
    steps::apply_schedules(&alice, &inbox)?;
    let triggered = steps::deliver_at_once(&alice, &mut inbox).await?;
    steps::deliver_on_the_minute(&mut inbox).await?;
    steps::replay_and_forge(&mut inbox, &triggered)?;
    steps::keep_the_neighbour_out(&bob)?;
    steps::refuse_to_go_inward(&alice)?;
    steps::show_status(&alice)?;
    steps::end(cluster, &mut inbox)
}
