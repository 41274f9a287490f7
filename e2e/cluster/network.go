package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The addresses of every cluster: each has network namespaces of its own, so they never meet.
const (
	nodeName       = "node"
	nodeIPv4       = "192.168.77.10"
	nodeIPv6       = "fd00:77::10"
	serviceIPv4    = "10.96.0.1"
	dnsServiceIPv4 = "10.96.0.10"
	podCIDRs       = "10.244.0.0/16,fd00:244::/48"
	serviceCIDRs   = "10.96.0.0/16,fd00:96::/112"
)

// internetAddresses are the hosts of "the internet": documentation addresses (RFC 5737, RFC 3849), the address of its
// DNS server, and the one where clouds keep their metadata service, which must be there to be seen blocked.
var internetAddresses = []string{
	"203.0.113.10/32", "203.0.113.20/32", "198.51.100.10/32", "2001:db8::10/128", "2001:db8::20/128",
	"198.51.100.53/32", "169.254.169.254/32",
}

// network makes the node's interface and, at the other end of its cable, the internet.
func network(level string) error {
	node := []string{
		"link set lo up",
		"netns add internet",
		"link add eth0 type veth peer name eth0 netns internet",
		"address add " + nodeIPv4 + "/24 dev eth0",
		"address add " + nodeIPv6 + "/64 dev eth0 nodad",
		"link set eth0 up",
		"route add default via 192.168.77.1",
		"route add default via fd00:77::1",
	}
	internet := []string{
		"link set lo up",
		"address add 192.168.77.1/24 dev eth0",
		"address add fd00:77::1/64 dev eth0 nodad",
		"link set eth0 up",
	}
	for _, address := range internetAddresses {
		internet = append(internet, "address add "+address+" dev lo")
	}
	if err := ip(node); err != nil {
		return err
	}
	if err := ip(internet, "-n", "internet"); err != nil {
		return err
	}
	if level == levelControlPlane {
		return nil
	}
	// Between pods and the rest of the world the node is a router, and bridged pods pass its filters too.
	for _, name := range []string{
		"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
		"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
	} {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte("1"), 0); err != nil {
			return err
		}
	}
	return queueConnections()
}

// bridgeFilter sees that the kernel can show netfilter what a bridge passes on. Of all that a cluster needs of the kernel, nothing
// else loads this module.
func bridgeFilter() error {
	if _, err := os.Stat("/proc/sys/net/bridge"); err == nil {
		return nil
	}
	if out, err := exec.Command("modprobe", "br_netfilter").CombinedOutput(); err != nil {
		return fmt.Errorf("the kernel's module br_netfilter is needed: modprobe: %w: %s", err, out)
	}
	return nil
}

// policyQueue is where the NetworkPolicy engine takes the packets that it is to judge.
const policyQueue = "100"

// queueConnections lets the NetworkPolicy engine judge the first packet of every connection that is forwarded, or that
// comes to the node from elsewhere. Where nobody listens, none passes.
//
// The engine's own rules do the same with a part of nftables that not every kernel has (CONFIG_NFT_QUEUE), and leave out
// what pods send to their own node.
func queueConnections() error {
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, chain := range [][]string{{"FORWARD"}, {"INPUT", "!", "--in-interface", "lo"}} {
			rule := append([]string{"--append"}, chain...)
			rule = append(rule, "--match", "conntrack", "--ctstate", "NEW", "--jump", "NFQUEUE", "--queue-num", policyQueue)
			if out, err := exec.Command(program, rule...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s %s: %w: %s", program, strings.Join(rule, " "), err, out)
			}
		}
	}
	return nil
}

// ip runs ip(8) once with a batch of commands.
func ip(batch []string, options ...string) error {
	command := exec.Command("ip", append(options, "-batch", "-")...)
	command.Stdin = strings.NewReader(strings.Join(batch, "\n") + "\n")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(options, " "), err, out)
	}
	return nil
}
