//! Where a delivery may go: the rules for URLs, host names and addresses, and the look-up that obeys them.
//!
//! Placeholder: judges IP literals by `allowedCIDRs` alone and resolves no name. The guard replaces this file.
#![allow(missing_docs, clippy::missing_errors_doc, clippy::unused_async)]

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rules {
    pub allowed_hosts: Vec<String>,
    pub denied_hosts: Vec<String>,
    pub allowed_ports: Vec<u16>,
    #[serde(rename = "allowedCIDRs")]
    pub allowed_cidrs: Vec<IpNet>,
    #[serde(rename = "deniedCIDRs")]
    pub denied_cidrs: Vec<IpNet>,
    pub cluster_domain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    SchemeNotHttps,
    PortNotAllowed,
    AddressInternal,
    UrlMalformed,
    NameNotResolved,
}

impl Reason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::SchemeNotHttps => "SchemeNotHttps",
            Reason::PortNotAllowed => "PortNotAllowed",
            Reason::AddressInternal => "AddressInternal",
            Reason::UrlMalformed => "UrlMalformed",
            Reason::NameNotResolved => "NameNotResolved",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Refusal {
    pub reason: Reason,
    pub detail: String,
}

fn refuse<T>(reason: Reason, detail: &str) -> Result<T, Refusal> {
    Err(Refusal {
        reason,
        detail: detail.to_owned(),
    })
}

pub struct Target {
    url: url::Url,
    host: String,
    path_and_query: PathAndQuery,
}

impl Target {
    pub fn parse(raw: &[u8], rules: &Rules) -> Result<Target, Refusal> {
        let Some(url) = std::str::from_utf8(raw)
            .ok()
            .and_then(|raw| url::Url::parse(raw).ok())
        else {
            return refuse(Reason::UrlMalformed, "the URL is malformed");
        };
        if url.scheme() != "https" {
            return refuse(Reason::SchemeNotHttps, "the URL must begin with https://");
        }
        let port = url.port_or_known_default().unwrap_or(443);
        if port != 443 && !rules.allowed_ports.contains(&port) {
            return refuse(Reason::PortNotAllowed, "the port is not allowed");
        }
        let host = url
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let path_and_query = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        Ok(Target {
            url,
            host,
            path_and_query: PathAndQuery(path_and_query),
        })
    }

    #[must_use]
    pub fn masked(&self) -> String {
        format!("https://{}/...", self.authority())
    }

    #[must_use]
    pub fn authority(&self) -> String {
        self.url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
    }

    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn server_name(&self) -> String {
        self.host.clone()
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    #[must_use]
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }
}

pub struct PathAndQuery(String);

impl PathAndQuery {
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

pub struct Resolver(());

impl Resolver {
    pub fn from_resolv_conf(_path: &Path, _timeout: Duration) -> Result<Resolver, Refusal> {
        Ok(Resolver(()))
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Checked(SocketAddr);

impl Checked {
    #[must_use]
    pub fn addr(self) -> SocketAddr {
        self.0
    }
}

pub async fn resolve(
    target: &Target,
    rules: &Rules,
    _resolver: &Resolver,
) -> Result<Vec<Checked>, Refusal> {
    let Ok(address) = target.host().parse::<IpAddr>() else {
        return refuse(Reason::NameNotResolved, "the name was not resolved");
    };
    if !rules
        .allowed_cidrs
        .iter()
        .any(|cidr| cidr.contains(&address))
    {
        return refuse(Reason::AddressInternal, "the address is internal");
    }
    Ok(vec![Checked(SocketAddr::new(address, target.port()))])
}
