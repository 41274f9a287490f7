//! Runs code in a network namespace.

use std::fs::File;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace of a cluster.
#[derive(Clone, Debug)]
pub struct Network {
    path: PathBuf,
}

impl Network {
    /// The node's network: the API server is at 127.0.0.1:6443 in it.
    pub fn of_node(cluster_pid: i32) -> Self {
        Self { path: format!("/proc/{cluster_pid}/ns/net").into() }
    }

    /// The network that stands for the internet.
    pub fn of_internet(cluster_pid: i32) -> Self {
        Self { path: format!("/proc/{cluster_pid}/root/run/netns/internet").into() }
    }

    /// Listens in this network, wherever the listener is used; port 0 picks a free port.
    pub fn listen(&self, ip: &str, port: u16) -> TcpListener {
        self.try_listen(ip, port).unwrap()
    }

    /// Listens at two addresses of this network, on a port that is free at both.
    pub fn listen_at_both(&self, one: &str, other: &str) -> [TcpListener; 2] {
        loop {
            let first = self.listen(one, 0);
            // A port that is free at one address may be taken at the other.
            if let Ok(second) = self.try_listen(other, first.local_addr().unwrap().port()) {
                return [first, second];
            }
        }
    }

    fn try_listen(&self, ip: &str, port: u16) -> io::Result<TcpListener> {
        let ip: IpAddr = ip.parse().unwrap();
        self.spawn(move || async move { TcpListener::bind((ip, port)) }).join().unwrap()
    }

    /// Runs a future on a thread in this network, so that every socket that the future opens is in it too.
    ///
    /// The thread is new and ends with the future: a thread stays in the network that it has entered, and no other test may run
    /// there.
    pub fn spawn<F>(&self, work: impl FnOnce() -> F + Send + 'static) -> thread::JoinHandle<F::Output>
    where
        F: Future,
        F::Output: Send + 'static,
    {
        let path = self.path.clone();
        thread::spawn(move || {
            let namespace = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work())
        })
    }
}
