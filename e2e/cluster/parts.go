package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Part is one process of the cluster.
type Part struct {
	name string
	args []string
	// internet says that it runs out there and not on the node.
	internet bool
}

// The parts, with what differs from their defaults. What a folder or an address means, init.go and network.go say.
var (
	etcd = Part{name: "etcd", args: []string{
		"--data-dir=/var/lib/etcd", "--unsafe-no-fsync", // the folder is memory, and goes with the cluster
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
	}}
	apiServer = Part{name: "kube-apiserver", args: []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address=" + nodeIPv4, "--service-cluster-ip-range=" + serviceCIDRs,
		"--tls-cert-file=pki/kube-apiserver.crt", "--tls-private-key-file=pki/kube-apiserver.key",
		"--client-ca-file=pki/ca.crt",
		"--service-account-key-file=pki/service-account.pub", "--service-account-signing-key-file=pki/service-account.key",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--authorization-mode=Node,RBAC", "--allow-privileged", // what is refused, Pod Security Standards refuse
		"--enable-admission-plugins=NodeRestriction",
		"--kubelet-client-certificate=pki/kubelet-client.crt", "--kubelet-client-key=pki/kubelet-client.key",
		"--kubelet-certificate-authority=pki/ca.crt", "--kubelet-preferred-address-types=InternalIP",
		"--encryption-provider-config=pki/encryption.yaml",
		"--audit-policy-file=config/audit-policy.yaml", "--audit-log-path=" + logDir + "/audit.log",
		"--audit-log-maxsize=0", // one file: tests read on from where they were
	}}
	controllerManager = Part{name: "kube-controller-manager", args: []string{
		"--kubeconfig=kube-controller-manager.kubeconfig", "--leader-elect=false",
		"--kube-api-qps=500", "--kube-api-burst=1000", // at the default, it paces its own start to five seconds
		"--use-service-account-credentials", "--service-account-private-key-file=pki/service-account.key",
		"--root-ca-file=pki/ca.crt",
		// People's certificates alone: each of four signers would watch its files, and the machine has few watches (inotify).
		"--cluster-signing-kube-apiserver-client-cert-file=pki/ca.crt", "--cluster-signing-kube-apiserver-client-key-file=pki/ca.key",
		"--allocate-node-cidrs", "--cluster-cidr=" + podCIDRs,
		// So many addresses that a pod never gets one that a finished pod's status still shows: the NetworkPolicy engine finds a pod by its address.
		"--node-cidr-mask-size-ipv4=17",
	}}
	scheduler  = Part{name: "kube-scheduler", args: []string{"--kubeconfig=kube-scheduler.kubeconfig", "--leader-elect=false"}}
	containerd = Part{name: "containerd", args: []string{"--config=config/containerd.toml"}}
	kubelet    = Part{name: "kubelet", args: []string{
		"--config=config/kubelet.yaml", "--kubeconfig=kubelet.kubeconfig",
		"--hostname-override=" + nodeName, "--node-ip=" + nodeIPv4 + "," + nodeIPv6,
	}}
	proxy = Part{name: "kube-proxy", args: []string{
		"--kubeconfig=kube-proxy.kubeconfig", "--hostname-override=" + nodeName, "--proxy-mode=nftables",
		"--cluster-cidr=" + podCIDRs, "--conntrack-max-per-core=0", // the table's size is the machine's to set
	}}
	// policyEngine judges each new connection that network.go's rules queue for it.
	policyEngine = Part{name: "kube-network-policies", args: []string{
		"--kubeconfig=kube-network-policies.kubeconfig", "--hostname-override=" + nodeName,
	}}
	internetDNS = Part{name: "internet-dns", internet: true, args: []string{"dns"}}
)

// death is how a part ended, in words.
type death struct{ part, how string }

func (d death) Error() string {
	return fmt.Sprintf("%s ended: %s; the end of its log:\n%s", d.part, d.how, lastLines(logOf(d.part), 15))
}

// start starts the part; when it ends, by itself or by somebody's hand, its death goes to died.
func (p Part) start(died chan<- death) error {
	log, err := os.Create(logOf(p.name))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(binDir+"/"+p.name, p.args...)
	if p.internet {
		command = exec.Command("nsenter", append([]string{"--net=/run/netns/internet", "--", command.Path}, p.args...)...)
	}
	command.Dir, command.Stdout, command.Stderr = clusterDir, log, log
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		_ = command.Wait() // what it says is read from the state below
		died <- death{p.name, describe(command.ProcessState.Sys().(syscall.WaitStatus))}
	}()
	return nil
}

func logOf(part string) string { return logDir + "/" + part + ".log" }
