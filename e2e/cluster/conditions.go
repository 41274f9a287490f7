package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// api asks the API server, as admin, from inside the cluster's network.
type api struct{ client *http.Client }

func newAPI() (*api, error) {
	pki := filepath.Join(clusterDir, "pki")
	certificate, err := tls.LoadX509KeyPair(pki+"/admin.crt", pki+"/admin.key")
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(pki + "/ca.crt")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &api{&http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}},
	}}, nil
}

// get asks for a path and reads the answer into the object, if there is one to fill.
func (a *api) get(path string, object any) error {
	body, err := fetch(a.client, "https://127.0.0.1:6443"+path)
	if err != nil || object == nil {
		return err
	}
	return json.Unmarshal(body, object)
}

func fetch(client *http.Client, url string) ([]byte, error) {
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}

func (a *api) ready() error { return a.get("/readyz", nil) }

func (a *api) nodeReady() error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := a.get("/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		}
	}
	return fmt.Errorf("the node's conditions are %v", node.Status.Conditions)
}

func containerdAnswers() error {
	if out, err := exec.Command("ctr", "version").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// policyEngineListens looks whether a process takes what the node's rules queue (proc: queue number, process, ...).
func policyEngineListens() error {
	queues, err := os.ReadFile("/proc/net/netfilter/nfnetlink_queue")
	if err == nil && !strings.HasPrefix(strings.TrimSpace(string(queues)), policyQueue+" ") {
		err = fmt.Errorf("nobody listens to queue %s", policyQueue)
	}
	return err
}

// dnsAnswers asks the cluster's DNS, through its Service, for a name of its own and for one that only the internet's
// DNS server can say isn't there.
func dnsAnswers() error {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, dnsServiceIPv4+":53")
	}}
	// A query sent before the Service has an endpoint is lost: ask again soon, not when the resolver gives up.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local."); err != nil {
		return err
	}
	_, err := resolver.LookupHost(ctx, "no-such-host.example.")
	if missing := (*net.DNSError)(nil); errors.As(err, &missing) && missing.IsNotFound {
		return nil
	}
	return fmt.Errorf("the internet's DNS server was not reached: %w", err)
}
