//! The hosts of a cluster's internet and its DNS.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{Certificates, ClusterHandle, Network, Receiver, Stream};

/// The answer to one DNS query; `e2e/cluster/components/internet-dns` says what the fields mean.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DnsAnswer {
    /// The addresses in A and AAAA records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<&'static str>,
    /// Another name, with its trailing dot, to which the addresses belong.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub cname: &'static str,
    /// A response code, as DNS names it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub rcode: &'static str,
    /// Whether there is no answer at all.
    pub silent: bool,
}

impl DnsAnswer {
    /// The name has these addresses.
    pub fn addresses(addresses: impl Into<Vec<&'static str>>) -> Self {
        Self { addresses: addresses.into(), ..Self::default() }
    }

    /// The name is an alias of another, with its trailing dot, which has these addresses.
    pub fn alias(cname: &'static str, addresses: impl Into<Vec<&'static str>>) -> Self {
        Self { cname, ..Self::addresses(addresses) }
    }

    /// No answer at all.
    pub fn silence() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// The response code, as DNS names it: `NXDOMAIN`, `SERVFAIL`.
    pub fn rcode(rcode: &'static str) -> Self {
        Self { rcode, ..Self::default() }
    }
}

impl ClusterHandle {
    /// Tells the internet's DNS how to answer the first query for a name, the second, and so on; the last answer repeats. A and
    /// AAAA queries are counted separately.
    pub fn set_dns(&self, name: &str, answers: &[DnsAnswer]) {
        let dns = self.dir.join("dns");
        let name = name.trim_end_matches('.');
        let new = dns.join(format!(".new-{name}"));
        fs::write(&new, serde_json::to_vec(answers).unwrap()).unwrap();
        fs::rename(new, dns.join(name)).unwrap();
    }

    /// Listens on the internet; port 0 picks a free port.
    pub fn listen_on_the_internet(&self, ip: &str, port: u16) -> std::net::TcpListener {
        Network::of_internet(self.pid).listen(ip, port)
    }

    /// Starts an HTTPS receiver at an address of the internet, on a free port.
    pub fn receiver(
        &self,
        ip: &str,
        certificates: impl Into<Arc<Certificates>>,
        answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static,
    ) -> Receiver {
        let listener = self.listen_on_the_internet(ip, 0);
        Receiver::on(listener, certificates, false, answer)
    }
}

/// A host on the internet that answers HTTP on one address with its own name, until it is dropped.
pub struct Host {
    /// The address where it answers.
    pub address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Host {
    /// Starts a host on an address of the cluster's internet and a port that is free.
    pub async fn start(cluster: &ClusterHandle, ip: &str, name: &'static str) -> Self {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, address) = oneshot::channel();
        Network::of_internet(cluster.pid).spawn(move || async move {
            let listener = TcpListener::bind((ip, 0)).await.unwrap();
            started.send(listener.local_addr().unwrap()).unwrap();
            tokio::select! {
                () = serve(listener, name) => {}
                _ = stopped => {}
            }
        });
        Self { address: address.await.unwrap(), _stop: stop }
    }

    /// The URL at which clients find it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

async fn serve(listener: TcpListener, name: &'static str) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // A policy may stop a connection before its request arrives; the other connections don't wait for it.
        tokio::spawn(answer(stream, name));
    }
}

async fn answer(mut stream: TcpStream, name: &str) {
    let mut request = [0; 4096];
    // A client may close the connection before it has the answer.
    if matches!(stream.read(&mut request).await, Ok(n) if n > 0) {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{name}", name.len());
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}
